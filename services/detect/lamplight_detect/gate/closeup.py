"""A closer look at a part of a picture: turned by every quarter and at two scales, several looks to a model call."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from lamplight_kit.onnx import Kind
from numpy.typing import NDArray

from lamplight_detect.detections import Boxes, Detections, area, clip, grown, intersection, iou
from lamplight_detect.gate.masks import FILL
from lamplight_detect.gate.poses import TURNS
from lamplight_detect.models.finder import Finder, believable

CANVAS_PX = 416
"""The side of the things' model: a larger canvas would be made smaller."""
MARGIN = 0.5
LEAST_SIDE_PX = 24
SIDES_PX = CANVAS_PX // 2 - 8, CANVAS_PX // 4 - 8
"""How large the part is shown: four of them fit a canvas, with a gap between."""
SAME_IOU = 0.4
WITHIN, WITHIN_SHARE = 0.7, 0.15
"""Somebody who fills a part of the box: so much of them lies in it, and so much of it is they."""
NEAR_SCORE = 0.3
"""Whoever touches the box in any way counts from this score on."""


def is_anyone(things: Finder, bgr: NDArray[np.uint8], box_xyxy: Boxes, at_least: float) -> bool:
    """Tell whether anybody may be in the box [1, 4] of `bgr`, in its four turns, at two scales.

    From score `at_least` on whoever is as large as the box or fills a part of it; from NEAR_SCORE whoever touches it.
    """
    near, box = _around(box_xyxy, (bgr.shape[0], bgr.shape[1]))
    left, top, right, bottom = near
    part = bgr[top:bottom, left:right]
    people = things.manifest.indices(Kind.PERSON)
    for shown_px, canvas in zip(SIDES_PX, canvases(part), strict=True):
        found = believable(things.find(canvas, at_least), (CANVAS_PX, CANVAS_PX)).of(people)
        boxes = _boxes_shown(box - np.array([left, top] * 2, np.float32), (part.shape[0], part.shape[1]), shown_px)
        if _is_there(found, boxes):
            return True
    return False


def is_at(people: Detections, box_xyxy: Boxes) -> bool:
    """Tell whether any of `people` may be in the box [1, 4]."""
    return _is_there(people, box_xyxy)


def _is_there(people: Detections, boxes_xyxy: Boxes) -> bool:
    """Tell whether any of `people` is in one of the boxes [N, 4]."""
    if len(people) == 0:
        return False
    shared = intersection(people.boxes_xyxy, boxes_xyxy)
    is_within = (shared >= WITHIN * area(people.boxes_xyxy)[:, None]) & (shared >= WITHIN_SHARE * area(boxes_xyxy))
    is_same = iou(people.boxes_xyxy, boxes_xyxy) >= SAME_IOU
    is_near = (shared > 0) & (people.scores >= NEAR_SCORE)[:, None]
    return bool((is_within | is_same | is_near).any())


def _boxes_shown(box_xyxy: Boxes, part_hw: tuple[int, int], shown_px: int) -> Boxes:
    """Return where the box [1, 4] of the part lies on its canvas in each of the four turns."""
    side, scale = CANVAS_PX // 2, shown_px / max(part_hw)
    (left, top, right, bottom), (height, width) = box_xyxy[0], part_hw
    turned = [
        (left, top, right, bottom),
        (height - bottom, left, height - top, right),
        (width - right, height - bottom, width - left, height - top),
        (top, width - right, bottom, width - left),
    ]
    moved = [[side * (turn % 2), side * (turn // 2)] * 2 for turn in TURNS]
    return np.array(turned, np.float32) * scale + np.array(moved, np.float32)


def canvases(part: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield canvases that show `part` in its four turns: once as large as four of them fit, once half as large."""
    side = CANVAS_PX // 2
    turned = [np.ascontiguousarray(np.rot90(part, -turn)) for turn in TURNS]
    for shown_px in SIDES_PX:
        canvas = np.full((CANVAS_PX, CANVAS_PX, 3), FILL, np.uint8)
        for turn, one in enumerate(turned):
            fitted = _fitted(one, shown_px)
            top, left = side * (turn // 2), side * (turn % 2)
            canvas[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
        yield canvas


def _around(box_xyxy: Boxes, frame_hw: tuple[int, int]) -> tuple[tuple[int, int, int, int], Boxes]:
    """Return whole pixels around the box [1, 4] with its margin, and the box, both at least LEAST_SIDE_PX large."""
    centre = (box_xyxy[:, :2] + box_xyxy[:, 2:]) / 2
    half = np.maximum((box_xyxy[:, 2:] - box_xyxy[:, :2]) / 2, LEAST_SIDE_PX / 2)
    box = np.concatenate([centre - half, centre + half], axis=1)
    left, top, right, bottom = (int(side) for side in np.rint(clip(grown(box, MARGIN), frame_hw)[0]))
    return (left, top, max(right, left + 1), max(bottom, top + 1)), box.astype(np.float32)


def _fitted(part: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    scale = side_px / max(part.shape[:2])
    size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(part, size, interpolation=how).astype(np.uint8, copy=False)
