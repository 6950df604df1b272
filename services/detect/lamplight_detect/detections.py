"""`Detections`: the one value that carries boxes through all of detect, and the geometry of boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""Boxes [N, 4]: left, top, right, bottom in pixels of the picture."""


@dataclass(frozen=True)
class Detections:
    """Boxes with scores (0 to 1) and classes (indices of the model's manifest).

    `boxes_xyxy` [N, 4] float32 in pixels, `scores` [N] float32, `class_ids` [N] int64; functions return new ones.
    """

    boxes_xyxy: Boxes
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        count = len(self.scores)
        if self.boxes_xyxy.shape != (count, 4) or self.class_ids.shape != (count,):
            shapes = self.boxes_xyxy.shape, self.scores.shape, self.class_ids.shape
            message = f"arrays of shapes {shapes} found, [N, 4], [N] and [N] expected"
            raise ValueError(message)

    @classmethod
    def none(cls) -> Self:
        """Return no detections."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))

    @classmethod
    def joined(cls, parts: Sequence[Detections]) -> Self:
        """Return all detections of `parts`, in their order."""
        if not parts:
            return cls.none()
        return cls(
            np.concatenate([part.boxes_xyxy for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.class_ids for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.scores)

    def where(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Detections:
        """Return those that `keep` (a mask [N], or indices) names."""
        return Detections(self.boxes_xyxy[keep], self.scores[keep], self.class_ids[keep])

    def of(self, class_ids: Sequence[int]) -> Detections:
        """Return those of `class_ids`."""
        return self.where(self.is_of(class_ids))

    def is_of(self, class_ids: Sequence[int]) -> NDArray[np.bool_]:
        """Return which [N] are of `class_ids`, a few."""
        found: NDArray[np.bool_] = np.any(self.class_ids[:, None] == np.asarray(class_ids, np.int64), axis=1)
        return found

    def at_least(self, score: float) -> Detections:
        """Return those with `score` or more."""
        return self.where(self.scores >= score)


def area(boxes_xyxy: Boxes) -> NDArray[np.float32]:
    """Return the areas [N] in square pixels; 0 where a box is empty."""
    sides = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0)
    found: NDArray[np.float32] = sides[:, 0] * sides[:, 1]
    return found


def intersection(ours: Boxes, theirs: Boxes) -> NDArray[np.float32]:
    """Return the areas [N, M] that each of `ours` shares with each of `theirs`, square pixels."""
    left, top = (np.maximum.outer(ours[:, side], theirs[:, side]) for side in (0, 1))
    right, bottom = (np.minimum.outer(ours[:, side], theirs[:, side]) for side in (2, 3))
    shared: NDArray[np.float32] = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    return shared


def iou(ours: Boxes, theirs: Boxes) -> NDArray[np.float32]:
    """Return intersection over union [N, M], 0 where both boxes are empty."""
    shared = intersection(ours, theirs)
    union = area(ours)[:, None] + area(theirs)[None, :] - shared
    share: NDArray[np.float32] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return share


def clip(boxes_xyxy: Boxes, frame_hw: tuple[int, int]) -> Boxes:
    """Return the boxes cut off at the picture's edges."""
    height, width = frame_hw
    limit = np.array([width, height, width, height], np.float32)
    return np.clip(boxes_xyxy, np.float32(0), limit)


def grown(boxes_xyxy: Boxes, share: float) -> Boxes:
    """Return the boxes with `share` of their width and height added at each side."""
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    return np.concatenate([boxes_xyxy[:, :2] - share * sides, boxes_xyxy[:, 2:] + share * sides], axis=1)


def suppress(found: Detections, iou_over: float, *, across_classes: bool = False) -> Detections:
    """Return `found` without those that overlap a surer one of their class by more than `iou_over`, surest first.

    Greedy non-maximum suppression; `across_classes` lets a box suppress those of other classes too.
    """
    ranked = found.where(np.argsort(-found.scores, kind="stable"))
    overlaps = iou(ranked.boxes_xyxy, ranked.boxes_xyxy) > iou_over
    if not across_classes:
        overlaps &= np.equal.outer(ranked.class_ids, ranked.class_ids)
    alive = np.ones(len(ranked), np.bool_)
    for index in np.flatnonzero(overlaps.sum(axis=1) > 1):
        if alive[index]:
            alive[index + 1 :] &= ~overlaps[index, index + 1 :]
    return ranked.where(alive)
