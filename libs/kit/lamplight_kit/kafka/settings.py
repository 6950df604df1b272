"""Where the bus is and who speaks on it, and what every Kafka client here is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lamplight_kit.errors import SettingsError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")

# Well under the broker's defaults, so that a takeover is done in seconds: nobody reads past an open transaction, and
# nobody gets a dead member's partitions before its session has ended.
SESSION_TIMEOUT_MS = 10_000
HEARTBEAT_MS = 2_000
# A transaction is open while a batch is written, and no longer; one that a dead process left open keeps everybody from
# the state behind it for so long, beside what the broker takes to look for it. As long as its session, which ends then.
TRANSACTION_TIMEOUT_MS = SESSION_TIMEOUT_MS
DELIVERY_TIMEOUT_MS = 15_000
REQUEST_TIMEOUT_MS = 10_000
COMMIT_WAIT_S = 25.0
MAX_REQUEST_BYTES = 4 * 1024 * 1024
FETCH_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class BusSettings:
    """One process's place on the bus.

    `namespace` stands before every topic's name; `member` is this replica's own name, stable over restarts (a pod's
    name in a StatefulSet), since a member that comes back within 10 s keeps its partitions. `security` is passed to
    kafka-python as it is (`security_protocol`, `ssl_cafile`, `sasl_mechanism` …): name files rather than an
    `ssl_context`, so that a renewed certificate is read when clients are rebuilt. `partitions` overrides the numbers
    of `topics.yaml` by group (`camera`: 128).
    """

    bootstrap_servers: str
    namespace: str
    member: str
    security: Mapping[str, Any] = field(default_factory=dict)
    partitions: Mapping[str, int] = field(default_factory=dict)
    max_batch: int = 500

    def __post_init__(self) -> None:
        for name, value in (("namespace", self.namespace), ("member", self.member)):
            if not _NAME.fullmatch(value):
                setting = f"LAMPLIGHT_{name.upper()}"
                text = f"{name} {value!r} found, letters, digits, - and _ (at most 63) expected; set {setting}"
                raise SettingsError(text)

    def wire_topic(self, topic: str) -> str:
        """Return the name on the broker of a logical topic."""
        return f"{self.namespace}.{topic}"

    def logical_topic(self, wire_topic: str) -> str:
        """Return the logical name of a topic on the broker."""
        return wire_topic.removeprefix(f"{self.namespace}.")

    def group(self, stage: str) -> str:
        """Return the consumer group of a stage."""
        return f"{self.namespace}.{stage}"

    def transactional_id(self, stage: str) -> str:
        """Return the name under which this member's producer is fenced."""
        return f"{self.namespace}.{stage}.{self.member}"


def client_options(bus: BusSettings, role: str) -> dict[str, Any]:
    """Return what every client is told; `role` shows in the broker's logs."""
    return {
        "bootstrap_servers": bus.bootstrap_servers,
        "client_id": f"{bus.namespace}.{role}.{bus.member}",
        "reconnect_backoff_max_ms": 1_000,  # the default of 30 s would outlast most outages
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "bootstrap_timeout_ms": REQUEST_TIMEOUT_MS,
        **bus.security,
    }


def consumer_options(bus: BusSettings, role: str) -> dict[str, Any]:
    """Return what every consumer is told: the defaults are read_uncommitted, latest, and commits by itself."""
    return {
        **client_options(bus, role),
        "isolation_level": "read_committed",
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "allow_auto_create_topics": False,
        "metrics_enabled": False,
        "fetch_max_bytes": FETCH_BYTES,
        "metadata_max_age_ms": 60_000,
    }


def producer_options(bus: BusSettings, role: str, transactional_id: str) -> dict[str, Any]:
    """Return what every producer is told; all of them are transactional."""
    return {
        **client_options(bus, role),
        "transactional_id": transactional_id,
        "transaction_timeout_ms": TRANSACTION_TIMEOUT_MS,
        "delivery_timeout_ms": DELIVERY_TIMEOUT_MS,
        "max_block_ms": DELIVERY_TIMEOUT_MS,
        "retry_backoff_ms": 5,  # it is also the step in which the client waits for a transaction: 10 ms instead of 60
        "linger_ms": 20,  # a batch is flushed as soon as it is whole
        "batch_size": 128 * 1024,
        "max_request_size": MAX_REQUEST_BYTES,
        "allow_auto_create_topics": False,
        "metrics_enabled": False,
        "metadata_max_age_ms": 60_000,
    }
