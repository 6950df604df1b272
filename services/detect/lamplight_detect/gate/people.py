"""People in a picture: which boxes are masked as somebody, and what goes with them."""

from __future__ import annotations

import numpy as np
from lamplight_kit.onnx import Kind, Manifest
from numpy.typing import NDArray

from lamplight_detect.detections import Boxes, Detections, area, grown, intersection
from lamplight_detect.gate.policy import Policy
from lamplight_detect.models.finder import Finder, believable
from lamplight_detect.models.letterbox import Bgr

RIDDEN = frozenset({"bicycle", "motorcycle"})


def tiles(frame_hw: tuple[int, int], overlap: float) -> list[tuple[slice, slice]]:
    """Return 2x2 tiles (rows, columns) that cover the picture and overlap by `overlap` of their sides."""

    def pair(length: int) -> tuple[slice, slice]:
        side = min(length, round(length / (2 - overlap)))
        return slice(0, side), slice(length - side, length)

    rows, columns = pair(frame_hw[0]), pair(frame_hw[1])
    return [(row, column) for row in rows for column in columns]


def in_tiles(finder: Finder, picture: Bgr, policy: Policy) -> Detections:
    """Return what the tiles show: small boxes only, since a large one is cut by its tile and found in the whole.

    Ground and walls pass for parts of vehicles in a tile, so that vehicles must be surer there.
    """
    height, width = picture.shape[:2]
    parts = []
    for rows, columns in tiles((height, width), policy.tile_overlap):
        part = picture[rows, columns]
        found = believable(finder.find(part, policy.tile_score), (part.shape[0], part.shape[1]))
        moved = found.boxes_xyxy + np.array([columns.start, rows.start] * 2, np.float32)
        parts.append(Detections(moved, found.scores, found.class_ids))
    found = Detections.joined(parts)
    small = area(found.boxes_xyxy) < policy.tile_max_share * height * width
    classes = finder.manifest.classes
    vehicles = [index for index in finder.manifest.indices(Kind.VEHICLE) if classes[index].name not in RIDDEN]
    faint = np.isin(found.class_ids, vehicles) & (found.scores < policy.tile_vehicle_score)
    return found.where(small & ~faint)


def kept(found: Detections, frame_hw: tuple[int, int], policy: Policy) -> NDArray[np.bool_]:
    """Return which [N] are sure enough for their size: the larger, and the wider, the surer."""
    boxes = found.boxes_xyxy
    share = area(boxes) / (frame_hw[0] * frame_hw[1])
    sides = boxes[:, 2:] - boxes[:, :2]
    is_wide = (sides[:, 0] > sides[:, 1]) & (share >= policy.medium_share)
    needed = np.select(
        [share < policy.small_share, share < policy.medium_share, is_wide, share < policy.large_share],
        [policy.small_score, policy.medium_score, policy.wide_score, policy.large_score],
        policy.huge_score,
    )
    sure: NDArray[np.bool_] = found.scores >= needed
    return sure


def people_boxes(found: Detections, manifest: Manifest, frame_hw: tuple[int, int], policy: Policy) -> Boxes:
    """Return the boxes [N, 4] masked as people: themselves, what they ride and what they hold, with a margin."""
    people = found.of(manifest.indices(Kind.PERSON))
    people = people.where(kept(people, frame_hw, policy))
    near = grown(people.boxes_xyxy, policy.person_margin)
    return np.concatenate([near, _with_them(found, manifest, near, policy)])


def _with_them(found: Detections, manifest: Manifest, near: Boxes, policy: Policy) -> Boxes:
    """Return the boxes of bicycles that are ridden and of things that are worn, held or carried."""
    ridden = [index for index, entry in enumerate(manifest.classes) if entry.name in RIDDEN]
    held = manifest.indices(Kind.PORTABLE, Kind.CARRIED)
    theirs = found.of([*ridden, *held]).at_least(policy.held_thing_score)
    if len(theirs) == 0 or len(near) == 0:
        return np.zeros((0, 4), np.float32)
    shared = intersection(theirs.boxes_xyxy, near).max(axis=1) / area(theirs.boxes_xyxy)
    needed = np.where(np.isin(theirs.class_ids, ridden), 0.1, policy.held_thing_share)
    return grown(theirs.where(shared >= needed).boxes_xyxy, policy.person_margin)
