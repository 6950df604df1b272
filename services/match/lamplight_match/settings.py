"""What match is told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from lamplight_kit.settings import ServiceSettings, Settings
from pydantic import Field


class MatchSettings(ServiceSettings):
    """Settings of match."""

    milvus_uri: str = Field(
        description="Milvus: http(s)://host:port, or a path that ends in .db (Milvus Lite in this process alone)."
    )
    milvus_token: str = Field(default="", repr=False, description="Milvus' user:password or API key, where it has any.")
    milvus_timeout_s: float = Field(default=10.0, gt=0, description="Longest wait for one call to Milvus, seconds.")
    history_days: int = Field(
        default=7, ge=1, le=365, description="Days that vectors of a camera that is not configured (any more) are kept."
    )
    sweep_every_s: float = Field(default=600.0, gt=0, description="How often expired vectors are deleted, seconds.")
    enrol_timeout_s: float = Field(
        default=60.0, gt=0, description="How long a call waits for its situation to be ready or refused, seconds."
    )
    match_batch: int = Field(default=200, ge=1, le=500, description="Messages of one transaction at most.")


class LocalMilvusSettings(Settings):
    """Settings of the Milvus that `python -m lamplight_match.local_milvus` runs."""

    data_dir: Path = Field(default=Path("milvus"), description="Folder of the data, made where it is not there.")
    milvus_listen: str = Field(default="127.0.0.1:19530", description="host:port of the Milvus API; port 0: any.")
    http_listen: str = Field(default="127.0.0.1:0", description="host:port of /healthz, /readyz and /metrics.")
    ports_file: Path | None = Field(default=None, description="Where to write the ports in force, as JSON.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged.")
