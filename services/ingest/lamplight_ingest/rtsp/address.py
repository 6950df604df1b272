"""Where a stream is: the address asked for, the URLs that its server gives for its parts, and where it sends us."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322}
"""RFC 7826, 22.14.1."""
_USERINFO = re.compile(r"(?<=://)[^/?#]*@")
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
    the base's last step where a camera forgot the slash at its end.
    """
    if control is None or control in ("", "*"):
        return clean(base)
    if "://" in control:
        return clean(control)
    joint = "" if base.endswith("/") or control.startswith("/") else "/"
    return clean(base + joint + control)


def base_url(requested: str, content_base: str | None, content_location: str | None) -> str:
    """Return what controls are relative to: Content-Base, else Content-Location, else the request (C.1.1)."""
    for told in (content_base, content_location):
        if told and "://" in told:
            return told
        if told and told.startswith("/"):
            scheme, _, rest = requested.partition("://")
            return f"{scheme}://{rest.partition('/')[0]}{told}"
    return requested
