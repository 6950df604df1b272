"""Typed settings: the only place that reads the environment.

A service subclasses `ServiceSettings`, documents each field, and calls `load`: a YAML file first, the environment
(`LAMPLIGHT_…`) over it. What is missing or wrong stops the start with its name.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self

from lamplight_contracts.secrets import scrub
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableValue
from ruamel.yaml.error import YAMLError

from lamplight_kit import user_yaml
from lamplight_kit.errors import SettingsError
from lamplight_kit.kafka.settings import BusSettings

ENV_PREFIX = "LAMPLIGHT_"
_SECRET = re.compile("token|secret|pass|security")
_ALIKE = 0.88


class Settings(BaseSettings):
    """Frozen settings of a process; unknown names in a file are errors, in the environment they are others'."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    @classmethod
    def load(cls, file: Path | None = None) -> Self:
        """Read `file` (or the one that LAMPLIGHT_SETTINGS names), then the environment over it.

        Raises `SettingsError` naming every setting that is missing, wrong or unknown, where it was looked for (the line
        in the file), the cure, and variables of the environment that look like misspelt settings.
        """
        file = file or _named_file()
        given, lines = _read(file) if file else ({}, {})
        known = set(cls.model_fields)
        problems = [_unknown(f"{file}:{lines[name]}", name, known) for name in given if name not in known]
        in_environment = {name for name in known if f"{ENV_PREFIX}{name.upper()}" in os.environ}
        try:
            settings = cls(**{name: given[name] for name in given if name in known - in_environment})
        except ValidationError as error:
            places = {name: f"{file}:{line}" for name, line in lines.items() if name not in in_environment}
            problems += _explain(error, file, places)
        except UnreadableValue as error:
            problems.append(f"{error} found, JSON expected; mend the variable of the environment")
        if problems:
            raise SettingsError("\n".join([*problems, *_misspelt(known)]))
        return settings

    @classmethod
    def among(cls, **told: Any) -> Self:
        """Read what `told` leaves open, for a process that shares its file (LAMPLIGHT_SETTINGS) with others.

        Names in the file that are not ours are others'. Raises `SettingsError` as `load` does.
        """
        file = _named_file()
        given = _read(file)[0] if file else {}
        ours = {name for name in cls.model_fields if f"{ENV_PREFIX}{name.upper()}" not in os.environ}
        try:
            return cls(**{**{name: given[name] for name in given if name in ours}, **told})
        except ValidationError as error:
            raise SettingsError("\n".join(_explain(error, file, {}))) from None
        except UnreadableValue as error:
            message = f"{error} found, JSON expected; mend the variable of the environment"
            raise SettingsError(message) from None


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


def _read(path: Path) -> tuple[Mapping[str, Any], Mapping[str, int]]:
    """Return the settings of a file, and their lines from 1."""
    try:
        text = path.read_text(encoding="utf-8")
        content, marked = user_yaml.load(text, "safe"), user_yaml.load(text)
    except OSError as error:
        message = f"settings file {path}: {error.strerror} found, a readable file expected; set LAMPLIGHT_SETTINGS"
        raise SettingsError(message) from error
    except UnicodeDecodeError as error:
        message = f"settings file {path}: byte {error.start} is not UTF-8 text; save the file as UTF-8"
        raise SettingsError(message) from None
    except YAMLError as error:
        message = f"settings file {path}: not YAML ({scrub(str(error))}); mend the file"
        raise SettingsError(message) from None
    if content is None:
        return {}, {}
    if not isinstance(content, dict):
        message = f"settings file {path}: {type(content).__name__} found, a mapping of names to values expected"
        raise SettingsError(message)
    lines = {str(name): place[0] + 1 for name, place in (marked.lc.data or {}).items()}
    named = {str(name): value for name, value in content.items()}
    return named, {name: lines.get(name, 1) for name in named}


def _unknown(where: str, name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, sorted(known), 1)
    cure = f"did you mean {near[0]}?" if near else "remove it"
    return f"{where}: setting {scrub(name, whole=True)} found, one of {', '.join(sorted(known))} expected; {cure}"


def _explain(error: ValidationError, file: Path | None, places: Mapping[str, str]) -> list[str]:
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        name = ".".join(str(part) for part in problem["loc"])
        setting = str(problem["loc"][0]) if problem["loc"] else ""
        place = f"{places[setting]}: " if setting in places else ""
        where = f"{ENV_PREFIX}{setting.upper()}" + (f" or {name} in {file}" if file else "")
        found = "nothing" if problem["type"] == "missing" else scrub(repr(problem.get("input")), whole=True)
        found = "***" if _SECRET.search(name) else found
        lines.append(f"{place}setting {name}: {found} found, {problem['msg']}; set {where}")
    return lines


def _misspelt(known: Collection[str]) -> list[str]:
    """Return what may be the cause: the environment is shared, so that a name alone is no error."""
    names = {f"{ENV_PREFIX}{name.upper()}" for name in known}
    others = sorted(name for name in os.environ if name.startswith(ENV_PREFIX) and name not in names)
    near = [(name, get_close_matches(name, sorted(names), 1, _ALIKE)) for name in others]
    return [f"{name} is set and is no setting here; did you mean {found[0]}?" for name, found in near if found]
