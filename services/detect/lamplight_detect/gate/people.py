"""People in a picture: which boxes are masked as somebody, and what goes with them."""

from __future__ import annotations

import numpy as np
from lamplight_kit.onnx import Kind, Manifest
from numpy.typing import NDArray

from lamplight_detect.detections import Boxes, Detections, area, grown, intersection
from lamplight_detect.gate.motion import Mask
from lamplight_detect.gate.plates import sure_for_size
from lamplight_detect.gate.policy import Policy
from lamplight_detect.gate.spared import needed
from lamplight_detect.gate.tiling import Plan, Tile, planned
from lamplight_detect.models.finder import Finder, ModelFault, believable
from lamplight_detect.models.letterbox import Bgr

RIDDEN = frozenset({"bicycle", "motorcycle"})
CUT_PX = 3
"""A box that ends so near an inner edge of its tile may go on behind it."""


def plan_of(finder: Finder, frame_hw: tuple[int, int], policy: Policy, most_tiles: int) -> Plan:
    """Return how `finder` searches a picture of `frame_hw` in tiles; ModelFault where its input has no size."""
    input_hw = finder.manifest.input.input_hw
    if input_hw is None:
        message = f"model {finder.manifest.name} with an input of any size found, one of a fixed size expected"
        raise ModelFault(message)
    return planned(frame_hw, input_hw, policy, most_tiles)


def in_tiles(finder: Finder, picture: Bgr, policy: Policy, most_tiles: int, vouched: Mask | None = None) -> Detections:
    """Return what the tiles show, small boxes only, since a large one is cut by its tile and found in the whole.

    Tiles of which all is `vouched` for [h, w] are spared.

    Ground and walls pass for parts of vehicles and people in a tile, so that vehicles must be surer there, and people
    that are not small or that an inner edge cuts: the whole or the next tile shows them better.
    """
    frame_hw = picture.shape[0], picture.shape[1]
    tiles = needed(plan_of(finder, frame_hw, policy, most_tiles), vouched, policy)
    parts = [_in_tile(finder, picture, tile, policy) for tile in tiles]
    found = Detections.joined(parts)
    small = area(found.boxes_xyxy) < policy.tile_max_share * frame_hw[0] * frame_hw[1]
    classes = finder.manifest.classes
    vehicles = [index for index in finder.manifest.indices(Kind.VEHICLE) if classes[index].name not in RIDDEN]
    faint = found.is_of(vehicles) & (found.scores < policy.tile_vehicle_score)
    return found.where(small & ~faint)


def _in_tile(finder: Finder, picture: Bgr, tile: Tile, policy: Policy) -> Detections:
    """Return what one tile shows, in the picture's own pixels."""
    rows, columns = tile
    height, width = picture.shape[:2]
    part = np.ascontiguousarray(picture[rows, columns])
    found = believable(finder.find(part, policy.tile_score), (part.shape[0], part.shape[1]))
    moved = found.boxes_xyxy + np.array([columns.start, rows.start] * 2, np.float32)
    left, top, right, bottom = moved.T
    is_cut = ((columns.start > 0) & (left <= columns.start + CUT_PX)) | (
        (columns.stop < width) & (right >= columns.stop - CUT_PX)
    )
    is_cut |= ((rows.start > 0) & (top <= rows.start + CUT_PX)) | (
        (rows.stop < height) & (bottom >= rows.stop - CUT_PX)
    )
    is_small = area(moved) < policy.small_share * height * width
    needed = np.where(is_small, policy.tile_score, policy.tile_medium_score) + policy.tile_cut_surer * is_cut
    is_person = found.is_of(finder.manifest.indices(Kind.PERSON))
    return Detections(moved, found.scores, found.class_ids).where(~is_person | (found.scores >= needed))


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
    near = _reached(people.boxes_xyxy, policy)
    riders = _reached(people.at_least(policy.rider_score).boxes_xyxy, policy)
    with_them = [_held(found, manifest, near, frame_hw, policy), _ridden(found, manifest, riders, frame_hw, policy)]
    return np.concatenate([near, *(grown(boxes, policy.person_margin) for boxes in with_them)])


def _reached(boxes_xyxy: Boxes, policy: Policy) -> Boxes:
    """Return boxes of people [N, 4] with their margin: sideways as far as a stride or an arm reaches at least."""
    near = grown(boxes_xyxy, policy.person_margin)
    left, top, right, bottom = boxes_xyxy.T
    reach = policy.person_reach * (bottom - top)
    near[:, 0], near[:, 2] = np.minimum(near[:, 0], left - reach), np.maximum(near[:, 2], right + reach)
    return near


def _held(found: Detections, manifest: Manifest, near: Boxes, frame_hw: tuple[int, int], policy: Policy) -> Boxes:
    """Return the boxes of things that are worn, held or carried, as sure for their size as somebody must be."""
    theirs = found.of(manifest.indices(Kind.PORTABLE, Kind.CARRIED)).at_least(policy.held_thing_score)
    theirs = theirs.where(kept(theirs, frame_hw, policy))
    if len(theirs) == 0 or len(near) == 0:
        return np.zeros((0, 4), np.float32)
    shared = intersection(theirs.boxes_xyxy, near).max(axis=1) / area(theirs.boxes_xyxy)
    return theirs.where(shared >= policy.held_thing_share).boxes_xyxy


def _ridden(found: Detections, manifest: Manifest, riders: Boxes, frame_hw: tuple[int, int], policy: Policy) -> Boxes:
    """Return the boxes of bicycles that are ridden: by somebody who is not much smaller than they are."""
    theirs = found.of([index for index, entry in enumerate(manifest.classes) if entry.name in RIDDEN])
    theirs = theirs.where(sure_for_size(theirs, frame_hw, policy))
    if len(theirs) == 0 or len(riders) == 0:
        return np.zeros((0, 4), np.float32)
    size = area(theirs.boxes_xyxy)[:, None]
    is_on = intersection(theirs.boxes_xyxy, riders) >= policy.rider_share * size
    fits = size <= policy.ridden_to_rider * area(riders)[None]
    is_ridden: NDArray[np.bool_] = np.any(is_on & fits, axis=1)
    return theirs.where(is_ridden).boxes_xyxy
