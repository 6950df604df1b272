"""Zones: which of a camera's named areas hold a foot point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lamplight_detect.detections import Boxes


@dataclass(frozen=True)
class Zone:
    """A named polygon; `corners` [K, 2] are x, y as fractions of the picture."""

    zone_id: str
    corners: NDArray[np.float64]


def feet(boxes_xyxy: Boxes, frame_hw: tuple[int, int]) -> NDArray[np.float64]:
    """Return the foot points [N, 2]: the middle of each box's lower edge, x, y as fractions of the picture."""
    height, width = frame_hw
    across = (boxes_xyxy[:, 0] + boxes_xyxy[:, 2]) / 2 / width
    return np.stack([across, boxes_xyxy[:, 3] / height], axis=1).astype(np.float64)


def inside(points: NDArray[np.float64], zone: Zone) -> NDArray[np.bool_]:
    """Return which points [N, 2] lie in the zone, by the even-odd rule (a ray to the right crosses its edges)."""
    start, end = zone.corners, np.roll(zone.corners, -1, axis=0)
    x, y = points[:, 0, None], points[:, 1, None]
    spans = (start[:, 1] > y) != (end[:, 1] > y)
    slope = np.where(end[:, 1] == start[:, 1], 1.0, end[:, 1] - start[:, 1])
    crossing = start[:, 0] + (y - start[:, 1]) * (end[:, 0] - start[:, 0]) / slope
    held: NDArray[np.bool_] = ((spans & (x < crossing)).sum(axis=1) % 2).astype(np.bool_)
    return held


def zones_of(boxes_xyxy: Boxes, zones: Sequence[Zone], frame_hw: tuple[int, int]) -> list[tuple[str, ...]]:
    """Return, for each box, the ids of the zones that hold its foot point."""
    points = feet(boxes_xyxy, frame_hw)
    held = [inside(points, zone) for zone in zones]
    return [tuple(zone.zone_id for zone, hit in zip(zones, held, strict=True) if hit[n]) for n in range(len(points))]
