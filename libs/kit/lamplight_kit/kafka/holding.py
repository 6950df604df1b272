"""What a stage holds of the bus at a moment: its partitions, how far each is done, its producer, its state.

All of it can be thrown away and had back: `restore` reads state topics and committed offsets, in this order, after
the producer's `init_transactions` has settled whatever this member left open.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from kafka import TopicPartition
from kafka.errors import CommitFailedError, KafkaError, RebalanceInProgressError
from kafka.structs import OffsetAndMetadata

from lamplight_kit.kafka import metrics
from lamplight_kit.kafka.codec import UnknownMajorError, Wire
from lamplight_kit.kafka.group import Group, Membership
from lamplight_kit.kafka.marks import Mark, read_mark
from lamplight_kit.kafka.producer import TransactionalProducer, UncleanError
from lamplight_kit.kafka.readback import read_back, read_range
from lamplight_kit.kafka.settings import BusSettings
from lamplight_kit.kafka.types import Handler

REBALANCING = (CommitFailedError, RebalanceInProgressError)
_CHUNK = 20  # messages handled alone between two looks at the group
_PATIENCE = 5  # failures in a row before the consumer is made anew too
_log = structlog.get_logger("lamplight.bus")


class Holding:
    """The bus side of one stage; used from one thread."""

    def __init__(
        self,
        bus: BusSettings,
        stage: str,
        inputs: Sequence[str],
        state: Mapping[str, str],
        handler: Handler,
        stopping: Callable[[], bool],
    ) -> None:
        """Keep what is given (`state`: topics with their messages' names); nothing connects before `poll`."""
        self._bus, self._stage, self._inputs, self._state = bus, stage, inputs, state
        self._handler, self._stopping = handler, stopping
        self._group: Group | None = None
        self._producer: TransactionalProducer | None = None
        self._membership: Membership | None = None
        self._places: frozenset[TopicPartition] = frozenset()
        self._generation = -2
        self._restored: set[int] = set()
        self._positions: dict[TopicPartition, int] = {}
        self._marks: dict[TopicPartition, Mark] = {}
        self._careful: dict[TopicPartition, Mark] = {}
        self._regions: dict[TopicPartition, deque[Any]] = {}
        self._blocked: dict[TopicPartition, str] = {}
        self._failures = 0
        self.careful_place: TopicPartition | None = None

    # -- membership ----------------------------------------------------------------------------------------------

    def poll(self, timeout_ms: int, max_records: int) -> Mapping[TopicPartition, Sequence[Any]]:
        """Return records of partitions that are held and restored; take and give up partitions as the group says."""
        group = self._joined()
        careful = self.careful_place = next((place for place in self._careful if place not in self._blocked), None)
        polled = group.poll(timeout_ms, max_records) if careful is None else group.poll(0, 1)
        now = group.membership()
        if now is not None and self._is_settled_as(now):
            return polled if careful is None else self._poll_region(careful, polled)
        # Whatever was polled belongs to a state that is not there (any more, or yet): read it again later.
        self._membership = None
        if now is not None:
            self._take(now)
            self._membership = now
        return {}

    def rejoin(self) -> None:
        """Make the consumer anew, under the same name."""
        if self._group is not None:
            group, self._group = self._group, None
            with suppress(KafkaError, OSError):
                group.close()

    def settled(self) -> bool:
        """Tell whether the group agrees and all state is there."""
        return self._membership is not None

    def _joined(self) -> Group:
        if self._group is None:
            self._group = Group(self._bus, self._stage, self._inputs)
        return self._group

    def _is_settled_as(self, now: Membership) -> bool:
        held = self._membership
        return (
            held is not None
            and self._producer is not None
            and (now.generation, now.places, now.token.member_id)
            == (held.generation, held.places, held.token.member_id)
        )

    def _take(self, now: Membership) -> None:
        wanted = {place.partition for place in now.places}
        # Held in consecutive generations means held all along; across a gap someone else may have written.
        new = {place.partition for place in now.places - self._positions.keys()}
        kept = (self._restored & wanted) - new if self._generation + 1 >= now.generation else set()
        for partition in self._restored - kept:
            self._handler.forget(partition)
        self._restored, self._places = set(kept), now.places
        self._positions = {place: at for place, at in self._positions.items() if place.partition in kept}
        self._careful = {place: mark for place, mark in self._careful.items() if place.partition in kept}
        self._regions = {place: raws for place, raws in self._regions.items() if place.partition in kept}
        self._blocked = {place: why for place, why in self._blocked.items() if place in now.places}
        if self._producer is None:
            self._producer = TransactionalProducer(self._bus, self._stage)
        self.restore(sorted(wanted - kept))
        for place in now.places:
            self.rewind(place)
        for place in self._blocked:
            self._joined().pause(place)
        metrics.PAUSED.labels(self._stage).set(len(self._blocked))
        self._generation, self._failures = now.generation, 0
        _log.info("partitions", stage=self._stage, held=sorted(wanted), restored=sorted(wanted - kept))

    # -- state ---------------------------------------------------------------------------------------------------

    def restore(self, partitions: Sequence[int]) -> None:
        """Give the handler the state of `partitions` from the state topics, and seek to the committed offsets.

        A partition whose state holds what this release cannot read is not given: its inputs are paused, with the
        alarm, until the process (of a release that can) starts anew.
        """
        for partition in partitions:
            self._restored.discard(partition)
            self._handler.forget(partition)
        state = read_back(self._bus, self._stage, self._state, partitions, self._stopping)
        for partition in partitions:
            if not state[partition].unreadable:
                self._handler.restore(partition, state[partition].records)
                self._restored.add(partition)
        for place in self._places:
            if place.partition in state:
                self._seek_committed(place)
                if unreadable := state[place.partition].unreadable:
                    self._block(place, f"state that cannot be read: {unreadable[0]}")

    def _seek_committed(self, place: TopicPartition) -> None:
        group = self._joined()
        committed = group.committed(place)
        self._careful.pop(place, None)
        self._regions.pop(place, None)
        if committed is None:
            self._positions[place] = group.seek_to_start(place)
            return
        self._positions[place] = committed.offset
        group.seek(place, committed.offset)
        mark = read_mark(committed.metadata)
        if mark is not None and mark.end > committed.offset:
            self._careful[place] = mark

    def undo(self, careful: Mapping[TopicPartition, int] | None = None) -> None:
        """Go back to before the batch in hand; with `careful` its places are gone through message by message."""
        places = list(self._marks)
        if not places:
            return
        notes = {place: Mark(careful[place]) if careful else self._careful.get(place) for place in places}
        self._joined().commit({place: (self._positions[place], str(mark or "")) for place, mark in notes.items()})
        self._marks = {}
        self.restore(sorted({place.partition for place in places}))

    def discard(self) -> None:
        """Throw away producer and state after anything unclean; after some failures in a row the consumer too."""
        if self._producer is not None:
            self._producer.discard()
            self._producer = None
        for partition in self._restored:
            self._handler.forget(partition)
        self._restored, self._membership = set(), None
        self._positions, self._marks, self._careful, self._regions = {}, {}, {}, {}
        self._failures += 1
        if self._failures % _PATIENCE == 0:
            # A new consumer also reads the certificates anew: kafka-python keeps its SSL context for life.
            self.rejoin()

    # -- progress ------------------------------------------------------------------------------------------------

    def _poll_region(
        self, place: TopicPartition, polled: Mapping[TopicPartition, Sequence[Any]]
    ) -> Mapping[TopicPartition, Sequence[Any]]:
        # A region is read by a consumer of its own: kafka-python 3.0.12 never gives back what it had fetched of a
        # partition that was paused half read (consumer/fetcher.py, _paused_partition_records).
        for other in polled:
            self.rewind(other)
        if place not in self._regions:
            start, end = self._positions[place], self._careful[place].end
            self._regions[place] = deque(read_range(self._bus, self._stage, place, start, end, self._stopping))
        region = self._regions[place]
        chunk = [region.popleft() for _ in range(min(_CHUNK, len(region)))]
        if not chunk:
            self.careless(place)  # its records are gone (retention)
        return {place: chunk}

    def careless(self, place: TopicPartition) -> None:
        """Go through `place` in whole batches again."""
        self._careful.pop(place, None)
        self._regions.pop(place, None)
        self.rewind(place)

    def mark_of(self, place: TopicPartition) -> Mark | None:
        """Return the mark of a place that is gone through message by message; None once it is blocked."""
        return None if place in self._blocked else self._careful.get(place)

    def mark(self, marks: Mapping[TopicPartition, Mark]) -> bool:
        """Write down what is about to be handled, before it is; False, with all of it unread, in a rebalance."""
        try:
            self._joined().commit({place: (self._positions[place], str(mark)) for place, mark in marks.items()})
        except REBALANCING:
            for place in marks:
                self._regions.pop(place, None)
                self.rewind(place)
            return False
        self._marks = dict(marks)
        return True

    def commit(self, wires: Sequence[Wire], ends: Mapping[TopicPartition, int], left: Mark | None) -> None:
        """Write `wires` and the offsets `ends` as one; `left` is the mark that stays. Raises on anything unclean."""
        if self._producer is None or self._membership is None:
            text = "nothing is held"
            raise UncleanError(text)
        note = str(left or "")
        if wires:
            offsets = {place: OffsetAndMetadata(end, note, -1) for place, end in ends.items()}
            self._producer.transact(wires, offsets, self._membership.token)
        else:
            self._joined().commit({place: (end, note) for place, end in ends.items()})
        self._positions.update(ends)
        self._marks = {}
        for place in ends:
            if left is not None:
                self._careful[place] = left
            elif place in self._careful:
                self.careless(place)

    def rewind(self, place: TopicPartition) -> None:
        """Read `place` again from where it is done."""
        self._joined().seek(place, self._positions[place])

    # -- what waits ----------------------------------------------------------------------------------------------

    def block(self, blocked: Mapping[TopicPartition, tuple[int, UnknownMajorError]]) -> None:
        """Stop reading places whose next record is of an unknown major, and raise the alarm."""
        for place, (offset, error) in blocked.items():
            self._careful.pop(place, None)
            self._joined().seek(place, offset)
            self._block(place, str(error))

    def _block(self, place: TopicPartition, why: str) -> None:
        if place not in self._blocked:
            _log.error("partition paused", stage=self._stage, topic=place.topic, partition=place.partition, error=why)
        self._blocked[place] = why
        self._joined().pause(place)
        metrics.PAUSED.labels(self._stage).set(len(self._blocked))

    def blocked_reason(self) -> str | None:
        """Say which partitions wait for another release, or None."""
        return "; ".join(sorted(set(self._blocked.values()))) or None

    def lags(self, *, is_idle: bool) -> Mapping[str, int]:
        """Return how many records wait, by logical topic, as of the last fetch; `is_idle`: nothing came to be polled.

        What stands between the end and the last record of an idle partition is a transaction's marker, no record.
        """
        lags: dict[str, int] = {}
        for place, position in self._positions.items():
            topic = self._bus.logical_topic(place.topic)
            waits = 0 if is_idle and place not in self._blocked else max(0, self._joined().end(place) - position)
            lags[topic] = lags.get(topic, 0) + waits
        return lags

    def probe(self) -> None:
        """Commit once more what is committed, so that a broker that is away shows, and another process of this name."""
        for place, offset in self._positions.items():
            with suppress(*REBALANCING):
                self._joined().commit({place: (offset, str(self._careful.get(place) or ""))})
            return

    def leave(self) -> None:
        """Let go of everything, and tell the group."""
        if self._producer is not None:
            self._producer.discard()
        if self._group is not None:
            self._group.leave()
