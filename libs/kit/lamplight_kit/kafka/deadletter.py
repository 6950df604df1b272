"""Dead letters: what can never be handled, as it was, with headers that say why; to be looked at, replayed, dropped.

A dropped letter, and a replayed one, is struck out by a small record on the same topic (header `dead-settles`), so
that what is listed is what still waits, on any machine, and what happened to each stays readable until retention.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from lamplight_kit.errors import BadInput, Problem
from lamplight_kit.kafka.batch import Dead
from lamplight_kit.kafka.codec import Wire
from lamplight_kit.kafka.producer import TransactionalProducer
from lamplight_kit.kafka.settings import BusSettings, consumer_options

PREFIX = "dead-"
SETTLES = "dead-settles"
_WAIT_MS = 200


@dataclass(frozen=True)
class Letter:
    """One dead letter: `letter_id` is its `partition-offset` on the dead-letter topic; the rest is its source."""

    letter_id: str
    stage: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str]
    error: str
    attempts: int
    at_ms: int


def letter_wire(bus: BusSettings, deadletter: str, stage: str, dead: Dead) -> Wire:
    """Return the dead-letter record of `dead`: its own bytes and headers, and why."""
    raw = dead.raw
    why = {
        "stage": stage,
        "error": dead.error,
        "attempts": str(dead.attempts),
        "topic": bus.logical_topic(raw.topic),
        "partition": str(raw.partition),
        "offset": str(raw.offset),
    }
    headers = [(name, value) for name, value in raw.headers if not name.startswith(PREFIX)]
    headers += [(PREFIX + name, text.encode()) for name, text in why.items()]
    # A tombstone is a record of its own here, never a removal: the topic is not compacted.
    return Wire(deadletter, None, raw.key, raw.value if raw.value is not None else b"", headers)


def list_letters(bus: BusSettings, deadletter: str) -> Sequence[Letter]:
    """Return the letters of the logical topic `deadletter` that still wait, oldest first."""
    raws = _read_all(bus, deadletter)
    settled = {value.decode() for raw in raws for name, value in raw.headers if name == SETTLES}
    letters = [_letter(raw) for raw in raws if not any(name == SETTLES for name, _ in raw.headers)]
    return [letter for letter in letters if letter.letter_id not in settled]


def show_letter(bus: BusSettings, deadletter: str, letter_id: str) -> Letter:
    """Return one letter. Raises `BadInput` when no such letter waits."""
    for letter in list_letters(bus, deadletter):
        if letter.letter_id == letter_id:
            return letter
    problem = Problem("letter", letter_id, f"a letter that waits on {deadletter}", "list them first")
    raise BadInput((problem,))


def drop_letter(bus: BusSettings, deadletter: str, letter_id: str) -> Letter:
    """Strike a letter out; its record stays readable until retention. Raises `BadInput`."""
    letter = show_letter(bus, deadletter, letter_id)
    _settle(bus, deadletter, letter, [])
    return letter


def replay_letter(bus: BusSettings, deadletter: str, letter_id: str) -> Letter:
    """Write the original record back to its source partition, and strike the letter out, as one. Raises `BadInput`."""
    letter = show_letter(bus, deadletter, letter_id)
    headers = [(name, text.encode()) for name, text in letter.headers.items()]
    original = Wire(letter.topic, letter.partition, letter.key, letter.value, headers)
    _settle(bus, deadletter, letter, [original])
    return letter


def _settle(bus: BusSettings, deadletter: str, letter: Letter, wires: Sequence[Wire]) -> None:
    settled = Wire(deadletter, None, letter.letter_id.encode(), b"", [(SETTLES, letter.letter_id.encode())])
    producer = TransactionalProducer(bus, f"deadletter-{uuid.uuid4().hex[:8]}")
    try:
        producer.transact([*wires, settled], {}, None)
    finally:
        producer.discard()


def _letter(raw: Any) -> Letter:
    headers = {name: value.decode(errors="replace") for name, value in raw.headers}
    why = {name.removeprefix(PREFIX): text for name, text in headers.items() if name.startswith(PREFIX)}
    return Letter(
        letter_id=f"{raw.partition}-{raw.offset}",
        stage=why.get("stage", ""),
        topic=why.get("topic", ""),
        partition=int(why.get("partition", -1)),
        offset=int(why.get("offset", -1)),
        key=raw.key,
        value=raw.value or None,
        headers={name: text for name, text in headers.items() if not name.startswith(PREFIX)},
        error=why.get("error", ""),
        attempts=int(why.get("attempts", 0)),
        at_ms=raw.timestamp,
    )


def _read_all(bus: BusSettings, topic: str) -> Sequence[Any]:
    name = bus.wire_topic(topic)
    found: list[Any] = []
    with closing(KafkaConsumer(**consumer_options(bus, "deadletter"))) as consumer:
        places = [TopicPartition(name, partition) for partition in consumer.partitions_for_topic(name)]
        consumer.assign(places)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(places)
        while any((consumer.position(place) or 0) < end for place, end in ends.items()):
            for raws in consumer.poll(timeout_ms=_WAIT_MS).values():
                found += raws
    return sorted(found, key=lambda raw: (raw.timestamp, raw.partition, raw.offset))
