"""What detect is told."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path

from lamplight_kit.settings import ServiceSettings, Settings
from pydantic import Field, model_validator


def default_models() -> Path:
    """Return `lamplight/models` in the user's cache (`$XDG_CACHE_HOME`, `~/.cache`), where `make models` puts them."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "lamplight" / "models"


class ModelSettings(Settings):
    """Which models to use: of the service, and of what runs detect in a process of its own (watch, redact)."""

    models: Path = Field(default_factory=default_models, description="Folder of the models that are ready.")
    things_model: str = Field(
        default="nanodet.yaml", description="Manifest of the detector of people and things: a name in `models`."
    )
    faces_model: str = Field(default="centerface.yaml", description="Manifest of the detector of faces.")


class DetectSettings(ModelSettings, ServiceSettings):
    """Settings of detect, beside what every service is told."""

    workers: int = Field(default=0, ge=0, le=256, description="Threads that decode and run models; 0: one a core.")
    model_timeout_s: float = Field(
        default=20.0, gt=0, le=25, description="A model that answers later than this closes the gate, seconds."
    )
    canary_every_s: float = Field(
        default=180.0, ge=1, le=3600, description="Time between two canaries through the gate, seconds."
    )
    scene_min_s: float = Field(default=10.0, gt=0, description="Least time between two scene regions, seconds.")
    scene_max_s: float = Field(
        default=60.0,
        gt=0,
        description="Longest time between two scene regions of a place that stays as it is, seconds.",
    )
    young_place_s: float = Field(
        default=120.0, ge=0, description="Until a place is this old the plan's own rate is asked for, seconds."
    )
    upload_retention_days: int = Field(default=365, ge=1, le=365, description="Days that enrolled pictures are kept.")
    grpc_certificate: Path | None = Field(default=None, description="PEM chain of the frame listener, for mTLS.")
    grpc_private_key: Path | None = Field(default=None, description="PEM key of the frame listener, for mTLS.")
    grpc_client_ca: Path | None = Field(default=None, description="PEM of who signs the callers' certificates.")

    @property
    def has_mtls(self) -> bool:
        """Whether the frame listener demands certificates."""
        return None not in (self.grpc_certificate, self.grpc_private_key, self.grpc_client_ca)

    @model_validator(mode="after")
    def _raw_pictures_stay_private(self) -> DetectSettings:
        host = self.grpc_listen.rpartition(":")[0].strip("[]")
        if not self.has_mtls and not _is_loopback(host):
            message = (
                f"grpc_listen {self.grpc_listen!r} takes raw pictures from other machines, mTLS expected; "
                "set LAMPLIGHT_GRPC_CERTIFICATE, LAMPLIGHT_GRPC_PRIVATE_KEY and LAMPLIGHT_GRPC_CLIENT_CA, "
                "or listen on 127.0.0.1"
            )
            raise ValueError(message)
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
