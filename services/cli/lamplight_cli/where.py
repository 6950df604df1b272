"""Where the system is that a command speaks to: a running `lamplight up`, or the servers that the environment names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lamplight_kit.errors import SettingsError
from lamplight_kit.settings import Settings
from pydantic import Field

from lamplight_cli.running.folder import Folder

DEFAULT_FOLDER = Path(".lamplight")


class CliSettings(Settings):
    """What a command is told by the environment; each wins over the running `lamplight up`."""

    data: Path = Field(default=DEFAULT_FOLDER, description="Folder of the `lamplight up` that is meant.")
    kafka_bootstrap_servers: str = Field(default="", description="Kafka's addresses; none: as `lamplight up` says.")
    kafka_security: dict[str, str] = Field(
        default_factory=dict, description="Further options of kafka-python's clients."
    )
    namespace: str = Field(default="", description="Prefix of every topic; none: as `lamplight up` says.")
    milvus_uri: str = Field(default="", description="A Milvus that `lamplight up` is to use instead of its own.")
    token: str = Field(default="", repr=False, description="The bearer token of the caller.")
    things_model: str = Field(default="", description="Manifest of the detector, in place of the default one.")
    faces_model: str = Field(default="", description="Manifest of the faces' model, in place of the default one.")
    embedder: str = Field(default="", description="Manifest of the encoder, in place of the default one.")
    detect_address: str = Field(default="", description="host:port of detect's calls.")
    ingest_address: str = Field(default="", description="host:port of ingest's calls.")
    match_address: str = Field(default="", description="host:port of match's calls.")
    alert_address: str = Field(default="", description="host:port of alert's calls.")


@dataclass(frozen=True)
class Where:
    """A system's addresses; a name that is missing is only missed when it is asked for."""

    kafka: str
    namespace: str
    token: str
    services: Mapping[str, str]
    kafka_security: Mapping[str, str]

    def service(self, name: str) -> str:
        """Return host:port of a service's calls; `SettingsError` where it is not known."""
        address = self.services.get(name, "")
        if not address:
            message = f"address of {name}: nothing found, host:port expected; set LAMPLIGHT_{name.upper()}_ADDRESS"
            raise SettingsError(message)
        return address


def where_of(folder: Folder, settings: CliSettings | None = None) -> Where:
    """Return where the system of `folder` is, less what `settings` say otherwise.

    Raises `NotRunningError` where nothing runs on the folder and the settings name no Kafka.
    """
    told = settings or CliSettings(data=folder.path)
    state = {"services": {}} if told.kafka_bootstrap_servers else folder.read_state()
    named = {name: str(getattr(told, f"{name}_address")) for name in ("detect", "ingest", "match", "alert")}
    token_file = state.get("token_file")
    return Where(
        kafka=told.kafka_bootstrap_servers or str(state["kafka"]),
        namespace=told.namespace or str(state.get("namespace", "lamplight")),
        token=told.token or (Path(token_file).read_text(encoding="utf-8").strip() if token_file else ""),
        services={**state["services"], **{name: address for name, address in named.items() if address}},
        kafka_security=told.kafka_security,
    )
