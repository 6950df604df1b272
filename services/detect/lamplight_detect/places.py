"""Places: memory of where something stands still, never of whoever or whatever stands there.

A box seen again at the same spot stands; `still_s` grows only between distinct pictures. A detector that flickers
does not end a place while its pixels stay as they were, nor does somebody who passes before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lamplight_detect.detections import iou
from lamplight_detect.things import Sighting

NS_PER_S = 1_000_000_000
SAME_IOU = 0.6
SMALL_IOU = 0.45
SMALL_SIDE_PX = 24
"""Boxes of small things jump by a pixel or two, which is much of their area."""
OPEN_S = 2.0
HIDDEN_S = 3.0
GONE_S = 10.0
MISSED = 2
"""Pictures without it before it may be hidden, and with GONE_S forgotten: an occlusion is shorter."""
SURE_SIGHTINGS = 2
"""One sighting may be the detector's slip; from two on, still pixels speak for the thing."""
FOLLOW_S = 30.0
"""A place follows its box this slowly: as a camera sags, not as a car creeps."""

Box = tuple[float, float, float, float]
Quiet = Callable[[Box], bool]
"""Whether the pixels in a box are as they were in the picture before."""


@dataclass(frozen=True)
class Place:
    """A box [left, top, right, bottom] where something has stood since `since_ns`."""

    place_id: str
    class_name: str
    group: str
    box_xyxy: Box
    since_ns: int
    seen_ns: int
    still_s: float
    score: float
    missed: int = 0
    sightings: int = 1

    @property
    def is_open(self) -> bool:
        """Whether it has stood long enough to be told of."""
        return self.still_s >= OPEN_S

    def is_shown(self, at_ns: int) -> bool:
        """Whether it is still told of at `at_ns`, though the last pictures may have missed it."""
        return self.is_open and (self.missed < MISSED or (at_ns - self.seen_ns) / NS_PER_S < HIDDEN_S)


def resized(places: Sequence[Place], from_hw: tuple[int, int], to_hw: tuple[int, int]) -> tuple[Place, ...]:
    """Return `places` in the pixels of a picture of another size."""
    down, across = to_hw[0] / from_hw[0], to_hw[1] / from_hw[1]
    return tuple(
        replace(
            one,
            box_xyxy=(
                one.box_xyxy[0] * across,
                one.box_xyxy[1] * down,
                one.box_xyxy[2] * across,
                one.box_xyxy[3] * down,
            ),
        )
        for one in places
    )


@dataclass(frozen=True)
class Moment:
    """A distinct picture: its camera, time and sequence, from which the ids of new places are made."""

    camera_id: str
    at_ns: int
    seq: int
    max_credit_s: float = 70.0
    """A longer gap than this was not watched, and is not counted as standing."""


@dataclass(frozen=True)
class Step:
    """The places after a picture, and the ids of those that opened or ended in it."""

    places: tuple[Place, ...]
    opened: frozenset[str] = field(default=frozenset())
    ended: frozenset[str] = field(default=frozenset())


def step(before: Sequence[Place], seen: Sequence[Sighting], moment: Moment, quiet: Quiet) -> Step:
    """Return the places after a distinct picture that shows `seen`."""
    matched, rest = _match(before, seen)
    after = [_after(place, matched.get(n), moment, quiet) for n, place in enumerate(before)]
    kept = [place for place in after if place is not None]
    sure = [sighting for sighting in rest if sighting.is_sure]
    fresh = [_begin(sighting, moment, number) for number, sighting in enumerate(sure)]
    return _told(before, (*kept, *fresh))


def carried(before: Sequence[Place], moment: Moment) -> Step:
    """Return the places after a distinct picture in which nothing has changed: all that was seen stands on."""
    after = [_seen(place, moment) if place.missed == 0 else place for place in before]
    return _told(before, tuple(after))


def shown(places: Iterable[Place], at_ns: int) -> list[Place]:
    """Return the open places that are told of at `at_ns`."""
    return [place for place in places if place.is_shown(at_ns)]


def _match(before: Sequence[Place], seen: Sequence[Sighting]) -> tuple[dict[int, Sighting], list[Sighting]]:
    """Return the sighting of each place by its number, best overlaps first, and the sightings left over."""
    if not before or not seen:
        return {}, list(seen)
    ours = np.array([place.box_xyxy for place in before], np.float32)
    theirs = np.array([sighting.box_xyxy for sighting in seen], np.float32)
    overlap = iou(ours, theirs)
    sides = (ours[:, 2:] - ours[:, :2]).min(axis=1)[:, None]
    needed = np.where(sides < SMALL_SIDE_PX, SMALL_IOU, SAME_IOU)
    groups = np.array([[place.group == sighting.group for sighting in seen] for place in before])
    pairs = np.argwhere((overlap >= needed) & groups)
    ranked = sorted(pairs.tolist(), key=lambda pair: (-float(overlap[pair[0], pair[1]]), pair))
    matched: dict[int, Sighting] = {}
    taken: set[int] = set()
    for place, sighting in ranked:
        if place not in matched and sighting not in taken:
            matched[place] = seen[sighting]
            taken.add(sighting)
    return matched, [sighting for number, sighting in enumerate(seen) if number not in taken]


def _after(place: Place, sighting: Sighting | None, moment: Moment, quiet: Quiet) -> Place | None:
    """Return the place after a picture, or None where it is forgotten."""
    if sighting is not None:
        return _followed(_seen(place, moment), place, sighting, moment)
    if place.missed == 0 and place.sightings >= SURE_SIGHTINGS and quiet(place.box_xyxy):
        return _seen(place, moment)
    missed = place.missed + 1
    gone = missed >= MISSED and (moment.at_ns - place.seen_ns) / NS_PER_S >= GONE_S
    return None if gone or (missed >= MISSED and not place.is_open) else replace(place, missed=missed)


def _seen(place: Place, moment: Moment) -> Place:
    gap_s = max(0.0, (moment.at_ns - place.seen_ns) / NS_PER_S)
    credit_s = gap_s if gap_s <= moment.max_credit_s else 0.0
    return replace(place, seen_ns=max(place.seen_ns, moment.at_ns), still_s=place.still_s + credit_s, missed=0)


def _followed(place: Place, before: Place, sighting: Sighting, moment: Moment) -> Place:
    gap_s = max(0.0, (moment.at_ns - before.seen_ns) / NS_PER_S)
    share = 1 - math.exp(-gap_s / FOLLOW_S)
    left, top, right, bottom = (
        (1 - share) * old + share * new for old, new in zip(place.box_xyxy, sighting.box_xyxy, strict=True)
    )
    return replace(place, box_xyxy=(left, top, right, bottom), score=sighting.score, sightings=place.sightings + 1)


def _begin(sighting: Sighting, moment: Moment, number: int) -> Place:
    place_id = f"{moment.camera_id}-{moment.at_ns // 1_000_000:x}-{moment.seq:x}-{number}"
    at_ns = moment.at_ns
    return Place(place_id, sighting.class_name, sighting.group, sighting.box_xyxy, at_ns, at_ns, 0.0, sighting.score)


def _told(before: Sequence[Place], after: tuple[Place, ...]) -> Step:
    were = {place.place_id for place in before if place.is_open}
    are = {place.place_id for place in after if place.is_open}
    return Step(after, frozenset(are - were), frozenset(were - are))
