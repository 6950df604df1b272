"""What outside detectors find in an output, and what of it is explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lamplight_detect.detections import Boxes, grown, intersection
from lamplight_detect.gate.motion import Mask
from lamplight_detect.gate.picture import RedactedPicture
from lamplight_detect.privacy_bench.labels import Labelled
from lamplight_detect.privacy_bench.tally import HEIGHTS_PX, masked

MASKED_SHARE = 0.5
"""A find that is masked so far is of the masks themselves: grey shapes of people pass for people."""
HELD_SHARE = 0.5
"""A find that lies so far in somebody's box is of that person."""
NEAR = 0.2
"""Labels are drawn to a few pixels, and a detector's box of somebody small to a few more."""


@dataclass(frozen=True)
class Find:
    """What one outside detector took for a face or a person, in pixels of what left."""

    by: str
    score: float
    box_xyxy: tuple[float, float, float, float]

    def enlarged(self, by: float) -> Find:
        """Return it in the picture `by` times as large."""
        left, top, right, bottom = self.box_xyxy
        return Find(self.by, self.score, (left * by, top * by, right * by, bottom * by))


class Outside(Protocol):
    """An outside detector."""

    def finds(self, jpeg: bytes) -> Sequence[Find]:
        """Return who it finds in a redacted picture."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


@dataclass(frozen=True)
class Explained:
    """The finds in one picture: how many are of the masks, how many of people already counted, and the rest."""

    of_masks: int
    of_counted: int
    others: tuple[Find, ...]


def explained(finds: Sequence[Find], picture: RedactedPicture, labels: Labelled) -> Explained:
    """Return what stands behind `finds`, which are in pixels of what left; `labels` are in those of what came.

    Counted are people whom the bench holds to be missed, people below the least height, and crowds.
    """
    finds = [find.enlarged(1 / picture.scale) for find in finds]
    counted = _counted(labels, picture.mask)
    of_masks = of_counted = 0
    others = []
    for find in finds:
        if _is_masked(find, picture.mask):
            of_masks += 1
        elif _is_held(find, counted):
            of_counted += 1
        else:
            others.append(find)
    return Explained(of_masks, of_counted, tuple(others))


def _counted(labels: Labelled, mask: Mask) -> Boxes:
    missed = [box for box in labels.people if box[3] - box[1] < HEIGHTS_PX[0][0] or not masked(mask, box)]
    return np.concatenate([np.array(missed, np.float32).reshape(-1, 4), labels.crowds])


def _is_masked(find: Find, mask: Mask) -> bool:
    left, top, right, bottom = (round(max(side, 0)) for side in find.box_xyxy)
    part = mask[top : max(bottom, top + 1), left : max(right, left + 1)]
    return bool(part.size and part.mean() >= MASKED_SHARE)


def _is_held(find: Find, counted: Boxes) -> bool:
    box = np.array([find.box_xyxy], np.float32)
    size = max(float((box[0, 2] - box[0, 0]) * (box[0, 3] - box[0, 1])), 1e-6)
    return bool(len(counted) and (intersection(box, grown(counted, NEAR)) / size >= HELD_SHARE).any())
