"""The way out of a stage without an input topic: a bounded queue, and short transactions that take what waits.

What is in hand stays until its transaction is known to have committed. A commit whose outcome is unknown (the broker
went away in it) is settled by a counter that every transaction commits as the offset of a group of its own: after
`init_transactions` it says whether the batch is there, so that nothing is lost and nothing is there twice.
See docs/decisions/0031.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata
from lamplight_contracts.topics import Topics

from lamplight_kit import trace
from lamplight_kit.clock import Clock, SystemClock
from lamplight_kit.errors import Stop
from lamplight_kit.kafka import metrics
from lamplight_kit.kafka.codec import Wire, encode
from lamplight_kit.kafka.producer import TransactionalProducer, UncleanError
from lamplight_kit.kafka.settings import BusSettings, consumer_options
from lamplight_kit.kafka.stage import PAUSE_S, end_process
from lamplight_kit.kafka.topics import check_topics, topics_of
from lamplight_kit.kafka.types import HEADER_TRACE, Outgoing

MAX_AGE_S = 60.0
MAX_BYTES = 64 * 1024 * 1024
BATCH_BYTES = 2 * 1024 * 1024
BATCH_RECORDS = 1_000
_OVERHEAD_BYTES = 200  # what a queued record costs beside its value
_log = structlog.get_logger("lamplight.bus")


@dataclass(frozen=True)
class _Waiting:
    outgoing: Outgoing
    wire: Wire
    size: int
    at_s: float


class KafkaOutbox:
    """An `Outbox` on Kafka; a component of `lamplight_kit.service`. `topics` are the logical topics it writes to.

    `on_committed` and `on_dropped` are called from the outbox's own thread, and must be quick.
    """

    def __init__(
        self,
        bus: BusSettings,
        name: str,
        topics: Sequence[str],
        *,
        all_topics: Topics | None = None,
        on_committed: Callable[[Sequence[Outgoing]], None] | None = None,
        on_dropped: Callable[[Sequence[Outgoing]], None] | None = None,
        on_failed: Callable[[BaseException], None] = end_process,
        clock: Clock | None = None,
    ) -> None:
        """Keep what is given; nothing connects before `start`."""
        self.name = name
        self._bus, self._written = bus, tuple(topics)
        self._topics = topics_of(bus) if all_topics is None else all_topics
        self._on_committed, self._on_dropped, self._on_failed = on_committed, on_dropped, on_failed
        self._clock = clock or SystemClock()
        self._queue: deque[_Waiting] = deque()
        self._queued_bytes = 0
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._reason: str | None = "not started"
        self._producer: TransactionalProducer | None = None
        self._counter = 0
        self._in_hand: list[_Waiting] = []
        self._thread = threading.Thread(target=self._run, name=f"outbox-{name}", daemon=True)

    def start(self) -> None:
        """Begin in a thread; `unready` says how it goes."""
        self._thread.start()

    def unready(self) -> str | None:
        """Say why nothing is being written, or None where all is well."""
        return self._reason

    def stop(self, timeout_s: float) -> None:
        """Write what waits, for at most `timeout_s`."""
        until = time.monotonic() + timeout_s
        with self._changed:
            while (self._queue or self._in_hand) and self._thread.is_alive() and time.monotonic() < until:
                self._changed.wait(0.1)
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def put(self, records: Sequence[Outgoing]) -> None:
        """Queue `records`, committed together soon; past 60 s or 64 MiB the oldest drop. Never blocks.

        Each goes on with the trace of the work at hand, or begins one where there is none.

        A record over its topic's `max_bytes` is a fault of the caller: ValueError.
        """
        now_s = self._clock.monotonic_s()
        waiting = [self._weighed(record, now_s) for record in records]
        with self._changed:
            self._queue.extend(waiting)
            self._queued_bytes += sum(item.size for item in waiting)
            dropped = self._trimmed(now_s)
            self._changed.notify_all()
        self._tell_dropped(dropped)

    def _weighed(self, record: Outgoing, now_s: float) -> _Waiting:
        wire = encode(record)
        if HEADER_TRACE not in record.headers:
            wire.headers.append((HEADER_TRACE, trace.child(trace.current()).encode()))
        size = len(wire.value or b"")
        most = self._topics.named(record.topic).max_bytes
        if size > most:
            text = f"{record.topic} {record.key}: {size} bytes found, at most {most} expected; make the message smaller"
            raise ValueError(text)
        return _Waiting(record, wire, size + _OVERHEAD_BYTES, now_s)

    def _trimmed(self, now_s: float) -> list[Outgoing]:
        dropped: list[Outgoing] = []
        while self._queue and (self._queued_bytes > MAX_BYTES or now_s - self._queue[0].at_s > MAX_AGE_S):
            oldest = self._queue.popleft()
            self._queued_bytes -= oldest.size
            dropped.append(oldest.outgoing)
        metrics.WAITING.labels(self.name).set(len(self._queue))
        return dropped

    def _tell_dropped(self, dropped: Sequence[Outgoing]) -> None:
        if not dropped:
            return
        metrics.DROPPED.labels(self.name).inc(len(dropped))
        _log.warning("dropped the oldest unsent records", stage=self.name, records=len(dropped))
        if self._on_dropped is not None:
            self._on_dropped(dropped)

    # -- the outbox's own thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._loop()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends the process, not just this thread
            self._reason = f"ended by {type(error).__name__}: {error}"
            self._on_failed(error)
        finally:
            if self._producer is not None:
                self._producer.discard()

    def _loop(self) -> None:
        pause_s = PAUSE_S[0]
        checked = False
        while not self._stopping.is_set():
            try:
                if not checked:
                    check_topics(self._bus, self._written, self._topics)
                    checked = True
                if self._producer is None:
                    # A name of its own: the service may have a stage of the same name, and they would fence each other.
                    self._producer = TransactionalProducer(self._bus, f"{self.name}.outbox")
                    self._settle()
                if self._in_hand or self._take():
                    self._write()
            except (UncleanError, KafkaError, OSError) as error:
                self._reason = f"rebuilding: {error}"
                metrics.REBUILT.labels(self.name).inc()
                metrics.FAILED.labels(self.name, type(error).__name__).inc()
                _log.warning("rebuilding", stage=self.name, error=f"{type(error).__name__}: {error}")
                if self._producer is not None:
                    self._producer.discard()
                    self._producer = None
                self._stopping.wait(pause_s)
                pause_s = min(2 * pause_s, PAUSE_S[1])
                self._tell_dropped(self._aged())
            else:
                pause_s, self._reason = PAUSE_S[0], None

    def _take(self) -> bool:
        with self._changed:
            if not self._queue:
                self._changed.wait(1.0)
            dropped = self._trimmed(self._clock.monotonic_s())
            size = 0
            while self._queue and len(self._in_hand) < BATCH_RECORDS and size < BATCH_BYTES:
                self._in_hand.append(self._queue.popleft())
                size += self._in_hand[-1].size
            self._queued_bytes -= size
        self._tell_dropped(dropped)
        return bool(self._in_hand)

    def _aged(self) -> list[Outgoing]:
        with self._changed:
            return self._trimmed(self._clock.monotonic_s())

    def _write(self) -> None:
        if self._producer is None:
            text = "no producer"
            raise UncleanError(text)
        counter = {self._place: OffsetAndMetadata(self._counter + 1, "", -1)}
        self._producer.transact([item.wire for item in self._in_hand], counter, ConsumerGroupMetadata(self._group))
        self._counter += 1
        self._committed()

    def _committed(self) -> None:
        with self._changed:
            done, self._in_hand = self._in_hand, []
            self._changed.notify_all()
        for item in done:
            metrics.HANDLED.labels(self.name, item.outgoing.topic).inc()
        if self._on_committed is not None:
            self._on_committed([item.outgoing for item in done])

    def _settle(self) -> None:
        """Find out whether what is in hand was committed after all; the new producer has settled it on the broker."""
        with closing(KafkaConsumer(**consumer_options(self._bus, self.name), group_id=self._group)) as consumer:
            counter = consumer.committed(self._place, timeout_ms=10_000) or 0
        was_committed = bool(self._in_hand) and counter == self._counter + 1
        self._counter = counter
        if was_committed:
            self._committed()

    @property
    def _group(self) -> str:
        return f"{self._bus.transactional_id(self.name)}.outbox"

    @property
    def _place(self) -> TopicPartition:
        if not self._written:
            text = f"outbox {self.name}: no topics found, at least one expected; name what it writes to"
            raise Stop(text)
        return TopicPartition(self._bus.wire_topic(self._written[0]), 0)
