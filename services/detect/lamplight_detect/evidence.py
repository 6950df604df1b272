"""When a picture is worth sending through the gate: as seldom as an alert can bear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lamplight_detect.things import Counted

NS_PER_S = 1_000_000_000
STEPS = (1, 2, 4, 7, 12, 20, 35, 60, 100)
"""A count crosses a step when it reaches or leaves one of these."""
COUNT_GAP_S = 5.0
"""Counts of a busy place cross steps all the time; between two pictures for that alone lies this long."""


@dataclass(frozen=True)
class Stored:
    """What was so when the newest picture was stored; `at_ns` 0 where none is."""

    key: str = ""
    at_ns: int = 0
    steps: frozenset[tuple[str, str, int]] = frozenset()
    health: frozenset[int] = frozenset()


def steps_of(counted: Counted | None) -> frozenset[tuple[str, str, int]]:
    """Return the step of each count: zone (empty for the whole), class, how many of STEPS it has reached."""
    if counted is None:
        return frozenset()
    everywhere: dict[str, Mapping[str, int]] = {"": counted.whole, **counted.zones}
    return frozenset(
        (zone, name, sum(number >= step for step in STEPS))
        for zone, counts in everywhere.items()
        for name, number in counts.items()
    )


def is_due(
    stored: Stored,
    at_ns: int,
    *,
    places_changed: bool,
    counted: Counted | None,
    health: frozenset[int],
    scene_due: bool,
    every_s: float,
) -> bool:
    """Tell whether a picture of `at_ns` is to be released and stored."""
    gap_s = (at_ns - stored.at_ns) / NS_PER_S
    first = stored.at_ns == 0
    counts_crossed = gap_s >= COUNT_GAP_S and steps_of(counted) != stored.steps
    return first or places_changed or scene_due or health != stored.health or counts_crossed or gap_s >= every_s
