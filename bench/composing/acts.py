"""Who does what when: they come in, stop, stand, sit or lie for a while, and leave again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from composing.places import Place

HEIGHTS_A_SECOND = 1.2
LEAST_PX_A_SECOND = 14.0
"""Far people are let walk a little faster than that, or a clip would be long."""
STAGGER_S = 1.5
SITTING_SHARE = 0.72
"""How tall somebody who sits is, beside their own height."""
SITTER = "on-logs"


class Doing(StrEnum):
    """What somebody does."""

    WALKING = "walking"
    STANDING = "standing"
    SITTING = "sitting"
    LYING = "lying"


STOPS = (Doing.STANDING, Doing.LYING, Doing.STANDING, Doing.SITTING)


@dataclass(frozen=True)
class Act:
    """One person's: `who` (a name of people.tsv) comes from `from_x` to `spot_x`, stays, and goes back."""

    who: str
    height_px: float
    foot_y: float
    from_x: float
    spot_x: float
    seen_x: tuple[float, float]
    enters_s: float
    stays_s: float
    stop: Doing

    @property
    def walk_s(self) -> float:
        """How long the way to the spot takes."""
        speed = max(LEAST_PX_A_SECOND, HEIGHTS_A_SECOND * self.height_px)
        return abs(self.spot_x - self.from_x) / speed

    @property
    def ends_s(self) -> float:
        """When they are gone."""
        return self.enters_s + 2 * self.walk_s + self.stays_s

    def at(self, at_s: float) -> tuple[float, Doing] | None:
        """Return where their middle is and what they do; None while they are not there."""
        since_s, left_s = at_s - self.enters_s, self.ends_s - at_s
        if min(since_s, left_s) < 0:
            return None
        share = min(since_s, left_s) / max(self.walk_s, 1e-6)
        if share >= 1:
            return self.spot_x, self.stop
        return self.from_x + share * (self.spot_x - self.from_x), Doing.WALKING


def wave(
    place: Place, names: Sequence[str], heights_px: Sequence[float], from_s: float, stays_s: float, seed: int
) -> list[Act]:
    """Return the acts of several people who come one after the other, each to a spot of their own side by side."""
    random = np.random.default_rng(seed)
    spots = (random.permutation(len(heights_px)) + 0.5) / len(heights_px)
    acts = []
    for at, (height_px, spot) in enumerate(zip(heights_px, spots, strict=True)):
        where = place.at(height_px)
        left, right = place.stops_x or (where.left_x + height_px / 3, where.right_x - height_px / 3)
        spot_x = left + float(spot) * (right - left)
        is_left = spot_x < (where.left_x + where.right_x) / 2
        from_x = where.left_x - height_px / 4 if is_left else where.right_x + height_px / 4
        stop = STOPS[(at + seed) % len(STOPS)]
        acts.append(
            Act(
                who=names[(seed * 7 + at) % len(names)],
                height_px=height_px,
                foot_y=where.foot_y,
                from_x=from_x,
                spot_x=spot_x,
                seen_x=(where.left_x, where.right_x),
                enters_s=from_s + STAGGER_S * at,
                stays_s=stays_s,
                stop=stop,
            )
        )
    return acts
