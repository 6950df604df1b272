"""Faults of our own, each of which costs one camera: where they stand in the code, and how long that camera rests."""

from __future__ import annotations

import random
import traceback
from collections.abc import Iterator
from pathlib import Path

FIRST_S, MOST_S = 1.0, 60.0
FORGIVEN_S = 600.0
"""A camera without a fault for so long begins at the shortest rest again."""
_FRAMES = 8


class Rests:
    """Which cameras rest after a fault; each one the longer, the more it had in a row. Seconds in, seconds out."""

    def __init__(self) -> None:
        """Let none rest."""
        self._rests: dict[str, tuple[int, float]] = {}

    def begin(self, camera_id: str, now_s: float) -> None:
        """Let a camera rest from now on."""
        count, until_s = self._rests.get(camera_id, (0, now_s))
        count = 1 if now_s - until_s >= FORGIVEN_S else count + 1
        full_s = min(MOST_S, FIRST_S * 2.0 ** min(count - 1, 16))
        spread = 0.5 + 0.5 * random.random()  # noqa: S311 - spreads those that fell together
        self._rests[camera_id] = (count, now_s + full_s * spread)

    def rests(self, camera_id: str, now_s: float) -> bool:
        """Tell whether a camera is to be left alone now."""
        return now_s < self._rests.get(camera_id, (0, now_s))[1]

    def count(self, now_s: float) -> int:
        """Return how many rest."""
        return sum(now_s < until_s for _, until_s in self._rests.values())

    def keep(self, camera_ids: frozenset[str]) -> None:
        """Forget all but `camera_ids`."""
        for camera_id in self._rests.keys() - camera_ids:
            del self._rests[camera_id]


def told(error_class: str) -> str:
    """Return the reason that a state gives for a fault: its class alone, since its text may hold anything."""
    return f"a fault of ingest's own ({error_class}); its log tells more"


def where(error: BaseException) -> str:
    """Return where an error was raised, innermost last: places alone, since its text may hold what a server sent."""
    return " > ".join(_places(error))


def _places(error: BaseException) -> Iterator[str]:
    for frame in traceback.extract_tb(error.__traceback__)[-_FRAMES:]:
        yield f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
