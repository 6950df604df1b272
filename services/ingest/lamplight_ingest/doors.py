"""Which sources may be asked at all: schemes, folders and networks, decided before anything is opened."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

NETWORK_SCHEMES = frozenset({"rtsp", "rtsps", "http", "https"})
ALL_SCHEMES = NETWORK_SCHEMES | {"file"}
_DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# Where clouds keep their machines' credentials, beside the link-local 169.254.169.254: Alibaba, Azure, Oracle; over
# IPv6 AWS, Google, Oracle, Scaleway; and "this network" (RFC 1122, 3.2.1.3), which Linux takes for this machine.
_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
        "fd00:ec2::/64",
        "fd20:ce::254/128",
        "fd00:c1::a9fe:a9fe/128",
        "fd00:42::42/128",
    )
)
# NAT64 (RFC 6052), IPv4-translated (RFC 2765, 2.1), IPv4-compatible (RFC 4291, 2.5.5.1): an IPv4 address in the last 32
# bits.
_HOLDS_IPV4 = tuple(ipaddress.ip_network(text) for text in ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96"))
# NAT64 of one's own (RFC 8215): by RFC 6052, 2.2 in the 32 bits behind a prefix of any length, but for bits 64 to 71.
_OWN_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
_OWN_NAT64_AT = (48, 56, 64, 96)
_UNFIT = re.compile(r"[\s\x00-\x20\x7f<>\"'`{}|\\^,;()&=+$!*]")
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214, 6.1: the first half of an interface identifier


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
    """What is open: schemes, roots of files (None: any place), this machine itself (loopback), networks.

    `networks` None opens every network that holds no machine's own addresses; else these alone are open, and loopback
    where one of them names it.
    """

    schemes: frozenset[str] = ALL_SCHEMES
    roots: tuple[Path, ...] | None = ()
    allow_loopback: bool = False
    networks: tuple[Network, ...] | None = None

    def why_closed(self, address: Address) -> str | None:
        """Say why `address` may not be a source, or None; names are not resolved here."""
        if address.scheme not in self.schemes:
            return f"scheme {address.scheme} found, one of {', '.join(sorted(self.schemes))} expected"
        if address.scheme == "file":
            return self.why_path_closed(address.path)
        return self.why_host_closed(address.host)

    def why_host_closed(self, host: str) -> str | None:
        """Say why `host` may not be connected to, where it is an IP address or this machine's name; else None."""
        try:
            ip = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            is_own = f".{host.lower().rstrip('.')}".endswith(".localhost")
            return _NO_LOOPBACK if is_own and not self._opens_loopback else None
        meant = (ip, *embedded(ip))
        return next(filter(None, map(self._why_ip_closed, meant)), None) or self._why_not_listed(meant)

    def why_path_closed(self, path: Path) -> str | None:
        """Say why a file or folder may not be read, links followed; None where it may."""
        if self.roots is None:
            return None
        resolved = path.resolve()
        if path.is_absolute() and any(resolved.is_relative_to(root.resolve()) for root in self.roots):
            return None
        places = ", ".join(str(root) for root in self.roots) or "no folder at all (set LAMPLIGHT_FILE_ROOTS)"
        return f"a place outside the allowed folders found, a path below {places} expected"

    @property
    def _opens_loopback(self) -> bool:
        return self.allow_loopback or any(network.is_loopback for network in self.networks or ())

    def _why_ip_closed(self, ip: Ip) -> str | None:
        if ip.is_loopback:
            return None if self.allow_loopback or self._lists(ip) else _NO_LOOPBACK
        if ip.is_multicast or ip.is_unspecified or (ip.version == 4 and ip.is_reserved):
            return "a multicast, unspecified or reserved address found, a camera's address expected"
        if ip.is_link_local or getattr(ip, "is_site_local", False) or any(ip in network for network in _NEVER):
            return "a link-local or metadata address found, a camera's address expected"
        return None

    def _why_not_listed(self, meant: tuple[Ip, ...]) -> str | None:
        if self.networks is None or any(self._lists(ip) or (ip.is_loopback and self.allow_loopback) for ip in meant):
            return None
        places = ", ".join(map(str, self.networks)) or "none at all"
        return f"an address outside the allowed networks found, one of {places} expected; LAMPLIGHT_ALLOWED_NETWORKS"

    def _lists(self, ip: Ip) -> bool:
        return any(ip in network for network in self.networks or ())


def embedded(ip: Ip) -> Iterator[Ip]:
    """Yield the IPv4 addresses that an IPv6 address stands for: mapped, translated, NAT64, 6to4, Teredo, ISATAP."""
    if not isinstance(ip, ipaddress.IPv6Address):
        return
    last = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if ip.ipv4_mapped is not None:
        yield ip.ipv4_mapped
    if ip.sixtofour is not None:
        yield ip.sixtofour
    if ip.teredo is not None:
        yield from ip.teredo
    is_plain = ip.is_loopback or ip.is_unspecified
    if (any(ip in network for network in _HOLDS_IPV4) and not is_plain) or (int(ip) >> 32) & 0xFFFFFFFF in _ISATAP:
        yield last
    if ip in _OWN_NAT64:
        behind = (_behind(ip, length) for length in _OWN_NAT64_AT)
        yield from (found for found in behind if int(found) >> 24)  # 0.0.0.0/8: another length's padding


def _behind(ip: ipaddress.IPv6Address, length: int) -> ipaddress.IPv4Address:
    """Return the IPv4 address behind a NAT64 prefix of `length` bits; bits 64 to 71 (`u`) are left out."""
    whole = int(ip)
    if length < 96:
        whole = (whole >> 64 << 64) | ((whole & ((1 << 56) - 1)) << 8)  # u taken out
    return ipaddress.IPv4Address(whole >> (96 - length) & 0xFFFFFFFF)


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
    if _UNFIT.search(parts.hostname):
        message = "a host without spaces and signs expected after ://"
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
