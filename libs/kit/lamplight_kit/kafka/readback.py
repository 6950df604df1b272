"""State read back: the live records of state topics' partitions, up to the end that anyone may have written to.

The end is the read_uncommitted one, the records are read_committed: so a transaction that a dead or slow member left
open is waited for, and is either in the state or aborted, never half-known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaTimeoutError

from lamplight_kit.kafka.codec import decode
from lamplight_kit.kafka.settings import TRANSACTION_TIMEOUT_MS, BusSettings, client_options, consumer_options
from lamplight_kit.kafka.types import Record

_POLL_MS = 200
_STALL_S = 2 * TRANSACTION_TIMEOUT_MS / 1000  # an open transaction is aborted by then


def read_back(
    bus: BusSettings, stage: str, topics: Sequence[str], partitions: Sequence[int], stopping: Callable[[], bool]
) -> Mapping[int, Sequence[Record]]:
    """Return, for each partition number, the live records of all `topics`, oldest first within each.

    Raises kafka-python's errors, and `KafkaTimeoutError` when nothing moves for 40 s or `stopping` says so.
    """
    if not topics or not partitions:
        return {partition: [] for partition in partitions}
    wanted = [TopicPartition(bus.wire_topic(topic), partition) for topic in topics for partition in partitions]
    with closing(KafkaConsumer(**consumer_options(bus, f"{stage}.readback"))) as consumer:
        consumer.assign(wanted)
        consumer.seek_to_beginning()
        live = _read(bus, consumer, _ends(bus, stage, wanted), stopping)
    found: dict[int, list[Record]] = {partition: [] for partition in partitions}
    for place in wanted:
        found[place.partition] += sorted(live[place].values(), key=lambda record: record.offset)
    return found


def _ends(bus: BusSettings, stage: str, wanted: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    with closing(KafkaAdminClient(**client_options(bus, f"{stage}.ends"))) as admin:
        ends = admin.list_partition_offsets(dict.fromkeys(wanted, OffsetSpec.LATEST))
    return {place: end.offset for place, end in ends.items()}


def _read(
    bus: BusSettings, consumer: KafkaConsumer, ends: Mapping[TopicPartition, int], stopping: Callable[[], bool]
) -> dict[TopicPartition, dict[str, Record]]:
    live: dict[TopicPartition, dict[str, Record]] = {place: {} for place in ends}
    missing = dict(ends)
    moved_at = time.monotonic()
    while missing:
        polled = consumer.poll(timeout_ms=_POLL_MS)
        for place, raws in polled.items():
            for raw in raws:
                record = decode(raw, bus.logical_topic(place.topic))
                if record.message is None:
                    live[place].pop(record.key, None)
                else:
                    live[place][record.key] = record
        left = {place: end for place, end in missing.items() if (consumer.position(place, _POLL_MS) or 0) < end}
        if polled or len(left) < len(missing):
            moved_at = time.monotonic()
        elif stopping() or time.monotonic() - moved_at > _STALL_S:
            text = f"state not read back, at {sorted(left)}: stopped, or nothing came for {_STALL_S:.0f} s"
            raise KafkaTimeoutError(text)
        missing = left
    return live


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
