"""Alert's stages in one process, without a bus: for rehearsals over files, where nothing is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from google.protobuf.message import Message
from lamplight_kit.kafka.types import Handler, Outgoing, Record


class Keyed(Protocol):
    """Configuration with an id."""

    @property
    def id(self) -> str:
        """What its table knows it by."""
        ...


class FixedTable:
    """A table that never changes."""

    def __init__(self, rows: Iterable[Keyed]) -> None:
        """Keep `rows` by id."""
        self._rows: dict[str, Message] = {row.id: row for row in rows if isinstance(row, Message)}

    def get(self, key: str) -> Message | None:
        """Return the row of `key`, or None."""
        return self._rows.get(key)

    def items(self) -> Mapping[str, Message]:
        """Return every row."""
        return dict(self._rows)

    def wait_ready(self, timeout_s: float) -> bool:  # noqa: ARG002 - there is nothing to wait for
        """Say that all is there."""
        return True


class LocalAlert:
    """Conditions and incidents in a row: records of `observations` and `matches` in, records of `alerts` out."""

    def __init__(self, conditions: Handler, incidents: Handler, warnings: Sequence[str] = ()) -> None:
        """Chain the two handlers; `warnings` are what the caller should know of its rules."""
        self._conditions = conditions
        self._incidents = incidents
        self.warnings = tuple(warnings)
        self._told = 0

    def restore(self, partition: int, records: Sequence[Record]) -> None:
        """Start anew: nothing is kept between runs."""

    def forget(self, partition: int) -> None:
        """Keep all: one process holds everything."""

    def handle(self, batch: Sequence[Record]) -> Sequence[Outgoing]:
        """Return the alerts, in order, as CloudEvents (JSON bytes) on the topic `alerts`."""
        changed = [out for out in self._conditions.handle(batch) if out.topic == "conditions"]
        told = self._incidents.handle([self._record(out) for out in changed])
        return [out for out in told if out.topic == "alerts"]

    def _record(self, out: Outgoing) -> Record:
        self._told += 1
        message = out.message if isinstance(out.message, Message) else None
        return Record(out.topic, 0, self._told, out.key, message)
