"""Who asks over HTTP: the bearer token, as on gRPC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from lamplight_kit.audit import Auditor
from lamplight_kit.rpc import Caller, Role, Tokens
from lamplight_kit.seal import KeyRing
from lamplight_kit.store import EvidenceStore

from lamplight_console.city import City
from lamplight_console.hub import Hub


@dataclass(frozen=True)
class Parts:
    """What the routes work with; `prefix` is the namespace that pictures are served from below."""

    city: City
    hub: Hub
    tokens: Tokens
    store: EvidenceStore
    keys: KeyRing
    auditor: Auditor
    prefix: str


def parts(request: Request) -> Parts:
    """Return the parts that the application was built with."""
    found = request.app.state.parts
    if not isinstance(found, Parts):
        raise TypeError(type(found))
    return found


def viewer(request: Request) -> Caller:
    """Return the caller, at least a viewer; 401 or 403 otherwise."""
    found = parts(request).tokens.caller_of(request.headers.get("authorization", ""))
    if found is None:
        text = "a bearer token that is known was expected; `lamplight up` prints the page's link with one"
        raise HTTPException(401, text, {"WWW-Authenticate": "Bearer"})
    if not found.role.may(Role.VIEWER):
        raise HTTPException(403, f"role {found.role.name.lower()} found, viewer expected")
    return found


Viewer = Annotated[Caller, Depends(viewer)]
Work = Annotated[Parts, Depends(parts)]
