"""What a picture tells: the things to report, and what of the last picture still holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from lamplight.observation.v1 import observation_pb2
from lamplight_kit.onnx import Manifest

from lamplight_detect import health, places
from lamplight_detect.camera import Watched
from lamplight_detect.change import Luma, differences
from lamplight_detect.detections import Boxes, Detections, iou
from lamplight_detect.gate.motion import Mask
from lamplight_detect.gate.plates import WITHOUT_PLATE
from lamplight_detect.messages import surest, thing_seen, thing_standing
from lamplight_detect.places import Box, Place, Quiet
from lamplight_detect.things import CYCLES, SAME_IOU, Sighting, sightings
from lamplight_detect.zones import zones_of

QUIET_SHARE = 0.02
UNEXPLAINED_SHARE = 0.3
VEHICLES = frozenset({"vehicle", "cycle"})


def seen_in(whole: Detections, manifest: Manifest, watched: Watched, frame_hw: tuple[int, int]) -> list[Sighting]:
    """Return the sightings of a picture with their zones."""
    return sightings(whole, manifest, watched.zones, frame_hw)


def quiet_between(now: Luma, before: Luma | None, frame_hw: tuple[int, int]) -> Quiet:
    """Return what tells whether the pixels in a box (pixels of `frame_hw`) are as they were."""
    if before is None or before.shape != now.shape:
        return lambda _box: False
    moved = differences(now, before)
    scale = now.shape[0] / frame_hw[0]

    def quiet(box: Box) -> bool:
        left, top, right, bottom = (round(side * scale) for side in box)
        part = moved[max(0, top) : bottom + 1, max(0, left) : right + 1]
        return part.size > 0 and float(part.mean()) < QUIET_SHARE

    return quiet


def unexplained_in(mask: Mask | None, frame_hw: tuple[int, int]) -> Quiet:
    """Return what tells whether a box (pixels of `frame_hw`) holds much of what is unexplained: no region is cut."""
    if mask is None:
        return lambda _box: False
    scale = mask.shape[0] / frame_hw[0]

    def unexplained(box: Box) -> bool:
        left, top, right, bottom = (round(side * scale) for side in box)
        part = mask[max(0, top) : bottom + 1, max(0, left) : right + 1]
        return part.size > 0 and float(part.mean()) >= UNEXPLAINED_SHARE

    return unexplained


def standing_vehicles(known: Sequence[Place]) -> Boxes:
    """Return the boxes [N, 4] of open places where a vehicle with a plate stands."""
    plated = (place for place in known if place.group in VEHICLES and place.class_name not in WITHOUT_PLATE)
    boxes = [place.box_xyxy for place in plated if place.is_open]
    return np.array(boxes, np.float32).reshape(-1, 4)


def told_things(
    seen: Sequence[Sighting], standing: Sequence[Place], at_ns: int, watched: Watched, frame_hw: tuple[int, int]
) -> tuple[observation_pb2.Thing, ...]:
    """Return what stands, and the vehicles that stand nowhere, surest first."""
    shown = places.shown(standing, at_ns)
    boxes = np.array([place.box_xyxy for place in shown], np.float32).reshape(-1, 4)
    told = [
        thing_standing(place, zone_ids)
        for place, zone_ids in zip(shown, zones_of(boxes, watched.zones, frame_hw), strict=True)
    ]
    passing = [one for one in seen if one.is_sure and one.group in VEHICLES and not _covered(one, boxes)]
    return tuple(surest([*told, *(thing_seen(one) for one in passing)]))


def things_carried(
    before: Sequence[observation_pb2.Thing],
    standing: Sequence[Place],
    at_ns: int,
    watched: Watched,
    frame_hw: tuple[int, int],
) -> tuple[observation_pb2.Thing, ...]:
    """Return the things of the picture before, grown older where they stand."""
    passing = [
        Sighting(one.class_name, "cycle" if one.class_name in CYCLES else "vehicle", _box(one), one.score, is_sure=True)
        for one in before
        if not one.place_id
    ]
    held = zones_of(np.array([one.box_xyxy for one in passing], np.float32).reshape(-1, 4), watched.zones, frame_hw)
    zoned = [
        Sighting(one.class_name, one.group, one.box_xyxy, one.score, is_sure=True, zone_ids=zone_ids)
        for one, zone_ids in zip(passing, held, strict=True)
    ]
    return told_things(zoned, standing, at_ns, watched, frame_hw)


def health_of(luma: Luma) -> frozenset[int]:
    """Return what is wrong with a picture as a whole."""
    looks = health.looks_of(luma)
    found = {
        observation_pb2.HEALTH_DARK: health.is_dark(looks),
        observation_pb2.HEALTH_CARD: health.is_card(looks),
    }
    return frozenset(int(kind) for kind, holds in found.items() if holds)


def _covered(sighting: Sighting, boxes: Boxes) -> bool:
    own = np.array([sighting.box_xyxy], np.float32)
    return bool((iou(own, boxes) >= SAME_IOU).any())


def _box(thing: observation_pb2.Thing) -> Box:
    return thing.box.left_px, thing.box.top_px, thing.box.right_px, thing.box.bottom_px
