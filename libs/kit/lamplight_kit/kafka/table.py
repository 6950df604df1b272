"""Tables: compacted topics read whole by every replica, without a group; and tails, which begin at the end.

One thread and one consumer serve all of a process's tables. A partition that comes to a record of an unknown major
waits there, with what was known and the alarm, for a release that knows it; a table that meets one while it is first
read is not ready until then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from google.protobuf.message import Message
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from lamplight_contracts.topics import Topics

from lamplight_kit.kafka import metrics
from lamplight_kit.kafka.codec import UndecodableError, UnknownMajorError, decode
from lamplight_kit.kafka.settings import BusSettings, consumer_options
from lamplight_kit.kafka.stage import PAUSE_S, end_process
from lamplight_kit.kafka.topics import check_topics, kinds_of, topics_of
from lamplight_kit.kafka.types import Record

POLL_MS = 250
_log = structlog.get_logger("lamplight.bus")


class Table:
    """All of one compacted topic, kept current by `Tables`; a `TableView`."""

    def __init__(self, topic: str, on_change: Callable[[str, Message | None], None] | None = None) -> None:
        """Hold the logical `topic`; `on_change(key, message)` is called from the tables' thread, None for removed."""
        self.topic = topic
        self._on_change = on_change
        self._values: dict[str, Message] = {}
        self._lock = threading.Lock()
        self._ready = threading.Event()

    def get(self, key: str) -> Message | None:
        """Return the latest value of `key`, or None."""
        with self._lock:
            return self._values.get(key)

    def items(self) -> Mapping[str, Message]:
        """Return a copy of every live key and value."""
        with self._lock:
            return dict(self._values)

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until all that was there at the start has been read; False when `timeout_s` passed first."""
        return self._ready.wait(timeout_s)

    @property
    def is_ready(self) -> bool:
        """Whether all that was there at the start has been read."""
        return self._ready.is_set()

    def apply(self, record: Record) -> None:
        """Take one record in."""
        with self._lock:
            if record.message is None:
                self._values.pop(record.key, None)
            else:
                self._values[record.key] = record.message
        if self._on_change is not None:
            self._on_change(record.key, record.message)

    def complete(self) -> None:
        """Say that all that was there at the start has been read."""
        self._ready.set()


class Tail:
    """What is written to one topic from now on (of any policy), given to `on_record` from the tables' thread."""

    def __init__(self, topic: str, on_record: Callable[[Record], None]) -> None:
        """Follow the logical `topic`."""
        self.topic = topic
        self.apply = on_record


class Tables:
    """The thread that keeps tables and tails current; a component of `lamplight_kit.service`."""

    name = "tables"

    def __init__(
        self,
        bus: BusSettings,
        followed: Sequence[Table | Tail],
        *,
        topics: Topics | None = None,
        on_failed: Callable[[BaseException], None] = end_process,
    ) -> None:
        """Keep what is given; nothing connects before `start`. At most one of `followed` a topic."""
        self._bus = bus
        self._followed = {bus.wire_topic(item.topic): item for item in followed}
        self._topics = topics_of(bus) if topics is None else topics
        self._kinds = kinds_of(self._topics)
        self._on_failed = on_failed
        self._blocked: dict[TopicPartition, str] = {}
        self._reason: str | None = "not started"
        self._stopping = threading.Event()
        self._positions: dict[TopicPartition, int] = {}
        self._thread = threading.Thread(target=self._run, name="tables", daemon=True)

    def start(self) -> None:
        """Begin in a thread; `unready` and `Table.wait_ready` say how it goes."""
        self._thread.start()

    def unready(self) -> str | None:
        """Say why the tables are not current, or None where they are."""
        return "; ".join([*([self._reason] if self._reason else []), *sorted(self._blocked.values())]) or None

    def stop(self, timeout_s: float) -> None:
        """Stop reading."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        pause_s = PAUSE_S[0]
        while not self._stopping.is_set():
            try:
                self._follow()
                pause_s = PAUSE_S[0]
            except (KafkaError, OSError) as error:
                self._reason = f"reading again: {error}"
                metrics.FAILED.labels(self.name, type(error).__name__).inc()
                _log.warning("reading again", stage=self.name, error=f"{type(error).__name__}: {error}")
                self._stopping.wait(pause_s)
                pause_s = min(2 * pause_s, PAUSE_S[1])
            except BaseException as error:  # noqa: BLE001 - it ends the process, not just this thread
                self._reason = f"ended by {type(error).__name__}: {error}"
                self._on_failed(error)
                return

    def _follow(self) -> None:
        check_topics(self._bus, [item.topic for item in self._followed.values()], self._topics)
        consumer = KafkaConsumer(**consumer_options(self._bus, self.name))
        try:
            self._blocked = {}  # a new consumer reads them again, from where they stopped
            metrics.PAUSED.labels(self.name).set(0)
            missing = self._seek(consumer)
            heard_at = time.monotonic()
            while not self._stopping.is_set():
                polled = consumer.poll(timeout_ms=POLL_MS)
                for place, raws in polled.items():
                    self._apply(consumer, place, raws)
                missing = self._completed(consumer, missing)
                if polled:
                    heard_at = time.monotonic()
                elif time.monotonic() - heard_at > 2:
                    consumer.end_offsets(list(self._positions)[:1], timeout_ms=2_000)  # is the broker there?
                    heard_at = time.monotonic()
        finally:
            consumer.close(autocommit=False, timeout_ms=2_000)

    def _seek(self, consumer: Any) -> dict[TopicPartition, int]:
        places = [
            TopicPartition(wire, partition)
            for wire, item in self._followed.items()
            for partition in range(self._topics.named(item.topic).partitions)
        ]
        consumer.assign(places)
        ends: dict[TopicPartition, int] = consumer.end_offsets(places)
        starts = consumer.beginning_offsets(places)
        for place in places:
            is_tail = isinstance(self._followed[place.topic], Tail)
            # After a break every reader goes on where it was: no tombstone is missed while none is compacted away.
            self._positions.setdefault(place, ends[place] if is_tail else starts[place])
            consumer.seek(place, self._positions[place])
        return {place: ends[place] for place in places}

    def _apply(self, consumer: Any, place: TopicPartition, raws: Sequence[Any]) -> None:
        item = self._followed[place.topic]
        for raw in raws:
            try:
                record = decode(raw, item.topic, self._kinds.get(item.topic, ""))
            except UnknownMajorError as error:
                self._pause(consumer, place, str(error))
                return
            except UndecodableError as error:
                metrics.FAILED.labels(self.name, "Undecodable").inc()
                _log.error("passed over", stage=self.name, error=str(error))
            else:
                item.apply(record)
            self._positions[place] = raw.offset + 1

    def _pause(self, consumer: Any, place: TopicPartition, why: str) -> None:
        # What was known stays. Ending the process would do it no good: it would meet the same record again.
        consumer.pause(place)
        self._blocked = {**self._blocked, place: why}
        metrics.PAUSED.labels(self.name).set(len(self._blocked))
        _log.error("partition paused", stage=self.name, topic=place.topic, partition=place.partition, error=why)

    def _completed(self, consumer: Any, missing: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
        if not missing:
            self._reason = None
            return missing
        # A blocked place's position is past what it waits at: all of what was polled with that counts as read there.
        read = {
            place for place, end in missing.items() if (consumer.position(place) or 0) >= end
        } - self._blocked.keys()
        left = {place: end for place, end in missing.items() if place not in read}
        waiting = {place.topic for place in left}
        for wire, item in self._followed.items():
            if wire not in waiting and isinstance(item, Table):
                item.complete()
        self._reason = f"reading {', '.join(sorted(waiting))}" if waiting else None
        return left
