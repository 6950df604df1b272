"""What a valid ground spares the gate: where nobody can have come since it was learnt, no closer look is needed."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from lamplight_detect.detections import Detections
from lamplight_detect.gate.motion import Mask, Recent
from lamplight_detect.gate.policy import Policy
from lamplight_detect.gate.tiling import Grid, Plan, Tile
from lamplight_detect.models.letterbox import Bgr


def spared(recent: Recent, frame_hw: tuple[int, int], luma_hw: tuple[int, int], policy: Policy) -> Mask | None:
    """Return which pixels [h, w] of the small copy are spared a closer look; None where none are.

    That is what a ground vouches for, in pictures of at most `spared_most_px`, but for one in `full_every`: in that
    one somebody whom the ground was learnt with may still be found.
    """
    vouched = recent.vouched
    if (
        vouched is None
        or not recent.is_spared
        or vouched.shape != luma_hw
        or frame_hw[0] * frame_hw[1] > policy.spared_most_px
    ):
        return None
    is_full = policy.full_every and recent.turns.pictures % policy.full_every == 0
    return None if is_full else vouched


def needed(plan: Plan, vouched: Mask | None, policy: Policy) -> list[Tile]:
    """Return the tiles of `plan` in which anything is not vouched for; fewer of the same size where these hold it."""
    if vouched is None:
        return plan.tiles()
    return [tile for grid in plan.grids for tile in _needed_of(grid, vouched, policy)]


def _needed_of(grid: Grid, vouched: Mask, policy: Policy) -> list[Tile]:
    touched = [tile for tile in grid.tiles() if not _small(vouched, tile, grid.frame_hw).all()]
    parts = _around(vouched, grid.frame_hw, policy)
    rows, columns = grid.tiles()[0]
    centred = [_centred(part, (rows.stop, columns.stop), grid.frame_hw) for part in parts[: len(touched)]]
    is_less = len(parts) < len(touched) and all(_holds(*pair) for pair in zip(centred, parts, strict=True))
    return centred if is_less else touched


def found_where(find: Callable[[Bgr], Detections], picture: Bgr, vouched: Mask | None, policy: Policy) -> Detections:
    """Return what `find` sees in `picture` [H, W, 3], in parts of it where those are enough."""
    parts = None if vouched is None else windows(vouched, (picture.shape[0], picture.shape[1]), policy)
    if parts is None:
        return find(picture)
    return Detections.joined([_moved(find(np.ascontiguousarray(picture[part])), part) for part in parts])


def windows(vouched: Mask, frame_hw: tuple[int, int], policy: Policy) -> list[Tile] | None:
    """Return the parts of a picture of `frame_hw` around all that is not vouched for, with a margin.

    None where they are so large or so many that the whole picture costs as little.
    """
    parts = _around(vouched, frame_hw, policy)
    most_px = policy.windows_most_share * frame_hw[0] * frame_hw[1]
    return parts if sum(_area(part) for part in parts) <= most_px else None


def _around(vouched: Mask, frame_hw: tuple[int, int], policy: Policy) -> list[Tile]:
    """Return the boxes of all that is not vouched for, with a margin; what is near each other shares one."""
    side = 2 * policy.window_margin_px + 1
    near = cv2.dilate((~vouched).astype(np.uint8), np.ones((side, side), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(near)
    return [_tile(left, top, width, height, vouched.shape, frame_hw) for left, top, width, height, _ in stats[1:]]


def _centred(part: Tile, tile_hw: tuple[int, int], frame_hw: tuple[int, int]) -> Tile:
    """Return the tile of `tile_hw` that lies about the middle of `part`, within the picture."""
    starts = [
        min(max((one.start + one.stop - side) // 2, 0), full - side)
        for one, side, full in zip(part, tile_hw, frame_hw, strict=True)
    ]
    return slice(starts[0], starts[0] + tile_hw[0]), slice(starts[1], starts[1] + tile_hw[1])


def _holds(tile: Tile, part: Tile) -> bool:
    return all(one.start <= other.start and other.stop <= one.stop for one, other in zip(tile, part, strict=True))


def _moved(found: Detections, part: Tile) -> Detections:
    rows, columns = part
    boxes = found.boxes_xyxy + np.array([columns.start, rows.start] * 2, np.float32)
    return Detections(boxes, found.scores, found.class_ids)


def _small(mask: Mask, tile: Tile, frame_hw: tuple[int, int]) -> Mask:
    """Return the part of a small `mask` that a tile of the picture touches."""
    rows, columns = (
        slice(part.start * small // full, -(-part.stop * small // full))
        for part, small, full in zip(tile, mask.shape, frame_hw, strict=True)
    )
    return mask[rows, columns]


def _tile(left: int, top: int, width: int, height: int, small_hw: tuple[int, ...], frame_hw: tuple[int, int]) -> Tile:
    """Return a box of the small copy as a part of the picture."""
    rows, columns = (
        slice(start * full // small, -(-(start + length) * full // small))
        for start, length, small, full in zip((top, left), (height, width), small_hw, frame_hw, strict=True)
    )
    return rows, columns


def _area(part: Tile) -> int:
    rows, columns = part
    return int(rows.stop - rows.start) * int(columns.stop - columns.start)
