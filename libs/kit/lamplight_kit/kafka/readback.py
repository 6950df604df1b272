"""State read back: the live records of state topics' partitions, up to the end that anyone may have written to.

The end is the read_uncommitted one, the records are read_committed: so a transaction that a dead or slow member left
open is waited for, and is either in the state or aborted, never half-known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaTimeoutError

from lamplight_kit.kafka.codec import UndecodableError, UnknownMajorError, decode
from lamplight_kit.kafka.settings import TRANSACTION_TIMEOUT_MS, BusSettings, client_options, consumer_options
from lamplight_kit.kafka.types import Record

_POLL_MS = 200
_STALL_S = 4 * TRANSACTION_TIMEOUT_MS / 1000  # an open transaction is aborted by then, by a slow broker too


@dataclass
class State:
    """What the state topics hold of one partition: live `records`, and why others cannot be read by this release."""

    records: list[Record] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def read_back(
    bus: BusSettings,
    stage: str,
    topics: Mapping[str, str],
    partitions: Sequence[int],
    stopping: Callable[[], bool],
) -> Mapping[int, State]:
    """Return, for each partition number, the live records of all `topics`, oldest first within each.

    `topics` are logical names, each with the full name of its message ("": any). What cannot be read counts only
    while it is live: a later value or removal of its key makes it good.

    Raises kafka-python's errors, and `KafkaTimeoutError` when nothing moves for 40 s or `stopping` says so.
    """
    if not topics or not partitions:
        return {partition: State() for partition in partitions}
    wanted = [TopicPartition(bus.wire_topic(topic), partition) for topic in topics for partition in partitions]
    with closing(KafkaConsumer(**consumer_options(bus, f"{stage}.readback"))) as consumer:
        consumer.assign(wanted)
        consumer.seek_to_beginning()
        live = _read(bus, consumer, topics, _ends(bus, stage, wanted), stopping)
    found = {partition: State() for partition in partitions}
    for place in wanted:
        state, kept = found[place.partition], live[place].values()
        state.records += sorted((one for one in kept if isinstance(one, Record)), key=lambda record: record.offset)
        state.unreadable += [one for one in kept if isinstance(one, str)]
    return found


def _ends(bus: BusSettings, stage: str, wanted: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    with closing(KafkaAdminClient(**client_options(bus, f"{stage}.ends"))) as admin:
        ends = admin.list_partition_offsets(dict.fromkeys(wanted, OffsetSpec.LATEST))
    return {place: end.offset for place, end in ends.items()}


def _read(
    bus: BusSettings,
    consumer: KafkaConsumer,
    kinds: Mapping[str, str],
    ends: Mapping[TopicPartition, int],
    stopping: Callable[[], bool],
) -> dict[TopicPartition, dict[bytes, Record | str]]:
    live: dict[TopicPartition, dict[bytes, Record | str]] = {place: {} for place in ends}
    missing = dict(ends)
    moved_at = time.monotonic()
    while missing:
        polled = consumer.poll(timeout_ms=_POLL_MS)
        for place, raws in polled.items():
            for raw in raws:
                _keep(live[place], raw, bus.logical_topic(place.topic), kinds)
        left = {place: end for place, end in missing.items() if (consumer.position(place, _POLL_MS) or 0) < end}
        if polled or len(left) < len(missing):
            moved_at = time.monotonic()
        elif stopping() or time.monotonic() - moved_at > _STALL_S:
            text = f"state not read back, at {sorted(left)}: stopped, or nothing came for {_STALL_S:.0f} s"
            raise KafkaTimeoutError(text)
        missing = left
    return live


def _keep(live: dict[bytes, Record | str], raw: Any, topic: str, kinds: Mapping[str, str]) -> None:
    key = raw.key or b""
    if raw.value is None:
        live.pop(key, None)
        return
    try:
        live[key] = decode(raw, topic, kinds[topic])
    except (UnknownMajorError, UndecodableError) as error:
        live[key] = str(error)


def read_range(
    bus: BusSettings, stage: str, place: TopicPartition, start: int, end: int, stopping: Callable[[], bool]
) -> Sequence[Any]:
    """Return the consumed records of `place` from offset `start` up to, not with, `end`. Raises as `read_back` does."""
    found: list[Any] = []
    moved_at = time.monotonic()
    with closing(KafkaConsumer(**consumer_options(bus, f"{stage}.range"))) as consumer:
        consumer.assign([place])
        consumer.seek(place, start)
        while (consumer.position(place, _POLL_MS) or 0) < end:
            raws = consumer.poll(timeout_ms=_POLL_MS).get(place, [])
            found += [raw for raw in raws if raw.offset < end]
            if raws:
                moved_at = time.monotonic()
            elif stopping() or time.monotonic() - moved_at > _STALL_S:
                text = f"{place} not read up to {end}: stopped, or nothing came for {_STALL_S:.0f} s"
                raise KafkaTimeoutError(text)
    return found
