"""What runs: Milvus and every service, each a process with its own ports, folder and environment."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lamplight_cli.running.process import Specification

SERVICES = ("detect", "ingest", "embed", "match", "alert", "console")
"""In the order in which they drain backwards: who asks before who answers."""
WITH_API = ("detect", "ingest", "match", "alert")
MILVUS = "milvus"
MILVUS_PROGRAM = "lamplight_match.local_milvus"


@dataclass(frozen=True)
class Around:
    """What every process is told of the system it is in."""

    folder: Path
    kafka: str
    namespace: str
    milvus_uri: str
    models: Path
    service_token: str
    ports: Mapping[str, int]


def port_names(*, own_milvus: bool) -> Sequence[str]:
    """Return the name of every port that is wanted."""
    apis = [f"{name}.grpc" for name in WITH_API]
    health = [f"{name}.http" for name in SERVICES]
    milvus = [f"{MILVUS}.grpc", f"{MILVUS}.http"] if own_milvus else []
    return [*apis, *health, "console.page", *milvus]


def installed(module: str) -> bool:
    """Tell whether `module` can be run here."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def services(around: Around) -> Sequence[Specification]:
    """Return what to run of each service that is installed."""
    return [
        _specification(name, ["-m", f"lamplight_{name}"], _service_environment(name, around), around)
        for name in SERVICES
        if installed(f"lamplight_{name}.__main__")
    ]


def milvus(around: Around) -> Specification:
    """Return what to run of Milvus Lite, behind a server of its own."""
    listens = {
        "LAMPLIGHT_MILVUS_LISTEN": f"127.0.0.1:{around.ports[f'{MILVUS}.grpc']}",
        "LAMPLIGHT_HTTP_LISTEN": f"127.0.0.1:{around.ports[f'{MILVUS}.http']}",
        "LAMPLIGHT_DATA_DIR": str(around.folder / MILVUS),
    }
    return _specification(MILVUS, ["-m", MILVUS_PROGRAM], listens, around)


def _specification(name: str, program: Sequence[str], environment: Mapping[str, str], around: Around) -> Specification:
    log = around.folder / "logs" / f"{name}.log"
    return Specification(name, [sys.executable, *program], environment, log, around.ports[f"{name}.http"])


def _service_environment(name: str, around: Around) -> Mapping[str, str]:
    own = around.folder / name
    own.mkdir(parents=True, exist_ok=True, mode=0o700)
    environment = {
        "LAMPLIGHT_KAFKA_BOOTSTRAP_SERVERS": around.kafka,
        "LAMPLIGHT_NAMESPACE": around.namespace,
        "LAMPLIGHT_REPLICA": f"{name}-0",
        "LAMPLIGHT_HTTP_LISTEN": f"127.0.0.1:{around.ports[f'{name}.http']}",
        "LAMPLIGHT_TOKENS_FILE": str(around.folder / "tokens.yaml"),
        "LAMPLIGHT_TOKEN": around.service_token,
        "LAMPLIGHT_STORE_URL": (around.folder / "evidence").as_uri(),
        "LAMPLIGHT_DATA_DIR": str(own),
        "LAMPLIGHT_MILVUS_URI": around.milvus_uri,
        "LAMPLIGHT_MODELS": str(around.models),
        **{f"LAMPLIGHT_{other.upper()}_ADDRESS": f"127.0.0.1:{around.ports[f'{other}.grpc']}" for other in WITH_API},
    }
    if name in WITH_API:
        environment["LAMPLIGHT_GRPC_LISTEN"] = f"127.0.0.1:{around.ports[f'{name}.grpc']}"
    if name == "ingest":
        # Whoever may call on this machine is its user, who may read these files and reach these addresses anyway.
        environment |= {"LAMPLIGHT_FILE_ROOTS": "/", "LAMPLIGHT_ALLOW_LOOPBACK": "true"}
    if name == "console":
        environment["LAMPLIGHT_PAGE_LISTEN"] = f"127.0.0.1:{around.ports['console.page']}"
    return environment
