"""Reading the topic `alerts` as any subscriber does: committed events only, each once, no group."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from lamplight_kit.kafka.settings import BusSettings, consumer_options

TOPIC = "alerts"
POLL_MS = 200


def events(bus: BusSettings, since_ms: int, until: Callable[[], bool]) -> Iterator[bytes]:
    """Yield the CloudEvents (JSON) told since `since_ms` (Unix milliseconds), then new ones, until `until()` holds."""
    with closing(KafkaConsumer(**consumer_options(bus, "alerts-tail"))) as consumer:
        _seek(consumer, bus.wire_topic(TOPIC), since_ms)
        while not until():
            polled = consumer.poll(timeout_ms=POLL_MS)
            for record in sorted(
                (each for batch in polled.values() for each in batch), key=lambda each: each.timestamp
            ):
                yield record.value


def _seek(consumer: Any, topic: str, since_ms: int) -> None:
    places = [TopicPartition(topic, partition) for partition in sorted(consumer.partitions_for_topic(topic) or ())]
    consumer.assign(places)
    ends = consumer.end_offsets(places)
    if since_ms >= time.time_ns() // 1_000_000:
        found: Mapping[Any, Any] = {}
    else:
        found = consumer.offsets_for_times(dict.fromkeys(places, since_ms))
    for place in places:
        first = found.get(place)
        consumer.seek(place, ends[place] if first is None else first.offset)
