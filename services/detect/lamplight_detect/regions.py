"""Regions: redacted, sealed crops that are worth an embedding, at most 64 KiB each with all that goes with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from lamplight.frame.v1 import frame_pb2
from lamplight.observation.v1 import observation_pb2
from lamplight.region.v1 import region_pb2

from lamplight_detect.detections import Boxes, clip, grown, iou
from lamplight_detect.gate import GateClosed, RedactedPicture, Sealer, Source, cut
from lamplight_detect.messages import box_of
from lamplight_detect.places import Place
from lamplight_detect.zones import Zone

SCENE_SIDE_PX = 512
THING_SIDE_PX = 320
MAX_BYTES = 60_000
"""A region's topic takes 65,536 bytes; its source needs the rest."""
QUALITIES = (88, 78, 66, 50, 35)
LEAST_SIDE_PX = 1
ZONE_SIDE_PX = 16
THING_MARGIN = 0.25
SAME_VEHICLE_IOU = 0.5
_NO_BOXES = np.zeros((0, 4), np.float32)


@dataclass(frozen=True)
class Shot:
    """A released picture and what regions are cut by: `vehicles` [N, 4] are solid in every region but their own."""

    picture: RedactedPicture
    vehicles: Boxes
    source: Source
    epoch: int
    seq: int
    picture_key: str


def scene(shot: Shot, sealer: Sealer, enrolment: frame_pb2.Enrolment | None = None) -> region_pb2.Region:
    """Return the whole scene, every person and vehicle cut out."""
    height, width = shot.picture.frame_hw
    kind = region_pb2.REGION_KIND_SCENE
    name = f"{enrolment.situation_id}/{enrolment.reference_id}" if enrolment else _region_id(shot, "scene", 0)
    source = _source(shot, name, kind, (0.0, 0.0, float(width), float(height)))
    if enrolment is not None:
        source.enrolment.CopyFrom(enrolment)
    return _region(source, cut(shot.picture, None, shot.vehicles, SCENE_SIDE_PX), shot, sealer)


def zone_view(shot: Shot, zone: Zone, number: int, sealer: Sealer) -> region_pb2.Region | None:
    """Return the upright box around a zone, every person and vehicle cut out; None for one too small to show."""
    height, width = shot.picture.frame_hw
    low, high = zone.corners.min(axis=0), zone.corners.max(axis=0)
    box = np.array([[low[0] * width, low[1] * height, high[0] * width, high[1] * height]], np.float32)
    if (clip(box, (height, width))[0, 2:] - clip(box, (height, width))[0, :2]).min() < ZONE_SIDE_PX:
        return None
    source = _source(shot, _region_id(shot, "zone", number), region_pb2.REGION_KIND_ZONE, _four(box))
    source.zone_ids.append(zone.zone_id)
    return _region(source, cut(shot.picture, box, shot.vehicles, SCENE_SIDE_PX), shot, sealer)


def thing(shot: Shot, place: Place, zone_ids: Sequence[str], number: int, sealer: Sealer) -> region_pb2.Region:
    """Return what stands at a place with a little around it, every person and every other vehicle cut out."""
    own = np.array([place.box_xyxy], np.float32)
    others = shot.vehicles[iou(shot.vehicles, own)[:, 0] < SAME_VEHICLE_IOU]
    box = grown(own, THING_MARGIN)
    source = _source(shot, _region_id(shot, "thing", number), region_pb2.REGION_KIND_THING, place.box_xyxy)
    source.zone_ids.extend(zone_ids)
    source.class_name, source.place_id = place.class_name, place.place_id
    return _region(source, cut(shot.picture, box, others, THING_SIDE_PX), shot, sealer)


def _region(source: region_pb2.RegionSource, picture: RedactedPicture, shot: Shot, sealer: Sealer) -> region_pb2.Region:
    """Return the region, of less quality and then smaller until it fits; GateClosed where nothing does."""
    side = max(picture.frame_hw)
    while side >= LEAST_SIDE_PX:
        part = cut(picture, None, _NO_BOXES, side)
        for quality in QUALITIES:
            sealed = sealer.sealed(part, shot.source, quality)
            if len(sealed) <= MAX_BYTES:
                return region_pb2.Region(source=source, picture=sealed)
        side = side * 3 // 4
    message = f"a region above {MAX_BYTES} bytes at every size found, a smaller one expected"
    raise GateClosed(message)


def _region_id(shot: Shot, kind: str, number: int) -> str:
    return f"{shot.source.camera_id}-{shot.epoch:x}-{shot.seq:x}-{kind}-{number}"


def _source(
    shot: Shot, region_id: str, kind: region_pb2.RegionKind.ValueType, box: tuple[float, float, float, float]
) -> region_pb2.RegionSource:
    shown: observation_pb2.Box = box_of(box)
    return region_pb2.RegionSource(
        region_id=region_id,
        camera_id=shot.source.camera_id,
        epoch=shot.epoch,
        seq=shot.seq,
        at_ns=shot.source.at_ns,
        kind=kind,
        box=shown,
        picture_key=shot.picture_key,
    )


def _four(box: Boxes) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(side) for side in box[0])
    return left, top, right, bottom
