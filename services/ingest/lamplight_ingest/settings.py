"""The settings of ingest: `LAMPLIGHT_…` in the environment, or a file; each is told at the start if it is wrong."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

from lamplight_kit.settings import ServiceSettings, Settings
from pydantic import Field, field_validator

from lamplight_ingest.doors import ALL_SCHEMES, Doors


def _check_networks(text: str) -> str:
    for item in _items(text, ","):
        try:
            ip_network(item)
        except ValueError:
            message = f"{item} found, a network such as 10.20.0.0/16 or 2001:db8::/32 expected"
            raise ValueError(message) from None
    return text


class IngestSettings(ServiceSettings):
    """What ingest is told, beside what every service is told."""

    detect_address: str = Field(
        default="",
        description="Detect's replicas: host:port (a name: all its addresses), or file:///path of a list; by commas.",
    )
    allowed_schemes: str = Field(
        default="rtsp,rtsps,http,https,file", description="Kinds of sources that may be asked, separated by commas."
    )
    file_roots: str = Field(
        default="", description="Folders below which files may be sources, separated by colons; none: no files."
    )
    allow_loopback: bool = Field(default=False, description="Whether sources may be on this machine itself.")
    allowed_networks: str = Field(
        default="",
        description="Networks (10.20.0.0/16) that sources may be in, separated by commas; none: all but machines' own.",
    )
    secrets_dir: Path | None = Field(
        default=None,
        description="Folder whose files hold `user:password` by secret name; else LAMPLIGHT_SECRET_<NAME> does.",
    )
    tls_ca_file: Path | None = Field(
        default=None,
        description="PEM of the authorities that certificates of sources are checked by; none: public.",
    )
    source_timeout_s: float = Field(
        default=10.0, gt=0, le=120, description="Longest wait for a source's next byte, seconds."
    )
    http_connections_per_host: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Most snapshots that are asked of one host at a time; as many slow ones beside.",
    )
    stall_after_s: float = Field(
        default=15.0, ge=1, le=3600, description="A camera is stalled after this long without a picture, at the least."
    )
    max_picture_bytes: int = Field(
        default=16 << 20, ge=1024, le=24 << 20, description="Largest encoded picture that is taken, bytes."
    )
    pending_bytes: int = Field(
        default=128 << 20, ge=1 << 20, description="Most bytes of pictures that wait for detect, over all cameras."
    )
    call_timeout_s: float = Field(
        default=20.0, gt=0, description="Longest wait of a call until what it changed is in force, seconds."
    )

    @field_validator("allowed_schemes")
    @classmethod
    def _known_schemes(cls, text: str) -> str:
        unknown = sorted(set(_items(text, ",")) - ALL_SCHEMES)
        if unknown:
            message = f"{', '.join(unknown)} found, some of {', '.join(sorted(ALL_SCHEMES))} expected"
            raise ValueError(message)
        return text

    _check_networks = field_validator("allowed_networks")(_check_networks)

    @field_validator("file_roots")
    @classmethod
    def _absolute_roots(cls, text: str) -> str:
        relative = [item for item in _items(text, ":") if not Path(item).is_absolute()]
        if relative:
            message = f"{', '.join(relative)} found, absolute paths expected"
            raise ValueError(message)
        return text

    @property
    def detect_addresses(self) -> tuple[str, ...]:
        """Return the addresses of detect, each once."""
        return tuple(dict.fromkeys(_items(self.detect_address, ",")))

    @property
    def doors(self) -> Doors:
        """Return which sources may be asked."""
        return Doors(
            schemes=frozenset(_items(self.allowed_schemes, ",")),
            roots=tuple(Path(item) for item in _items(self.file_roots, ":")),
            allow_loopback=self.allow_loopback,
            networks=tuple(map(ip_network, _items(self.allowed_networks, ","))) or None,
        )


class ProbeSettings(Settings):
    """What a look at one source is told by the environment: the same names as ingest's own."""

    allowed_networks: str = Field(default="", description="As ingest's.")
    secrets_dir: Path | None = Field(default=None, description="As ingest's.")
    tls_ca_file: Path | None = Field(default=None, description="As ingest's.")
    source_timeout_s: float = Field(default=10.0, gt=0, le=120, description="As ingest's.")

    def doors(self, *, allow_loopback: bool) -> Doors:
        """Return what may be looked at: any file that the caller can read."""
        networks = tuple(map(ip_network, _items(self.allowed_networks, ","))) or None
        return Doors(roots=None, allow_loopback=allow_loopback, networks=networks)

    _check_networks = field_validator("allowed_networks")(_check_networks)


def _items(text: str, separator: str) -> list[str]:
    return [item.strip() for item in text.split(separator) if item.strip()]
