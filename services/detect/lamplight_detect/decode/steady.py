"""Whether a file's pictures come in even steps, so that a hole among their times says that one is missing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

NEAR, STEADY_SHARE, HOLE = 0.25, 0.9, 1.5
"""Steps within a quarter of the usual one are even, as nine of ten must be; one half as long again is a hole."""
LEAST_STEPS = 4


def hole_over(times: Sequence[int]) -> float | None:
    """Return the step between two of these times (in their order) beyond which a picture is missing.

    None where the steps vary (phones, screens, cameras that save light): a long one says nothing there.
    """
    steps = [later - earlier for earlier, later in pairwise(times) if later > earlier]
    if len(steps) < LEAST_STEPS:
        return None
    usual = median(steps)
    even = sum(abs(step - usual) <= NEAR * usual for step in steps)
    return HOLE * usual if even >= STEADY_SHARE * len(steps) else None
