"""Where a stream is: the address asked for, the URLs that its server gives for its parts, and where it sends us."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322}
"""RFC 7826, 22.14.1."""
_USERINFO = re.compile(r"(?<=://)[^/?#]*@")
_NO_REFERENCE = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:|[\s\x00]|^$")
_AUTHORITY = re.compile(r"([^/?]*)(.*)", re.DOTALL)
_PLAIN = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True)
class Target:
    """A server and the URL to ask it for, which never holds a user or password."""

    scheme: str
    host: str
    port: int
    url: str

    @property
    def is_tls(self) -> bool:
        """Whether the connection is to be TLS."""
        return self.scheme == "rtsps"


def target_of(url: str) -> Target:
    """Take a URL apart; ValueError, without any part of it, where it is no RTSP URL."""
    try:
        parts = urlsplit(url)
        host, port, scheme = parts.hostname, parts.port, parts.scheme.lower()
    except ValueError:
        host, port, scheme = None, None, ""
    if not host or scheme not in DEFAULT_PORTS:
        text = "rtsp://host[:port]/… or rtsps://… expected"
        raise ValueError(text)
    return Target(scheme, host, port or DEFAULT_PORTS[scheme], clean(url))


def clean(url: str) -> str:
    """Return `url` fit for a request line: no user, no fragment, nothing but printable ASCII."""
    without = _USERINFO.sub("", url.partition("#")[0])
    return quote(without, safe=_PLAIN, encoding="utf-8", errors="surrogateescape")


def control_url(base: str, control: str | None) -> str:
    """Return the URL of a part of the presentation at `base` (RFC 2326, C.1.1).

    A relative one is put behind the base, as every camera means it, and not resolved as RFC 1808 would, which strips
    the base's last step where a camera forgot the slash at its end. With one slash between, and a query with none.
    """
    if control is None or control in ("", "*"):
        return clean(base)
    if "://" in control:
        return clean(control)
    if control.startswith("?"):
        return clean(base + control)
    return clean(base.rstrip("/") + "/" + control.lstrip("/"))


def control_urls(base: str, control: str | None) -> tuple[str, ...]:
    """Return what to ask a server for, the second where it does not know the first.

    What FFmpeg, live555 and GStreamer's older client ask for, slashes as they come; or, where that is the same, what
    the control means by RFC 1808.
    """
    first = control_url(base, control)
    if control is None or control in ("", "*") or "://" in control:
        return (first,)
    joint = "" if base.endswith("/") or control.startswith("/") else "/"
    literal = clean(base + joint + control)
    other = literal if literal != first else clean(resolved(base, control))
    return (first, other) if other != first else (first,)


def resolved(base: str, reference: str) -> str:
    """Return where `reference` leads from `base` (RFC 1808, 4, dots as they are); itself where it is not relative."""
    if _NO_REFERENCE.search(reference):
        return reference
    scheme, _, rest = base.partition("://")
    if reference.startswith("//"):
        return f"{scheme}:{reference}"
    authority, path = _AUTHORITY.fullmatch(rest.partition("#")[0]).groups()  # type: ignore[union-attr] # takes anything
    path = path.partition("?")[0]
    if reference.startswith("/"):
        path = ""
    elif not reference.startswith("?"):
        path = path.rpartition("/")[0] + "/"
    return f"{scheme}://{authority}{path}{reference}"


def base_url(requested: str, content_base: str | None, content_location: str | None) -> str:
    """Return what controls are relative to: Content-Base, else Content-Location, else the request (C.1.1)."""
    for told in (content_base, content_location):
        if told and "://" in told:
            return told
        if told and told.startswith("/"):
            return resolved(requested, told)
    return requested
