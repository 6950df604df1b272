"""What is told of a picture: people and others counted, vehicles and things that may stand, nothing worn or held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from lamplight_kit.onnx import Kind, Manifest

from lamplight_detect.detections import Detections, grown, intersection, suppress
from lamplight_detect.zones import Zone, zones_of

SAME_IOU = 0.5
FAINT_SHARE = 0.5
"""A thing that stands already is believed at half the score that a new one needs, so that it does not flicker."""
PERSON_SCORE = 0.2
"""From this score on somebody may be there, so that what overlaps is theirs until it stands alone."""
PERSON_MARGIN = 0.15
CYCLES = frozenset({"bicycle", "motorcycle"})


@dataclass(frozen=True)
class Sighting:
    """A thing seen in one picture; `group`: classes that a detector confuses, `is_sure`: may open a place by itself."""

    class_name: str
    group: str
    box_xyxy: tuple[float, float, float, float]
    score: float
    is_sure: bool
    zone_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Counted:
    """Counts by class above 0, of the whole picture and of each zone."""

    whole: Mapping[str, int]
    zones: Mapping[str, Mapping[str, int]]


def report_score(manifest: Manifest) -> float:
    """Return the score from which the model's word is told."""
    return manifest.thresholds.get("report", 0.4)


def count(found: Detections, manifest: Manifest, zones: Sequence[Zone], frame_hw: tuple[int, int]) -> Counted:
    """Return how many of each countable class are there; a vehicle that passes for two classes counts once."""
    sure = found.at_least(report_score(manifest))
    countable = [index for index, entry in enumerate(manifest.classes) if entry.countable]
    vehicles = suppress(sure.of(manifest.indices(Kind.VEHICLE)), SAME_IOU, across_classes=True)
    others = sure.of([index for index in countable if manifest.classes[index].kind != Kind.VEHICLE])
    told = Detections.joined([vehicles, suppress(others, SAME_IOU)])
    names = [manifest.classes[index].name for index in told.class_ids]
    held = zones_of(told.boxes_xyxy, zones, frame_hw)
    by_zone = {
        zone.zone_id: Counter(name for name, ids in zip(names, held, strict=True) if zone.zone_id in ids)
        for zone in zones
    }
    return Counted(Counter(names), by_zone)


def sightings(
    found: Detections, manifest: Manifest, zones: Sequence[Zone], frame_hw: tuple[int, int]
) -> list[Sighting]:
    """Return vehicles, fixed things, and portable things that overlap nobody, surest first."""
    report = report_score(manifest)
    told = found.at_least(report * FAINT_SHARE)
    vehicles = suppress(told.of(manifest.indices(Kind.VEHICLE)), SAME_IOU, across_classes=True)
    portable = apart_from_people(told.of(manifest.indices(Kind.PORTABLE)), found, manifest)
    still = Detections.joined([told.of(manifest.indices(Kind.FIXED)), portable])
    things = Detections.joined([vehicles, suppress(still, SAME_IOU, across_classes=True)])
    held = zones_of(things.boxes_xyxy, zones, frame_hw)
    return [
        Sighting(
            manifest.classes[class_id].name,
            _group(manifest, int(class_id)),
            (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            float(score),
            bool(score >= report),
            zone_ids,
        )
        for box, score, class_id, zone_ids in zip(things.boxes_xyxy, things.scores, things.class_ids, held, strict=True)
    ]


def apart_from_people(things: Detections, found: Detections, manifest: Manifest) -> Detections:
    """Return those of `things` that overlap no box where somebody may be."""
    people = found.of(manifest.indices(Kind.PERSON)).at_least(PERSON_SCORE)
    near = grown(people.boxes_xyxy, PERSON_MARGIN)
    return things.where(~np.asarray((intersection(things.boxes_xyxy, near) > 0).any(axis=1), np.bool_))


def _group(manifest: Manifest, class_id: int) -> str:
    entry = manifest.classes[class_id]
    if entry.kind == Kind.VEHICLE:
        return "cycle" if entry.name in CYCLES else "vehicle"
    return "thing"
