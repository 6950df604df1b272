"""The first stage: commands of rules and destinations become their tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

from lamplight.command.v1 import command_pb2
from lamplight.rule.v1 import rule_pb2
from lamplight_kit.kafka.types import Outgoing, Record

_Kept = TypeVar("_Kept", rule_pb2.Rule, rule_pb2.Destination)
_TABLES = {
    "apply_rule": "rules",
    "remove_rule_id": "rules",
    "apply_destination": "destinations",
    "remove_destination_id": "destinations",
}


class RulesHandler:
    """Applies the commands that are alert's own; ignores the others'."""

    def __init__(self) -> None:
        """Start with nothing kept."""
        self._kept: dict[int, dict[tuple[str, str], rule_pb2.Rule | rule_pb2.Destination]] = {}

    def restore(self, partition: int, records: Sequence[Record]) -> None:
        """Take back the rules and destinations of `partition`."""
        kept: dict[tuple[str, str], rule_pb2.Rule | rule_pb2.Destination] = {}
        for record in records:
            if record.message is None:
                kept.pop((record.topic, record.key), None)
            else:
                kept[record.topic, record.key] = cast("rule_pb2.Rule | rule_pb2.Destination", record.message)
        self._kept[partition] = kept

    def forget(self, partition: int) -> None:
        """Drop what is kept of `partition`."""
        self._kept.pop(partition, None)

    def handle(self, batch: Sequence[Record]) -> Sequence[Outgoing]:
        """Return the table records that the commands make, in order."""
        return [
            out
            for record in batch
            if record.message is not None
            for out in self._handle(record.partition, cast("command_pb2.Command", record.message))
        ]

    def _handle(self, partition: int, command: command_pb2.Command) -> Sequence[Outgoing]:
        what = command.WhichOneof("what") or ""
        table = _TABLES.get(what)
        if table is None:
            return ()
        kept = self._kept.setdefault(partition, {})
        if what.startswith("remove"):
            key = (table, getattr(command, what))
            return () if kept.pop(key, None) is None else (Outgoing(*key, None, partition),)
        given = getattr(command, what)
        key = (table, given.id)
        after = _next(given, kept.get(key), command.command_id)
        if after is None:
            return ()
        kept[key] = after
        return (Outgoing(*key, after, partition),)


def _next(given: _Kept, before: _Kept | None, command_id: str) -> _Kept | None:
    """Return `given` with its version, which counts changes only; None where this command was applied before."""
    if before is not None and before.last_command_id == command_id:
        return None
    after = type(given)()
    after.CopyFrom(given)
    after.version = before.version if before is not None else 0
    after.last_command_id = before.last_command_id if before is not None else ""
    if after != before:
        after.version += 1
    after.last_command_id = command_id
    return after
