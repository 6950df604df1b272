"""Which sources may be asked at all: schemes, folders and networks, decided before anything is opened."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

NETWORK_SCHEMES = frozenset({"rtsp", "rtsps", "http", "https"})
ALL_SCHEMES = NETWORK_SCHEMES | {"file"}
_DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_METADATA = frozenset({"169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"})


@dataclass(frozen=True)
class Address:
    """A source's address, taken apart: `scheme` is `file` for a path."""

    scheme: str
    text: str
    host: str = ""
    port: int = 0

    @property
    def path(self) -> Path:
        """Return the path of a file or folder."""
        return Path(self.text)


@dataclass(frozen=True)
class Doors:
    """What is open: schemes, roots of files (None: any place), this machine itself (loopback)."""

    schemes: frozenset[str] = ALL_SCHEMES
    roots: tuple[Path, ...] | None = ()
    allow_loopback: bool = False

    def why_closed(self, address: Address) -> str | None:
        """Say why `address` may not be a source, or None; names are not resolved here."""
        if address.scheme not in self.schemes:
            return f"scheme {address.scheme} found, one of {', '.join(sorted(self.schemes))} expected"
        if address.scheme == "file":
            return self._why_path_closed(address.path)
        return self.why_host_closed(address.host)

    def why_host_closed(self, host: str) -> str | None:
        """Say why `host` may not be connected to, where it is an IP address or this machine's name; else None."""
        try:
            ip = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            is_own = f".{host.lower().rstrip('.')}".endswith(".localhost")
            return _NO_LOOPBACK if is_own and not self.allow_loopback else None
        return self._why_ip_closed(getattr(ip, "ipv4_mapped", None) or ip)

    def _why_ip_closed(self, ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str | None:
        if ip.is_loopback:
            return None if self.allow_loopback else _NO_LOOPBACK
        if ip.is_link_local or str(ip) in _METADATA:
            return "a link-local or metadata address found, a camera's address expected"
        if ip.is_multicast or ip.is_unspecified or ip.is_reserved:
            return "a multicast, unspecified or reserved address found, a camera's address expected"
        return None

    def _why_path_closed(self, path: Path) -> str | None:
        if self.roots is None:
            return None
        resolved = path.resolve()
        if path.is_absolute() and any(resolved.is_relative_to(root.resolve()) for root in self.roots):
            return None
        places = ", ".join(str(root) for root in self.roots) or "no folder at all (set LAMPLIGHT_FILE_ROOTS)"
        return f"a place outside the allowed folders found, a path below {places} expected"


_NO_LOOPBACK = "this machine's own address found, a camera's expected; set LAMPLIGHT_ALLOW_LOOPBACK to allow it"


def parse(source: str) -> Address:
    """Take a source apart; ValueError (holding no part of the source) where it is neither URL nor path."""
    if "\x00" in source or "\n" in source or "\r" in source:
        message = "a line of text without control characters expected"
        raise ValueError(message)
    if "://" not in source:
        if not source:
            message = "an address or a path expected"
            raise ValueError(message)
        return Address("file", source)
    parts = _split(source)
    scheme = parts.scheme.lower()
    if scheme == "file":
        if parts.netloc not in ("", "localhost"):
            message = "file:///path expected"
            raise ValueError(message)
        return Address("file", parts.path)
    if scheme not in NETWORK_SCHEMES:
        return Address(scheme, source, parts.hostname or "")
    if not parts.hostname:
        message = "a host expected after ://"
        raise ValueError(message)
    return Address(scheme, source, parts.hostname, parts.port or _DEFAULT_PORTS[scheme])


def has_user(source: str) -> bool:
    """Tell whether a server's URL names a user, which we never follow; a broken one with an @ counts.

    What people write is asked of `lamplight_contracts.secrets` instead: a server's own redirects may carry a token.
    """
    if "://" not in source:
        return False
    try:
        parts = _split(source)
    except ValueError:
        return "@" in source
    return "@" in parts.netloc


def _split(source: str) -> SplitResult:
    try:
        parts = urlsplit(source)
        _ = parts.port
    except ValueError:
        message = "a URL with a host and a port from 0 to 65535 expected"
        raise ValueError(message) from None
    return parts
