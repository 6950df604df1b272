"""A transactional producer whose every step ends in time, and whose every send is checked before the commit.

kafka-python's commit and offsets calls have no time-out, and a record that expires leaves its transaction open
without an error (kafka/producer/sender.py): so the steps run in a thread that may be given up, and every future is
looked at. After anything but a clean commit the object is of no more use: an epoch bump, a fencing or an unknown
outcome are all settled by the next producer's `init_transactions`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from lamplight_kit.kafka.codec import Wire
from lamplight_kit.kafka.settings import COMMIT_WAIT_S, BusSettings, producer_options

OPEN_WAIT_S = 30.0


class UncleanError(Exception):
    """A transaction did not end in a clean commit, for whatever reason: rebuild the producer and the state."""


class TransactionalProducer:
    """One producer, from `init_transactions` to its first unclean step."""

    def __init__(self, bus: BusSettings, stage: str) -> None:
        """Connect, fence older producers of the same name and settle what they left open. Raises `UncleanError`."""
        self._bus = bus
        self._steps: queue.SimpleQueue[tuple[Callable[[], None], queue.SimpleQueue[BaseException | None]] | None]
        self._steps = queue.SimpleQueue()
        self._producer: Any = None
        self._thread = threading.Thread(target=self._run, name=f"{stage}-transactions", daemon=True)
        self._thread.start()
        try:
            self._within(OPEN_WAIT_S, lambda: self._open(stage))
        except UncleanError:
            self.discard()
            raise

    def transact(self, wires: Sequence[Wire], offsets: Mapping[Any, Any], group: Any) -> None:
        """Write `wires` and commit `offsets` (of kafka-python's types; may be empty) as one. Raises `UncleanError`."""
        self._within(COMMIT_WAIT_S, lambda: self._transact(wires, offsets, group))

    def discard(self) -> None:
        """Let go at once, sending nothing more."""
        self._steps.put(None)
        self._close()

    def _close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.close(timeout=0)
        except KafkaError:  # its flush, in no time at all, was not done: that is what was asked for
            producer._sender.force_close()  # noqa: SLF001 - close(0) raises before it reaches this line of its own

    def _open(self, stage: str) -> None:
        options = producer_options(self._bus, f"{stage}.producer", self._bus.transactional_id(stage))
        self._producer = KafkaProducer(**options)
        self._producer.init_transactions()

    def _transact(self, wires: Sequence[Wire], offsets: Mapping[Any, Any], group: Any) -> None:
        producer, topic = self._producer, self._bus.wire_topic
        producer.begin_transaction()
        sent = [producer.send(topic(wire.topic), wire.value, wire.key, wire.headers, wire.partition) for wire in wires]
        if sent:
            producer.flush(COMMIT_WAIT_S)
        for future in sent:
            if not future.succeeded():
                text = f"a record was not acknowledged: {future.exception!r}"
                raise UncleanError(text)
        if offsets:
            producer.send_offsets_to_transaction(offsets, group)
        producer.commit_transaction()

    def _within(self, seconds: float, step: Callable[[], None]) -> None:
        done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._steps.put((step, done))
        try:
            error = done.get(timeout=seconds)
        except queue.Empty:
            text = f"no answer from {self._bus.bootstrap_servers} within {seconds:.0f} s"
            raise UncleanError(text) from None
        if isinstance(error, UncleanError | ValueError | TypeError | AttributeError):
            raise error  # clean or not, it would be the same next time: a fault of ours
        if error is not None:
            text = f"{type(error).__name__}: {error}"
            raise UncleanError(text) from error

    def _run(self) -> None:
        while (step := self._steps.get()) is not None:
            work, done = step
            try:
                work()
            except Exception as error:  # noqa: BLE001 - kafka-python raises what it likes, all of it is unclean
                done.put(error)
            else:
                done.put(None)
        self._close()  # it may have been made after `discard` had looked
