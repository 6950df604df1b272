"""A stage's place in its consumer group: polling, marking, seeking, leaving.

Static membership (KIP-345): a member that comes back within the session time-out keeps its partitions without a
rebalance; since a static member never leaves by itself, `leave` removes it. kafka-python calls rebalance listeners on
its network thread, so none is used: the stage compares `membership()` after every poll instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, MemberToRemove
from kafka.structs import MemberState, OffsetAndMetadata

from lamplight_kit.kafka.assignor import CoPartitionAssignor
from lamplight_kit.kafka.settings import HEARTBEAT_MS, SESSION_TIMEOUT_MS, BusSettings, client_options, consumer_options

ANSWER_MS = 10_000


@dataclass(frozen=True)
class Membership:
    """What the group agreed on: this member's partitions in one generation; `token` fences its transactions."""

    generation: int
    places: frozenset[TopicPartition]
    token: Any


class Group:
    """One consumer in the group of `stage`, on `inputs` (logical topics)."""

    def __init__(self, bus: BusSettings, stage: str, inputs: Sequence[str]) -> None:
        """Connect; joining happens in `poll`. Raises kafka-python's errors."""
        self._bus, self._stage = bus, stage
        self._consumer = KafkaConsumer(
            **consumer_options(bus, stage),
            group_id=bus.group(stage),
            group_instance_id=bus.member,
            partition_assignment_strategy=[CoPartitionAssignor()],
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
        )
        self._consumer.subscribe([bus.wire_topic(topic) for topic in inputs])
        # Known before the first join: a leader that shares out a topic it has not heard of yet rejoins at once, and
        # kafka-python 3.0.12 never ends a rejoin whose reason has gone meanwhile (coordinator/base.py, need_rejoin).
        for topic in inputs:
            self._consumer.partitions_for_topic(bus.wire_topic(topic))

    def poll(self, timeout_ms: int, max_records: int) -> Mapping[TopicPartition, Sequence[Any]]:
        """Return what came within `timeout_ms`, and join or rejoin the group where that is due."""
        polled: dict[TopicPartition, list[Any]] = self._consumer.poll(timeout_ms, max_records)
        return polled

    def membership(self) -> Membership | None:
        """Return what the group agreed on; None while it does not agree, or this member is not in it."""
        token = self._consumer.group_metadata()
        if token.state != MemberState.STABLE or token.generation_id < 0 or not token.member_id:
            return None
        return Membership(token.generation_id, frozenset(self._consumer.assignment()), token)

    def committed(self, place: TopicPartition) -> OffsetAndMetadata | None:
        """Return the committed offset and its metadata, once no transaction is pending on it."""
        return self._consumer.committed(place, metadata=True, timeout_ms=ANSWER_MS)

    def commit(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None:
        """Commit offsets with their metadata, outside any transaction."""
        self._consumer.commit(
            {place: OffsetAndMetadata(offset, note, -1) for place, (offset, note) in offsets.items()},
            timeout_ms=ANSWER_MS,
        )

    def seek(self, place: TopicPartition, offset: int) -> None:
        """Read `place` from `offset` on."""
        self._consumer.seek(place, offset)

    def seek_to_start(self, place: TopicPartition) -> int:
        """Read `place` from its oldest record on; return that offset."""
        offset: int = self._consumer.beginning_offsets([place], timeout_ms=ANSWER_MS)[place]
        self._consumer.seek(place, offset)
        return offset

    def end(self, place: TopicPartition) -> int:
        """Return the end of `place` as the last fetch told it, 0 before the first."""
        return int(self._consumer.highwater(place) or 0)

    def pause(self, place: TopicPartition) -> None:
        """Fetch no more of `place`; it is never resumed, see `Holding`."""
        self._consumer.pause(place)

    def close(self) -> None:
        """Let go of the connection and keep the place in the group for the session time-out."""
        self._consumer.close(autocommit=False, timeout_ms=2_000)

    def leave(self) -> None:
        """Close, and tell the group that this member is gone, so that its partitions do not idle."""
        self.close()
        with closing(KafkaAdminClient(**client_options(self._bus, f"{self._stage}.leave"))) as admin:
            admin.remove_group_members(
                self._bus.group(self._stage), [MemberToRemove(group_instance_id=self._bus.member)]
            )
