"""Burning masks into a picture: solid, never blurred, since blur can be undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lamplight_detect.detections import Boxes, Detections, clip, suppress
from lamplight_detect.detections import area as area_of
from lamplight_detect.gate import picture as redacted
from lamplight_detect.gate.motion import Mask
from lamplight_detect.gate.picture import KINDS, GateClosed, RedactedPicture

_NO_BOXES = np.zeros((0, 4), np.float32)
_SAME_IOU = 0.3
SOMEBODY = frozenset({"person", "face"})
SOMEBODYS_SHARE = 0.3
_FULL = 255
Fill = tuple[NDArray[np.uint8], Mask]
"""A picture [H, W, 3] to fill from, and which pixels [H, W] it fills."""
FILL = 127
"""Mid grey: nothing to look at for a person, nothing to react to for an embedder (it is 0 after normalising)."""


def painted(frame_hw: tuple[int, int], boxes_xyxy: Boxes) -> Mask:
    """Return the mask [H, W] that covers every pixel a box touches."""
    mask = np.zeros(frame_hw, np.bool_)
    cut = clip(boxes_xyxy, frame_hw)
    low, high = np.floor(cut[:, :2]).astype(int), np.ceil(cut[:, 2:]).astype(int)
    for (left, top), (right, bottom) in zip(low, high, strict=True):
        mask[top:bottom, left:right] = True
    return mask


def covered(frame_hw: tuple[int, int], boxes: Mapping[str, Boxes], *areas: Mask | None) -> Mask:
    """Return the union [H, W] of all boxes and areas; GateClosed where one is not a mask of such a picture."""
    for kind, found in boxes.items():
        if kind not in KINDS or not np.isfinite(found).all():
            message = f"masks of kind {kind!r} that are no boxes found, finite boxes of {KINDS} expected"
            raise GateClosed(message)
    mask = painted(frame_hw, np.concatenate([_NO_BOXES, *boxes.values()]))
    for area in areas:
        if area is not None and area.shape != frame_hw:
            message = f"a mask of {area.shape} found, {frame_hw} expected"
            raise GateClosed(message)
        mask |= False if area is None else area
    return mask


@dataclass(frozen=True)
class Masks:
    """All that is masked in a picture: the union `mask` [H, W], what of it must stay `solid`, counts, boxes by kind.

    The picture leaves at `scale` of its size.
    """

    mask: Mask
    solid: Mask
    counts: Mapping[str, int]
    boxes: Mapping[str, Boxes]
    scale: float


def merged(
    frame_hw: tuple[int, int],
    boxes: Mapping[str, Boxes],
    motion: Mask | None,
    held: Mask | None,
    scale: float,
    people: Mask | None = None,
) -> Masks:
    """Return all masks of a picture. What is not somebody's, now or among `people` [H, W], must stay solid.

    Of parts that hang together those are somebody's which are largely masked as people; plates never are. Motion is
    counted where nothing else masks it: what moves under a mask is not told of.
    """
    counts = {kind: _apart(boxes.get(kind, _NO_BOXES)) for kind in KINDS}
    mask = covered(frame_hw, boxes, motion, held)
    counts["motion"] = _areas(mask & ~covered(frame_hw, boxes, held))
    found = covered(frame_hw, {kind: boxes.get(kind, _NO_BOXES) for kind in SOMEBODY}, people)
    solid = mask & ~_somebodys(mask, found) | painted(frame_hw, boxes.get("plate", _NO_BOXES))
    return Masks(mask, solid, counts, dict(boxes), scale)


def _somebodys(mask: Mask, people: Mask) -> Mask:
    """Return `people`, and the parts of `mask` that they hold SOMEBODYS_SHARE of: a flood with a wader stays solid."""
    at = rectangle(mask)
    inner = mask[at]
    labels_of, labels, stats, _ = cv2.connectedComponentsWithStats(inner.astype(np.uint8))
    held = np.bincount(labels[people[at] & inner], minlength=labels_of)
    wanted = held >= SOMEBODYS_SHARE * stats[:, cv2.CC_STAT_AREA]
    wanted[0] = False
    found = people.copy()
    found[at] |= wanted[labels]
    return found


def rectangle(mask: Mask) -> tuple[slice, slice]:
    """Return rows and columns that hold all of `mask` [H, W], at least a pixel: the rest need not be gone through.

    They begin at even pixels, as the blocks of 2x2 do that connected parts are told by: these are numbered as in all.
    """
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return slice(top & ~1, top + max(height, 1)), slice(left & ~1, left + max(width, 1))


def redact(
    bgr: NDArray[np.uint8], boxes: Mapping[str, Boxes], motion: Mask | None, held: Mask | None, scale: float
) -> RedactedPicture:
    """Return `bgr` with all masks burnt in, to leave at `scale` of its size."""
    return burnt(bgr, merged((bgr.shape[0], bgr.shape[1]), boxes, motion, held, scale))


def burnt(
    bgr: NDArray[np.uint8], masks: Masks, fill: Callable[[NDArray[np.uint8], Mask], Fill] | None = None
) -> RedactedPicture:
    """Return `bgr` with `masks` burnt in; `fill` may say, of the picture and its holes, what to show in them."""
    shown, filled = _filled(bgr, masks.mask), None
    if fill is not None:
        holes = masks.mask & ~masks.solid
        fill_bgr, filled = fill(shown, holes)
        filled &= holes
        shown[filled] = fill_bgr[filled]
    counts, boxes = masks.counts, masks.boxes
    door = redacted._DOOR  # noqa: SLF001 - our own door
    return RedactedPicture(shown, masks.mask, counts, boxes, masks.scale, door, filled)


def leaving(picture: RedactedPicture) -> RedactedPicture:
    """Return `picture` in the size in which it leaves; encoders take no other."""
    if picture.leaving_hw == picture.frame_hw:
        return picture
    size = picture.leaving_hw[::-1]
    mask = cv2.resize(picture.mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) > 0
    small = cv2.resize(picture.bgr, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    filled = None
    if picture.filled is not None:
        whole = cv2.resize(picture.filled.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
        filled = whole == _FULL
    shown = _filled(small, mask if filled is None else mask & ~filled)
    return RedactedPicture(shown, mask, picture.masks, {}, 1.0, redacted._DOOR, filled)  # noqa: SLF001


def _filled(bgr: NDArray[np.uint8], mask: Mask) -> NDArray[np.uint8]:
    """Return a copy of `bgr` with FILL where `mask` holds: what was there is not even read."""
    filled = np.full(bgr.shape, FILL, np.uint8)
    cv2.copyTo(bgr, (~mask).view(np.uint8), filled)
    return filled


def cut(picture: RedactedPicture, box_xyxy: Boxes | None, solid: Boxes, max_side_px: int) -> RedactedPicture:
    """Return the part of `picture` in `box_xyxy` [1, 4] (all of it where None) with `solid` boxes masked too.

    It is made smaller until its longer side is at most `max_side_px`; GateClosed where the box is empty.
    """
    mask = picture.mask | painted(picture.frame_hw, solid)
    height, width = picture.frame_hw
    rows, columns = slice(0, height), slice(0, width)
    if box_xyxy is not None:
        left, top, right, bottom = np.rint(clip(box_xyxy, picture.frame_hw)[0]).astype(int)
        rows, columns = slice(top, bottom), slice(left, right)
    part_mask = np.ascontiguousarray(mask[rows, columns])
    if part_mask.size == 0:
        message = "an empty part of a picture found, one with pixels expected"
        raise GateClosed(message)
    part = _filled(np.ascontiguousarray(picture.bgr[rows, columns]), part_mask)
    scale = min(1.0, max_side_px / max(part.shape[:2]))
    if scale < 1:
        size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        part_mask = cv2.resize(part_mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) > 0
    left = min(1.0, picture.scale / scale)
    return RedactedPicture(np.ascontiguousarray(part), part_mask, picture.masks, {}, left, redacted._DOOR)  # noqa: SLF001


def _apart(boxes_xyxy: Boxes) -> int:
    """Return how many boxes there are that do not largely cover each other: several may mask one person."""
    found = Detections(boxes_xyxy, area_of(boxes_xyxy), np.zeros(len(boxes_xyxy), np.int64))
    return len(suppress(found, _SAME_IOU))


def _areas(mask: Mask) -> int:
    count, _ = cv2.connectedComponents(mask[rectangle(mask)].astype(np.uint8))
    return int(count) - 1
