"""Masks on the small grey copy, and on cells of 4x4 of its pixels."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lamplight_detect.detections import Boxes, clip
from lamplight_detect.gate.motion import CELL_PX, Mask, gridded

SIDE: Final = 4
"""A cell: so many pixels of the small copy each way."""
SURPRISE_SHARE = 0.95


def small_of(grid: Mask, frame_hw: tuple[int, int], small_hw: tuple[int, int]) -> Mask:
    """Return the 8-pixel `grid` of a picture of `frame_hw` on its small copy; a pixel is masked where any part is."""
    if not grid.any():
        return np.zeros(small_hw, np.bool_)
    top, bottom = _spans(frame_hw[0], small_hw[0])
    left, right = _spans(frame_hw[1], small_hw[1])
    rows = grid.take(top, axis=0) | grid.take(bottom, axis=0)
    return rows.take(left, axis=1) | rows.take(right, axis=1)


def painted_small(boxes_xyxy: Boxes, frame_hw: tuple[int, int], small_hw: tuple[int, int]) -> Mask:
    """Return which pixels of the small copy any box [N, 4] of the picture touches."""
    found = np.zeros(small_hw, np.bool_)
    scale = np.array([small_hw[1] / frame_hw[1], small_hw[0] / frame_hw[0]] * 2)
    boxes = clip(boxes_xyxy, frame_hw) * scale
    for (left, top), (right, bottom) in zip(
        np.floor(boxes[:, :2]).astype(int), np.ceil(boxes[:, 2:]).astype(int), strict=True
    ):
        found[top:bottom, left:right] = True
    return found


def widened(mask: Mask, by: int) -> Mask:
    """Return `mask` grown by `by` pixels, or cells, each way."""
    side = 2 * by + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)).astype(np.bool_)


def in_cells(mask: Mask) -> Mask:
    """Return `mask` [h, w] in cells; a cell is masked where any of its pixels is."""
    return gridded(mask, SIDE)


def mostly_in_cells(mask: Mask) -> Mask:
    """Return `mask` [h, w] in cells; a cell is masked where at least half its pixels are."""
    height, width = mask.shape
    whole = np.zeros((-(-height // SIDE) * SIDE, -(-width // SIDE) * SIDE), np.bool_)
    whole[:height, :width] = mask
    blocks = whole.reshape(whole.shape[0] // SIDE, SIDE, whole.shape[1] // SIDE, SIDE)
    found: Mask = np.mean(blocks, axis=(1, 3)) >= 0.5
    return found


def surprises(people: Mask, vouched: Mask) -> Mask:
    """Return those parts of `people` [h, w] that hang together of which `vouched` holds SURPRISE_SHARE.

    Somebody was found where the ground says that nothing has come: they may have been learnt into it.
    """
    _, labels = cv2.connectedComponents(people.astype(np.uint8), connectivity=4)
    sizes = np.bincount(labels.ravel())
    shares = np.bincount(labels.ravel(), weights=vouched.ravel()) / np.maximum(sizes, 1)
    is_surprise = shares >= SURPRISE_SHARE
    is_surprise[0] = False
    found: Mask = is_surprise[labels]
    return found


def of_cells(cells: Mask, small_hw: tuple[int, int]) -> Mask:
    """Return the pixels of `cells`."""
    spread: Mask = np.repeat(np.repeat(cells, SIDE, axis=0), SIDE, axis=1)[: small_hw[0], : small_hw[1]]
    return spread


def _spans(full_px: int, small_px: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first and the last 8-pixel cell that each pixel of the small copy lies in."""
    edges = np.arange(small_px + 1) * (full_px / small_px)
    first = np.floor(edges[:-1]).astype(np.intp) // CELL_PX
    last = (np.ceil(edges[1:]).astype(np.intp) - 1) // CELL_PX
    return first, np.maximum(first, last)
