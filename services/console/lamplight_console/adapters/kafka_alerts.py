"""The alerts of the last hours, read from Kafka: each event once, and only what was committed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing

import structlog
from google.protobuf.message import Message
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from lamplight_kit.clock import Clock
from lamplight_kit.kafka.codec import UndecodableError, UnknownMajorError, decode
from lamplight_kit.kafka.settings import BusSettings, consumer_options

_MS_PER_H = 3_600_000
_POLL_MS = 500
_PAUSE_S = 2.0
_log = structlog.get_logger()


class RecentAlerts:
    """Reads the topic `alerts` from `hours` ago on, without a group: every replica of the console reads all of it."""

    name = "alerts"

    def __init__(
        self, bus: BusSettings, hours: float, clock: Clock, on_alert: Callable[[str, Message | None], None]
    ) -> None:
        """Hand each event to `on_alert`; after a failure the hours are read again, which the book bears."""
        self._bus, self._hours, self._clock, self._on_alert = bus, hours, clock, on_alert
        self._stopping = threading.Event()
        self._why: str | None = "not started"
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def unready(self) -> str | None:
        """Say why the alerts are not all read, or None where they are."""
        return self._why

    def stop(self, timeout_s: float) -> None:
        """End reading."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with closing(KafkaConsumer(**consumer_options(self._bus, "console-alerts"))) as consumer:
                    self._follow(consumer)
            except (KafkaError, OSError) as error:
                self._why = f"Kafka does not answer ({type(error).__name__})"
                _log.warning("alerts not read", error=str(error))
                self._stopping.wait(_PAUSE_S)

    def _follow(self, consumer: KafkaConsumer) -> None:
        topic = self._bus.wire_topic("alerts")
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        since_ms = self._clock.now_ns() // 1_000_000 - round(self._hours * _MS_PER_H)
        found = consumer.offsets_for_times(dict.fromkeys(partitions, since_ms))
        ends = consumer.end_offsets(partitions)
        for partition in partitions:
            offset = found[partition]
            consumer.seek(partition, ends[partition] if offset is None else offset.offset)
        while not self._stopping.is_set():
            for records in consumer.poll(timeout_ms=_POLL_MS).values():
                for record in records:
                    self._take(record)
            if self._why is not None and all(consumer.position(part) >= ends[part] for part in partitions):
                self._why = None

    def _take(self, raw: object) -> None:
        try:
            record = decode(raw, "alerts")
        except (UndecodableError, UnknownMajorError) as error:
            _log.warning("alert passed over", error=str(error))
            return
        self._on_alert(record.key, record.message)
