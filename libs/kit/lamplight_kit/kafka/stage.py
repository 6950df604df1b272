"""The bus loop of a stage with input topics: poll, mark, handle, write and commit as one; see docs/design.md.

Two ways through a batch. As a whole: mark it, hand it to the handler, write all that it returns with the offsets in
one transaction. Alone: message by message, each in a transaction of its own, its attempt recorded before it is
handled; for batches that a dead process left in hand, and for those of which some message is skipped or refused.
Whatever is not a clean commit throws away the producer and all state, and reads both back (`Holding.restore`).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from kafka import TopicPartition
from kafka.errors import FencedInstanceIdError, KafkaError
from lamplight_contracts.topics import Topics

from lamplight_kit.errors import Refuse, Retry, Skip, Stop
from lamplight_kit.kafka import metrics
from lamplight_kit.kafka.batch import Batch, Dead, read_batch
from lamplight_kit.kafka.codec import Wire
from lamplight_kit.kafka.deadletter import letter_wire
from lamplight_kit.kafka.effects import Effects
from lamplight_kit.kafka.holding import Holding
from lamplight_kit.kafka.lines import effect_lines
from lamplight_kit.kafka.marks import MAX_ATTEMPTS, Mark
from lamplight_kit.kafka.producer import UncleanError
from lamplight_kit.kafka.settings import BusSettings
from lamplight_kit.kafka.topics import check_topics, kinds_of, topics_of
from lamplight_kit.kafka.types import Handler

POLL_MS = 250
JOIN_POLL_MS = 2_000  # a join that a short poll breaks off goes on, but is only looked at in the next poll
JOIN_S = 30.0  # others may be slow to stop; a member that hangs longer joins anew
PAUSE_S = (0.1, 5.0)  # the first pause after a failure, and the longest
BATCH_S = 20.0  # a batch that took longer is followed by a smaller one, well before the group gives up on a member
_log = structlog.get_logger("lamplight.bus")


def end_process(error: BaseException) -> None:
    """End this process as a fault does: at once, so that the mark of the batch in hand stays."""
    _log.critical("a thread ended the process", error=str(error), exc_info=None if isinstance(error, Stop) else error)
    os._exit(2 if isinstance(error, Stop) else 70)


def next_batch(messages: int, most: int, seconds: float) -> int:
    """Return how many messages to poll after a batch of at most `messages` took `seconds`: a quarter where it lagged.

    A stage polls again only when it is done: a handler that lags takes in nothing more, and its member stays in the
    group for five minutes without a poll. A batch must end well before that.
    """
    if seconds > BATCH_S:
        return max(1, messages // 4)
    return min(most, 2 * messages) if seconds < BATCH_S / 8 else messages


class Stage:
    """One handler in a consumer group, in a thread of its own; a component of `lamplight_kit.service`.

    `inputs`, `state` and `deadletter` are logical topics; `deadletter` is `<service>.deadletter` where the stage is
    called `<service>` or `<service>.<part>`. All inputs and state topics have the same number of partitions, and one
    member has the same numbers of all of them. `on_failed` gets what ended the loop (a `Stop`, or a fault of the
    handler) and has to end the process.
    """

    def __init__(
        self,
        bus: BusSettings,
        name: str,
        inputs: Sequence[str],
        handler: Handler,
        *,
        state: Sequence[str] = (),
        deadletter: str | None = None,
        topics: Topics | None = None,
        on_failed: Callable[[BaseException], None] = end_process,
    ) -> None:
        """Keep what is given; nothing connects before `start`."""
        self.name = name
        self._bus, self._on_failed = bus, on_failed
        self._topics = topics_of(bus) if topics is None else topics
        self._effects = Effects(handler, self._topics)
        self._inputs, self._state = tuple(inputs), tuple(state)
        self._kinds = kinds_of(self._topics)
        self._deadletter = deadletter or f"{name.partition('.')[0]}.deadletter"
        self._stopping = threading.Event()
        self._reason: str | None = "not started"
        state_kinds = {topic: self._kinds.get(topic, "") for topic in state}
        self._holding = Holding(bus, name, self._inputs, state_kinds, handler, self._stopping.is_set)
        self._pause_s, self._batch = PAUSE_S[0], bus.max_batch
        self._thread = threading.Thread(target=self._run, name=f"stage-{name}", daemon=True)
        self._heard_at = self._settled_at = time.monotonic()
        self._lived_through: tuple[TopicPartition, int] | None = None

    def start(self) -> None:
        """Begin in a thread; `unready` says how it goes."""
        self._thread.start()

    def unready(self) -> str | None:
        """Say why this stage is not ready, or None where it is."""
        return self._reason or self._holding.blocked_reason()

    def stop(self, timeout_s: float) -> None:
        """Finish the batch in hand, commit it, leave the group; wait for that at most `timeout_s`."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._loop()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends the process, not just this thread
            self._reason = f"ended by {type(error).__name__}: {error}"
            if isinstance(error, Stop):
                self._let_go()
            self._on_failed(error)
        else:
            self._let_go()

    def _loop(self) -> None:
        checked = False
        while not self._stopping.is_set():
            try:
                if not checked:
                    check_topics(self._bus, [*self._inputs, *self._state, self._deadletter], self._topics)
                    checked = True
                self._turn()
            except FencedInstanceIdError as error:
                text = f"another process runs as member {self._bus.member!r}; give every replica a name of its own"
                raise Stop(text) from error
            except (UncleanError, KafkaError, OSError) as error:
                self._failed(error, "rebuilding")
                metrics.REBUILT.labels(self.name).inc()
                self._holding.discard()
                self._rest()

    def _turn(self) -> None:
        holding = self._holding
        polled = holding.poll(POLL_MS if holding.settled() else JOIN_POLL_MS, self._batch)
        if not holding.settled():
            self._reason = "joining the group"
            if time.monotonic() - self._settled_at > JOIN_S:
                self._settled_at = time.monotonic()
                _log.warning("joining again", stage=self.name, after_s=JOIN_S)
                holding.rejoin()
            return
        self._settled_at = time.monotonic()
        self._tell_lags(is_idle=not polled)
        if polled:
            self._heard_at = began = time.monotonic()
            try:
                self._work(polled)
            except Retry as error:
                self._failed(error, "retrying")
                holding.undo()
                self._rest()
                return
            self._pause_s = PAUSE_S[0]
            self._batch = next_batch(self._batch, self._bus.max_batch, time.monotonic() - began)
        elif time.monotonic() - self._heard_at > 2:
            holding.probe()
            self._heard_at = time.monotonic()
        self._reason = None

    def _tell_lags(self, *, is_idle: bool) -> None:
        for topic, lag in self._holding.lags(is_idle=is_idle).items():
            metrics.LAG.labels(self.name, topic).set(lag)

    def _rest(self) -> None:
        self._stopping.wait(self._pause_s)
        self._pause_s = min(2 * self._pause_s, PAUSE_S[1])

    def _failed(self, error: Exception, what: str) -> None:
        self._reason = f"{what}: {error}"
        metrics.FAILED.labels(self.name, type(error).__name__).inc()
        _log.warning(what, stage=self.name, error=f"{type(error).__name__}: {error}", pause_s=round(self._pause_s, 1))

    # -- a batch as a whole --------------------------------------------------------------------------------------

    def _work(self, polled: Mapping[TopicPartition, Sequence[Any]]) -> None:
        began = time.perf_counter()
        careful = self._holding.careful_place
        if careful is not None:
            self._alone(careful, polled.get(careful, ()))
            return
        batch = read_batch(self._bus, polled, self._kinds)
        self._holding.block(batch.blocked)
        if not batch.ends:
            return
        if not self._holding.mark({place: Mark(end) for place, end in batch.ends.items()}):
            return
        try:
            wires = self._effects.of(batch.records)
        except (Skip, Refuse):
            # Some message of it: find it by going through them alone, from the state before the batch.
            self._holding.undo(careful=batch.ends)
            return
        self._commit(wires, batch.dead, batch.ends)
        self._told(batch, wires, time.perf_counter() - began)

    def _commit(
        self,
        effects: Sequence[Wire],
        dead: Sequence[Dead],
        ends: Mapping[TopicPartition, int],
        left: Mark | None = None,
    ) -> None:
        letters = [letter_wire(self._bus, self._deadletter, self.name, letter) for letter in dead]
        self._holding.commit([*effects, *letters], ends, left)
        for letter in dead:
            metrics.FAILED.labels(self.name, "DeadLetter").inc()
            _log.error(
                "dead letter",
                stage=self.name,
                topic=self._bus.logical_topic(letter.raw.topic),
                partition=letter.raw.partition,
                offset=letter.raw.offset,
                attempts=letter.attempts,
                error=letter.error,
            )

    def _told(self, batch: Batch, wires: Sequence[Wire], seconds: float) -> None:
        metrics.BATCH_SECONDS.labels(self.name).observe(seconds)
        counts: dict[str, int] = {}
        for record in batch.records:
            counts[record.topic] = counts.get(record.topic, 0) + 1
        for topic, count in counts.items():
            metrics.HANDLED.labels(self.name, topic).inc(count)
        lines = list(effect_lines(batch.records, wires))
        for line in lines:
            _log.info("effect", stage=self.name, **line)
        say = _log.info if len(batch.records) > len(lines) else _log.debug
        say("batch", stage=self.name, messages=len(batch.records), effects=len(wires), ms=round(seconds * 1000, 1))

    # -- message by message --------------------------------------------------------------------------------------

    def _alone(self, place: TopicPartition, raws: Sequence[Any]) -> None:
        for raw in raws:
            mark = self._holding.mark_of(place)
            if mark is None or raw.offset >= mark.end:
                self._holding.careless(place)
                return
            batch = read_batch(self._bus, {place: [raw]}, self._kinds)
            self._holding.block(batch.blocked)
            if batch.blocked:
                return
            if not self._one(place, raw, batch, mark) or self._stopping.is_set():
                return

    def _one(self, place: TopicPartition, raw: Any, batch: Batch, mark: Mark) -> bool:
        began = time.perf_counter()
        ends = {place: raw.offset + 1}
        left = Mark(mark.end) if mark.end > raw.offset + 1 else None
        if (place, raw.offset) == self._lived_through:
            # This process marked that attempt and lives: it was the broker that failed, not the message.
            mark = Mark(mark.end, max(0, mark.attempts - 1))
        if batch.dead:
            self._commit((), batch.dead, ends, left)
        elif mark.attempts >= MAX_ATTEMPTS:
            text = f"ended the process {mark.attempts} times while handled alone"
            self._commit((), [Dead(raw, text, mark.attempts)], ends, left)
        else:
            if not self._holding.mark({place: Mark(mark.end, mark.attempts + 1)}):
                return False
            self._lived_through = (place, raw.offset)
            tried = self._try(place, raw, batch, mark)
            if isinstance(tried, Dead | None):
                self._commit((), [tried] if tried else (), ends, left)
                # The handler broke off half-way: its state is what was committed, not what it left.
                self._holding.restore([place.partition])
            else:
                self._commit(tried, (), ends, left)
                self._told(batch, tried, time.perf_counter() - began)
        self._lived_through = None
        return True

    def _try(self, place: TopicPartition, raw: Any, batch: Batch, mark: Mark) -> Sequence[Wire] | Dead | None:
        try:
            return self._effects.of(batch.records)
        except Skip as error:
            metrics.FAILED.labels(self.name, "Skip").inc()
            record = batch.records[0]
            _log.info("skipped", stage=self.name, topic=record.topic, key=record.key, offset=raw.offset, why=str(error))
            return None
        except Refuse as error:
            return Dead(raw, str(error), mark.attempts + 1)
        except Retry:
            # It lives: an attempt that waits for something outside says nothing against the message.
            self._holding.mark({place: mark})
            self._lived_through = None
            raise

    def _let_go(self) -> None:
        self._reason = "stopped"
        try:
            self._holding.leave()
        except (KafkaError, OSError) as error:
            _log.warning("left without telling the group", stage=self.name, error=f"{type(error).__name__}: {error}")
