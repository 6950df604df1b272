"""Typed settings: the only place that reads the environment.

A service subclasses `ServiceSettings`, documents each field, and calls `load`: a YAML file first, the environment
(`LAMPLIGHT_…`) over it. What is missing or wrong stops the start with its name.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lamplight_kit.errors import SettingsError
from lamplight_kit.kafka.settings import BusSettings

ENV_PREFIX = "LAMPLIGHT_"


class Settings(BaseSettings):
    """Frozen settings of a process; unknown names in a file are errors, in the environment they are others'."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    @classmethod
    def load(cls, file: Path | None = None) -> Self:
        """Read `file` (or the one that LAMPLIGHT_SETTINGS names), then the environment over it.

        Raises `SettingsError` naming every setting that is missing or wrong, where it was looked for and the cure.
        """
        path = file or _named_file()
        given = _read(path) if path else {}
        known = set(cls.model_fields)
        unknown = sorted(set(given) - known)
        if unknown:
            message = f"{path}: {', '.join(unknown)} found, one of {', '.join(sorted(known))} expected; mend the names"
            raise SettingsError(message)
        in_environment = {name for name in known if f"{ENV_PREFIX}{name.upper()}" in os.environ}
        try:
            return cls(**{name: value for name, value in given.items() if name not in in_environment})
        except ValidationError as error:
            raise SettingsError(_explain(error, path)) from None


class KafkaSettings(Settings):
    """Where Kafka is, and who we are on it."""

    kafka_bootstrap_servers: str = Field(description="Kafka's addresses, host:port, separated by commas.")
    kafka_security: dict[str, str] = Field(
        default_factory=dict,
        description="Further options of kafka-python's clients: security_protocol, sasl_mechanism, ssl_cafile, …",
    )
    namespace: str = Field(
        default="lamplight", pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$", description="Prefix of every topic and picture key."
    )
    replica: str = Field(
        default_factory=lambda: socket.gethostname().replace(".", "-"),
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$",
        description="This process's own name, the same after a restart; no two of a service share one.",
    )
    camera_partitions: int = Field(default=12, ge=1, le=4096, description="Partitions of topics keyed by camera.")
    district_partitions: int = Field(default=12, ge=1, le=4096, description="Partitions of topics keyed by district.")

    def bus(self) -> BusSettings:
        """Return this process's place on the bus."""
        return BusSettings(
            bootstrap_servers=self.kafka_bootstrap_servers,
            namespace=self.namespace,
            member=self.replica,
            security=self.kafka_security,
            partitions={"camera": self.camera_partitions, "district": self.district_partitions},
        )


class ServiceSettings(KafkaSettings):
    """What every service is told."""

    grpc_listen: str = Field(default="127.0.0.1:0", description="host:port that the gRPC API listens on; port 0: any.")
    http_listen: str = Field(
        default="127.0.0.1:0", description="host:port of /healthz, /readyz and /metrics; port 0: any."
    )
    ports_file: Path | None = Field(
        default=None, description="Where to write the ports in force, as JSON, for who started us."
    )
    tokens_file: Path | None = Field(
        default=None, description="YAML of callers: a list of {name, role, token_sha256}; none: nobody may call."
    )
    token: str = Field(default="", repr=False, description="The bearer token that this process calls others with.")
    store_url: str = Field(default="", description="Evidence store: file:///folder or s3://bucket/prefix.")
    data_dir: Path | None = Field(default=None, description="Folder for what must survive a restart (keys, indexes).")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged.")


def _named_file() -> Path | None:
    name = os.environ.get(f"{ENV_PREFIX}SETTINGS")
    return Path(name) if name else None


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"settings file {path}: {error.strerror} found, a readable file expected; set LAMPLIGHT_SETTINGS"
        raise SettingsError(message) from error
    except YAMLError as error:
        message = f"settings file {path}: not YAML ({error}); mend the file"
        raise SettingsError(message) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        message = f"settings file {path}: {type(content).__name__} found, a mapping of names to values expected"
        raise SettingsError(message)
    return content


def _explain(error: ValidationError, path: Path | None) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        name = ".".join(str(part) for part in problem["loc"])
        where = f"{ENV_PREFIX}{name.upper()}" + (f" or {name} in {path}" if path else "")
        found = "nothing" if problem["type"] == "missing" else repr(problem.get("input"))
        found = "***" if "token" in name or "secret" in name else found
        lines.append(f"setting {name}: {found} found, {problem['msg']}; set {where}")
    return "\n".join(lines)
