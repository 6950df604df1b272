"""What a stage's log says of a batch: a canonical line for each key that something came of, up to a bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lamplight_kit.kafka.codec import Wire
from lamplight_kit.kafka.types import HEADER_TRACE, Record

MOST_LINES = 20
"""Of a larger batch the line of the batch alone tells: lines cost as much as the messages."""


def effect_lines(records: Sequence[Record], wires: Sequence[Wire]) -> Iterator[Mapping[str, Any]]:
    """Yield a line's fields for each key with effects: what was written for it, and the last record of it, if any.

    Nothing where there are more than MOST_LINES keys.
    """
    written: dict[str, list[Wire]] = {}
    for wire in wires:
        written.setdefault((wire.key or b"").decode(), []).append(wire)
    if len(written) > MOST_LINES:
        return
    last = {record.key: record for record in records}
    for key, of_key in written.items():
        line: dict[str, Any] = {"key": key, "effects": dict.fromkeys(wire.topic for wire in of_key)}
        line["effects"] = {topic: sum(wire.topic == topic for wire in of_key) for topic in line["effects"]}
        record = last.get(key) or (records[-1] if len(records) == 1 else None)
        if record is not None:
            line |= {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        trace = next((text for name, text in of_key[-1].headers if name == HEADER_TRACE), b"").decode().split("-")
        yield line if len(trace) < 2 else {**line, "trace_id": trace[1]}
