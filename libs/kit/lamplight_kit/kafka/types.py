"""What the bus loop and its handlers say to each other; importable without Kafka.

The same handler runs under Kafka (`lamplight_kit.kafka.stage`) and in one process over files (the command
`lamplight watch`): it takes records, returns records, and has no other effect that cannot be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from google.protobuf.message import Message

MAJOR = "1"
HEADER_TYPE = "type"
HEADER_MAJOR = "major"
HEADER_TRACE = "traceparent"


@dataclass(frozen=True)
class Record:
    """One record read from a topic; `topic` is the logical name (`observations`), without the namespace.

    `message` is None for a tombstone (a compacted key that was removed). `headers` hold text.
    """

    topic: str
    partition: int
    offset: int
    key: str
    message: Message | None
    timestamp_ms: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outgoing:
    """One record to write.

    A proto message is serialised and its type named in the headers; bytes go as they are (`alerts`: CloudEvents
    JSON); None is a tombstone. Without `partition` the key decides (murmur2, as Java's client); a Tick has no key
    and names its partition.
    """

    topic: str
    key: str
    message: Message | bytes | None
    partition: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Handler(Protocol):
    """A stage's work: records in, records out, all state rebuilt from its state topics.

    Called from one thread. `handle` may be called again with the same records after `forget` and `restore`: its
    effects outside (a picture stored, a vector upserted) must bear repetition.
    """

    def restore(self, partition: int, records: Sequence[Record]) -> None:
        """Take back the state of `partition`: the live records of every state topic, oldest first."""
        ...

    def forget(self, partition: int) -> None:
        """Drop all state of `partition`: it went to another member, or a transaction failed."""
        ...

    def handle(self, batch: Sequence[Record]) -> Sequence[Outgoing]:
        """Do the work of `batch` (in offset order within each partition) and return what to write.

        State changes are returned as records of the state topics, committed with the rest.
        Raises `Skip`, `Retry` or `Refuse` of `lamplight_kit.errors`.
        """
        ...


class Outbox(Protocol):
    """Where a stage without an input topic (ingest, detect) puts its records; never blocks."""

    def put(self, records: Sequence[Outgoing]) -> None:
        """Queue `records`, committed together in one short transaction soon; the oldest drop past the bound."""
        ...


class TableView(Protocol):
    """All of a compacted topic, kept current."""

    def get(self, key: str) -> Message | None:
        """The latest value of `key`, or None."""
        ...

    def items(self) -> Mapping[str, Message]:
        """A copy of every live key and value."""
        ...

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until all that was there at the start has been read; False when `timeout_s` passed first."""
        ...
