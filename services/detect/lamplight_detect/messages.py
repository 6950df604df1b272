"""Values into messages and back: observations, places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lamplight.observation.v1 import observation_pb2
from lamplight.place.v1 import place_pb2

from lamplight_detect.evidence import Stored
from lamplight_detect.places import SURE_SIGHTINGS, Box, Place
from lamplight_detect.things import CYCLES, Counted, Sighting

MAX_THINGS = 40
MAX_OBSERVATION_BYTES = 8_192 - 16
"""What the topic takes, less the envelope around what was seen."""
MAX_PLACES_BYTES = 65_536


def box_of(box_xyxy: Box) -> observation_pb2.Box:
    """Return a box as a message."""
    left, top, right, bottom = box_xyxy
    return observation_pb2.Box(left_px=left, top_px=top, right_px=right, bottom_px=bottom)


def thing_seen(sighting: Sighting) -> observation_pb2.Thing:
    """Return a vehicle that stands nowhere yet."""
    return observation_pb2.Thing(
        class_name=sighting.class_name,
        box=box_of(sighting.box_xyxy),
        score=sighting.score,
        zone_ids=sighting.zone_ids,
    )


def thing_standing(place: Place, zone_ids: Sequence[str]) -> observation_pb2.Thing:
    """Return what stands at a place."""
    return observation_pb2.Thing(
        class_name=place.class_name,
        box=box_of(place.box_xyxy),
        score=place.score,
        still_s=round(place.still_s, 3),
        zone_ids=zone_ids,
        place_id=place.place_id,
    )


def surest(things: Sequence[observation_pb2.Thing]) -> list[observation_pb2.Thing]:
    """Return at most MAX_THINGS, those that stand before those that do not, then by score."""
    return sorted(things, key=lambda thing: (not thing.place_id, -thing.score))[:MAX_THINGS]


def trim(seen: observation_pb2.Seen) -> None:
    """Make `seen` fit its topic: without the last things, then with the last zones' counts unknown."""
    while seen.things and seen.ByteSize() > MAX_OBSERVATION_BYTES:
        del seen.things[-1]
    for zone in reversed(seen.zones):
        if seen.ByteSize() <= MAX_OBSERVATION_BYTES:
            break
        zone.ClearField("counts")


def counts_of(counts: Mapping[str, int]) -> observation_pb2.Counts:
    """Return counts as a message."""
    return observation_pb2.Counts(by_class={name: number for name, number in counts.items() if number > 0})


def zone_counts(counted: Counted | None, zone_ids: Sequence[str]) -> list[observation_pb2.ZoneCounts]:
    """Return the counts of each zone; unset (unknown) where `counted` is None."""
    if counted is None:
        return [observation_pb2.ZoneCounts(zone_id=zone_id) for zone_id in zone_ids]
    return [
        observation_pb2.ZoneCounts(zone_id=zone_id, counts=counts_of(counted.zones.get(zone_id, {})))
        for zone_id in zone_ids
    ]


def places_message(
    camera_id: str, epoch: int, seq: int, at_ns: int, places: Sequence[Place], stored: Stored
) -> place_pb2.Places:
    """Return all open places of a camera, as many as fit their topic, the longest standing first to stay."""
    standing = sorted((place for place in places if place.is_open), key=lambda place: -place.still_s)
    message = place_pb2.Places(
        camera_id=camera_id,
        epoch=epoch,
        seq=seq,
        at_ns=at_ns,
        places=[_place_message(place) for place in standing],
        picture_key=stored.key,
        picture_at_ns=stored.at_ns,
    )
    while message.places and message.ByteSize() > MAX_PLACES_BYTES:
        del message.places[-1]
    return message


def places_of(message: place_pb2.Places, vehicles: frozenset[str]) -> tuple[Place, ...]:
    """Return the places of a message; `vehicles` names the classes of that kind."""
    return tuple(_place(place, vehicles) for place in message.places)


def _place_message(place: Place) -> place_pb2.Place:
    return place_pb2.Place(
        place_id=place.place_id,
        class_name=place.class_name,
        box=box_of(place.box_xyxy),
        since_ns=place.since_ns,
        still_s=place.still_s,
        seen_ns=place.seen_ns,
        score=place.score,
    )


def _place(place: place_pb2.Place, vehicles: frozenset[str]) -> Place:
    group = "cycle" if place.class_name in CYCLES else "vehicle" if place.class_name in vehicles else "thing"
    box = place.box.left_px, place.box.top_px, place.box.right_px, place.box.bottom_px
    return Place(
        place.place_id,
        place.class_name,
        group,
        box,
        place.since_ns,
        place.seen_ns,
        place.still_s,
        place.score,
        sightings=SURE_SIGHTINGS,
    )
