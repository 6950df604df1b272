"""Who watches a camera while its partition moves from one worker to another; pure.

The old holder goes on until the new one has an answer of the camera, so that a move costs no picture: each epoch counts
by itself, and every reader drops the lower one. Nobody contests a camera while the group may still be agreeing.
"""

from __future__ import annotations

from dataclasses import dataclass

HAND_OVER_S = 30.0
"""Longest time that a camera is watched on after its partition went; also how long a bus that is away is outlived."""
CONTEST_S = 5.0
"""How long a higher epoch must stand beside a partition that is held, before the camera is begun above it."""
LEAVE_S = 10.0
"""Longest time that a worker which leaves in order waits for the others to have its cameras."""


@dataclass(frozen=True)
class Told:
    """The newest word of a camera, whoever wrote it; `is_settled` once its source has given an answer, good or bad."""

    epoch: int = 0
    is_settled: bool = False


def is_handed_over(epoch: int, told: Told) -> bool:
    """Tell whether another worker has this camera: in a higher epoch, and with an answer of its source."""
    return told.epoch > epoch and told.is_settled


def lets_go(epoch: int, away_s: float, told: Told) -> bool:
    """Tell whether the run in `epoch` is over whose partition went `away_s` ago."""
    return away_s >= HAND_OVER_S or is_handed_over(epoch, told)


def contests(epoch: int, known_epoch: int, stood_s: float) -> bool:
    """Tell whether to begin anew above a higher epoch that has stood for `stood_s` beside our own partition.

    A new holder may write its epoch before we hear that the partition is no longer ours; whoever answered that with a
    still higher one would take the camera back, and be answered in turn.
    """
    return known_epoch > epoch and stood_s >= CONTEST_S
