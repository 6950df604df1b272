"""A polled batch: what can be handled, what can never be, and where a partition has to wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import TopicPartition

from lamplight_kit.kafka.codec import UndecodableError, UnknownMajorError, decode
from lamplight_kit.kafka.settings import BusSettings
from lamplight_kit.kafka.types import Record


@dataclass(frozen=True)
class Dead:
    """A record on its way to the dead-letter topic, with the reason and how often it was tried."""

    raw: Any
    error: str
    attempts: int


@dataclass(frozen=True)
class Batch:
    """`records` in offset order within each partition; `ends` is the offset after the last one taken of each place.

    `blocked` are places whose next record is of an unknown major: nothing of it or after it is in the batch.
    """

    records: Sequence[Record]
    dead: Sequence[Dead]
    ends: Mapping[TopicPartition, int]
    blocked: Mapping[TopicPartition, tuple[int, UnknownMajorError]]


def read_batch(bus: BusSettings, polled: Mapping[TopicPartition, Sequence[Any]], kinds: Mapping[str, str]) -> Batch:
    """Decode what was polled; what is not of its topic's message (`kinds_of`) is dead."""
    records: list[Record] = []
    dead: list[Dead] = []
    ends: dict[TopicPartition, int] = {}
    blocked: dict[TopicPartition, tuple[int, UnknownMajorError]] = {}
    for place, raws in polled.items():
        topic, end = bus.logical_topic(place.topic), None
        kind = kinds.get(topic, "")
        for raw in raws:
            try:
                records.append(decode(raw, topic, kind))
            except UndecodableError as error:
                dead.append(Dead(raw, str(error), 1))
            except UnknownMajorError as error:
                blocked[place] = (raw.offset, error)
                break
            end = raw.offset + 1
        if end is not None:
            ends[place] = end
    return Batch(records, dead, ends, blocked)
