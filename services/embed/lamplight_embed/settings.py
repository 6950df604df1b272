"""What embed is told."""

from __future__ import annotations

import os
from pathlib import Path

from lamplight_kit.settings import ServiceSettings, Settings
from pydantic import Field


def default_models() -> Path:
    """Return `lamplight/models` in the user's cache (`$XDG_CACHE_HOME`, `~/.cache`), where `make models` puts them."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "lamplight" / "models"


class EncoderSettings(Settings):
    """Which encoder to use: of the service, and of what runs embed in a process of its own (watch)."""

    models: Path = Field(default_factory=default_models, description="Folder of the models that are ready.")
    embedder: str = Field(
        default="efficientnet-lite0.yaml", description="Manifest of the encoder: a name in `models`, or a path."
    )

    @property
    def manifest(self) -> Path:
        """Return where the encoder's manifest is."""
        return self.models / self.embedder


class EmbedSettings(EncoderSettings, ServiceSettings):
    """Settings of embed."""

    unknown_key_wait_s: float = Field(
        default=30.0, ge=0, description="How long a region may wait for its seal's key to be published, seconds."
    )
    max_masked_share: float = Field(
        default=0.8, gt=0, le=1, description="A region with more than this share under masks gets no vector, 0 to 1."
    )
    embed_batch: int = Field(default=64, ge=1, le=500, description="Regions of one transaction at most.")
