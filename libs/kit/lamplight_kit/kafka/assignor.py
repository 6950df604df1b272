"""Co-partitioning: a member has the same partition numbers of every input topic, and keeps them where it can."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment, ConsumerProtocolSubscription

VERSION = 0


def share(claims: Mapping[str, Sequence[int]], partitions: int) -> dict[str, list[int]]:
    """Share partitions 0..`partitions`-1 among members, each keeping what it held as far as shares stay even.

    `claims` is what each member held, members and claims in order of preference: of two that claim the same
    partition the first has it. Shares differ by at most one.
    """
    members = list(claims)
    floor, extra = divmod(partitions, len(members))
    shares: dict[str, list[int]] = {member: [] for member in members}
    free = set(range(partitions))
    for member in members:
        for partition in claims[member]:
            if partition not in free or len(shares[member]) > floor:
                continue
            if len(shares[member]) == floor:
                if extra == 0:
                    continue
                extra -= 1
            shares[member].append(partition)
            free.remove(partition)
    for partition in sorted(free):
        poorest = min(members, key=lambda member: len(shares[member]))
        shares[poorest].append(partition)
    return {member: sorted(held) for member, held in shares.items()}


class CoPartitionAssignor(AbstractPartitionAssignor):  # type: ignore[misc] # kafka-python has no types
    """Gives one member the same partition number of all topics; one object a consumer, since it remembers its share.

    Rebalances are eager: all members stop, agree, go on. The stage keeps the state of what it keeps.
    """

    name = "lamplight-copartition"

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._held: list[int] = []
        self._generation = -1

    def metadata(self, topics: set[str]) -> Any:
        """Tell the leader what this member held, and since which generation."""
        held = json.dumps({"held": self._held, "generation": self._generation}).encode()
        return ConsumerProtocolSubscription(VERSION, sorted(topics), held)

    def on_assignment(self, assignment: Any, generation: int) -> None:
        """Remember this member's share."""
        self._held = sorted({partition.partition for partition in assignment.partitions()})
        self._generation = generation

    def assign(self, cluster: Any, members: Sequence[Any]) -> dict[str, Any]:
        """Share the partitions among `members`, as the group's leader."""
        ordered = sorted(members, key=_order)
        counts = {
            topic: len(cluster.partitions_for_topic(topic) or ())
            for topic in sorted({topic for member in members for topic in member.metadata.topics})
        }
        shares = share({member.member_id: _held(member)[1] for member in ordered}, max(counts.values(), default=0))
        return {
            member.member_id: ConsumerProtocolAssignment(
                VERSION,
                [
                    (topic, [partition for partition in shares[member.member_id] if partition < counts[topic]])
                    for topic in sorted(member.metadata.topics)
                ],
                b"",
            )
            for member in members
        }


def _order(member: Any) -> tuple[int, str]:
    # The latest generation's word on who held what comes first; then by name, so that every leader agrees.
    return (-_held(member)[0], member.group_instance_id or member.member_id)


def _held(member: Any) -> tuple[int, list[int]]:
    try:
        said = json.loads(bytes(member.metadata.user_data))
        return int(said["generation"]), [int(partition) for partition in said["held"]]
    except (ValueError, TypeError, KeyError):
        return -1, []
