"""The detector: frames in, verdicts, observations, places and regions out."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight.observation.v1 import observation_pb2
from lamplight.place.v1 import place_pb2
from lamplight.region.v1 import region_pb2
from lamplight_detect.detections import Detections
from lamplight_detect.handler import Result
from lamplight_detect.messages import surest
from lamplight_detect.testing import Room, Said, noise
from lamplight_kit.errors import Retry
from lamplight_kit.seal import verify

NS = 1_000_000_000
START = 1_700_000_000 * NS
CAR: Said = ("car", (40.0, 40.0, 100.0, 80.0), 0.7)
BAG: Said = ("suitcase", (110.0, 80.0, 130.0, 100.0), 0.6)
PERSON: Said = ("person", (10.0, 30.0, 25.0, 80.0), 0.6)
ZONE = camera_pb2.Zone(id="left", polygon=[camera_pb2.Point(x=x, y=y) for x, y in ((0, 0), (0.5, 0), (0.5, 1), (0, 1))])
CAMERA = camera_pb2.Camera(
    id="cam", zones=[ZONE], sampling=camera_pb2.Sampling(min_gap_s=2, max_gap_s=30), evidence_every_s=60
)
PICTURES = [cv2.imencode(".png", noise(seed))[1].tobytes() for seed in range(4)]
Outcome = frame_pb2.Verdict


def frame(seq: int, at_s: float, data: bytes = PICTURES[0], **more: object) -> frame_pb2.Frame:
    """Return a Frame of the camera."""
    told = {"camera_id": "cam", "epoch": 3, "codec": "png", "is_key": True, "examine": True, **more}
    return frame_pb2.Frame(seq=seq, at_ns=START + round(at_s * NS), data=data, **told)  # type: ignore[arg-type] # a mixture


def handle(room: Room, frames: Sequence[frame_pb2.Frame]) -> list[Result]:
    """Handle one after the other."""
    return [room.detector.handle(one, CAMERA) for one in frames]


def seen(result: Result) -> observation_pb2.Seen:
    """Return the one observation of a result."""
    (message,) = [record.message for record in result.records if record.topic == "observations"]
    assert isinstance(message, observation_pb2.Observation)
    return message.seen


def regions(result: Result) -> list[region_pb2.Region]:
    """Return the regions of a result."""
    return [record.message for record in result.records if isinstance(record.message, region_pb2.Region)]


def places(result: Result) -> list[place_pb2.Places]:
    """Return the places of a result."""
    return [record.message for record in result.records if isinstance(record.message, place_pb2.Places)]


def test_a_first_picture_is_told_at_once_and_leaves_one_sample_late(room: Room) -> None:
    """It counts by zone; the next observation names its stored picture, and comes after the region cut from it."""
    room.things.said = [PERSON, CAR]
    first, second = handle(room, [frame(0, 0), frame(1, 2, PICTURES[1])])
    told = seen(first)
    assert first.verdict.outcome == Outcome.OUTCOME_CHANGED
    assert first.verdict.wanted_gap_s == 2.0
    assert dict(told.counts.by_class) == {"person": 1, "car": 1}
    assert {zone.zone_id: dict(zone.counts.by_class) for zone in told.zones} == {"left": {"person": 1, "car": 1}}
    assert [(one.class_name, list(one.zone_ids), one.place_id) for one in told.things] == [("car", ["left"], "")]
    assert (told.frame_height_px, told.frame_width_px) == (120, 160)
    assert (told.picture_key, told.picture_at_ns, regions(first)) == ("", 0, [])
    named = seen(second)
    assert named.picture_key in room.store.pictures
    assert (named.picture_at_ns, named.at_ns) == (START, START + 2 * NS)
    (region,) = regions(second)
    assert region.source.picture_key == named.picture_key
    assert (region.source.seq, region.source.at_ns) == (0, START)
    assert [record.topic for record in second.records][:2] == ["regions", "observations"]
    picture = verify(room.store.pictures[named.picture_key], room.keys)
    assert picture.attestation.at_ns == START
    assert picture.attestation.masks == {"person": 1, "face": 0, "motion": 0, "plate": 1}


def test_a_picture_leaves_under_the_masks_of_the_next_one(room: Room) -> None:
    """Who is found one picture late is masked in the picture before as well."""
    handle(room, [frame(0, 0)])
    room.things.said = [PERSON]
    (result,) = handle(room, [frame(1, 2, PICTURES[1])])
    picture = cv2.imdecode(
        np.frombuffer(room.store.pictures[seen(result).picture_key], np.uint8), cv2.IMREAD_COLOR
    ).astype(int)
    assert np.abs(picture[38:72, 12:22] - 127).max() < 24
    assert np.abs(picture[38:72, 60:80] - 127).max() > 24


def test_a_picture_that_no_other_follows_leaves_by_itself(room: Room) -> None:
    """Where the camera falls silent, the picture leaves under its own masks, and what comes next names it."""
    room.things.said = [PERSON]
    handle(room, [frame(0, 0)])
    assert room.detector.waits("cam")
    (region,) = regions(room.detector.flush("cam"))
    assert region.source.picture_key in room.store.pictures
    assert not room.detector.waits("cam")
    (later,) = handle(room, [frame(1, 40, PICTURES[1])])
    assert seen(later).picture_key == region.source.picture_key
    assert room.detector.flush("nobody").records == ()


def test_a_slow_source_waits_for_nothing(room: Room) -> None:
    """Where the last pictures came more than 5 s apart, or the plan says so, a picture leaves at once."""
    results = handle(room, [frame(n, 60 * n, PICTURES[n % 2]) for n in range(4)])
    assert [seen(one).picture_at_ns - START for one in results[2:]] == [120 * NS, 180 * NS]
    slow = camera_pb2.Camera(id="slow", sampling=camera_pb2.Sampling(min_gap_s=20, max_gap_s=30))
    told = seen(room.detector.handle(frame(0, 0, camera_id="slow"), slow))
    assert told.picture_at_ns == told.at_ns


@pytest.mark.parametrize("how", ["fault", "closed", "clock"])
def test_no_picture_leaves_where_the_gate_closed_in_between(room: Room, how: str) -> None:
    """A fault, a closed gate or a clock set back drops the picture that waits; one is due again afterwards."""
    handle(room, [frame(0, 0)])
    if how == "fault":
        room.things.fault = raises
    if how == "closed":
        room.gate._why_closed = lambda: "the canary"
    handle(room, [frame(1, -1 if how == "clock" else 2, PICTURES[1])])
    assert not room.detector.waits("cam")
    assert not room.store.pictures
    room.things.fault, room.gate._why_closed = None, lambda: ""
    results = handle(room, [frame(2, 4, PICTURES[2]), frame(3, 6, PICTURES[3])])
    assert seen(results[-1]).picture_at_ns == START + 4 * NS
    assert regions(results[-1])


def test_a_lens_that_goes_dark_lets_the_picture_before_leave(room: Room) -> None:
    """It was searched and shows what was there: a covered camera is told of with it."""
    handle(room, [frame(0, 0)])
    dark = cv2.imencode(".png", noise() // 12)[1].tobytes()
    (result,) = handle(room, [frame(1, 2, dark)])
    told = seen(result)
    assert told.gate_closed == "too dark to search"
    assert (told.picture_at_ns, told.at_ns) == (START, START + 2 * NS)
    assert regions(result)


def test_a_gate_that_closes_while_a_picture_waits_lets_nothing_leave(room: Room) -> None:
    """Not even when no next picture comes."""
    handle(room, [frame(0, 0)])
    room.gate._why_closed = lambda: "the canary"
    result = room.detector.flush("cam")
    assert (result.gate_closed, result.records, room.store.pictures) == ("the canary", [], {})
    assert not room.detector.waits("cam")


def test_the_same_picture_again_is_no_next_one(room: Room) -> None:
    """A source that repeats its picture shows nothing new: the picture waits on, for 5 s at the most."""
    handle(room, [frame(0, 0), frame(1, 2, same_as_before=True)])
    assert not room.store.pictures
    (late,) = handle(room, [frame(2, 6, same_as_before=True)])
    assert seen(late).picture_at_ns == START


def test_an_unchanged_picture_runs_no_model_and_carries_on(room: Room) -> None:
    """A picture that shows the same tells the same, its things grown older, at no model's cost."""
    room.things.said = [PERSON, CAR]
    handle(room, [frame(0, 0), frame(1, 2, PICTURES[1]), frame(2, 4, PICTURES[0])])
    calls = len(room.things.calls)
    (result,) = handle(room, [frame(3, 6, PICTURES[0])])
    told = seen(result)
    assert result.verdict.outcome == Outcome.OUTCOME_UNCHANGED
    assert not told.changed
    assert len(room.things.calls) == calls
    assert told.counts.by_class["person"] == 1
    assert [one.still_s for one in told.things] == [6.0]


def test_the_same_picture_again_ages_nothing(room: Room) -> None:
    """What the source sends twice is no evidence that anything stood."""
    room.things.said = [CAR]
    results = handle(room, [frame(0, 0), frame(1, 2), frame(2, 50, same_as_before=True)])
    assert [one.still_s for one in seen(results[1]).things] == [2.0]
    assert [one.still_s for one in seen(results[2]).things] == [2.0]


def test_a_place_opens_with_a_picture_a_region_and_its_record(room: Room) -> None:
    """What stands gets a place in the observation, on its topic, and a region of its own."""
    room.things.said = [CAR, BAG]
    results = handle(room, [frame(0, 0), frame(1, 2, PICTURES[1])])
    told = seen(results[1])
    assert {one.class_name: one.still_s for one in told.things} == {"car": 2.0, "suitcase": 2.0}
    assert {one.place_id for one in places(results[1])[0].places} == {one.place_id for one in told.things}
    (later,) = handle(room, [frame(2, 4)])
    assert seen(later).picture_at_ns == told.at_ns
    assert sorted(one.source.class_name for one in regions(later)) == ["car", "suitcase"]
    assert results[1].verdict.wanted_gap_s == 2.0


def test_what_comes_and_goes_ends_with_a_picture(room: Room) -> None:
    """A place that ends is taken off its topic, with a picture of the moment."""
    room.things.said = [CAR]
    handle(room, [frame(0, 0), frame(1, 2, PICTURES[1])])
    room.things.said = []
    results = handle(room, [frame(2 + n, 4 + 3 * n, PICTURES[n % 2]) for n in range(8)])
    ended = [n for n, one in enumerate(results) if places(one) and not places(one)[0].places]
    assert ended
    assert seen(results[ended[0] + 1]).picture_at_ns == seen(results[ended[0]]).at_ns
    assert not seen(results[-1]).things
    assert results[-1].verdict.wanted_gap_s == 0


def test_pictures_are_sent_as_seldom_as_evidence_allows(room: Room) -> None:
    """Nothing happening, a picture goes through the gate for the scenes' pace and no more often."""
    results = handle(room, [frame(n, 2 * n, PICTURES[n % 2]) for n in range(31)])
    assert 5 <= sum(one.released for one in results) <= 7


@pytest.mark.parametrize(
    "data",
    [b"", b"GIF89a", PICTURES[0][:200]],
    ids=["empty", "another format", "cut off"],
)
def test_a_broken_picture_is_refused_and_told(room: Room, data: bytes) -> None:
    """The verdict says why, and an observation says that the camera is broken and its counts unknown."""
    room.things.said = [CAR]
    handle(room, [frame(0, 0), frame(1, 2)])
    (result,) = handle(room, [frame(2, 4, data)])
    assert result.verdict.outcome == Outcome.OUTCOME_REFUSED
    assert "expected" in result.verdict.reason
    told = seen(result)
    assert told.health == [observation_pb2.HEALTH_BROKEN]
    assert not told.HasField("counts")
    assert not told.zones[0].HasField("counts")
    assert told.gate_closed
    (again,) = handle(room, [frame(3, 6, PICTURES[1])])
    assert seen(again).HasField("counts")
    assert not seen(again).health


def raises() -> Detections:
    """Fail as a runtime does."""
    message = "MARKER"
    raise RuntimeError(message)


@pytest.mark.parametrize("broken", ["things", "faces"])
def test_a_closed_gate_tells_unknown_counts_and_opens_by_itself(room: Room, broken: str) -> None:
    """While a model fails no picture leaves and counts are unknown, never zero; the next good answer opens it."""
    room.things.said = [PERSON]
    finder = room.things if broken == "things" else room.faces
    handle(room, [frame(0, 0)])
    room.detector.flush("cam")
    stored = len(room.store.pictures)
    finder.fault = raises
    closed = handle(room, [frame(1, 70, PICTURES[1]), frame(2, 72, PICTURES[2])])
    for result in closed:
        assert result.gate_closed
        assert not regions(result)
        assert "RuntimeError" in seen(result).gate_closed
        assert "MARKER" not in str(seen(result))
        assert not seen(result).HasField("counts")
        assert not seen(result).zones[0].HasField("counts")
    assert len(room.store.pictures) == stored
    finder.fault = None
    opened = handle(room, [frame(3, 74, PICTURES[2]), frame(4, 76, PICTURES[2]), frame(5, 78, PICTURES[2])])[-1]
    assert seen(opened).counts.by_class["person"] == 1
    assert not seen(opened).gate_closed
    assert len(room.store.pictures) == stored + 1


def test_a_store_that_is_away_costs_the_picture_not_the_observation(room: Room) -> None:
    """Nothing names a picture that is not stored; it is sent with the next picture instead."""
    room.store.fault = Retry("away")
    _, away = handle(room, [frame(0, 0), frame(1, 2, PICTURES[1])])
    assert not seen(away).picture_key
    assert not regions(away)
    assert seen(away).HasField("counts")
    room.store.fault = None
    *_, back = handle(room, [frame(2, 4), frame(3, 6, PICTURES[1])])
    assert seen(back).picture_key in room.store.pictures


@pytest.mark.parametrize(
    ("more", "why"),
    [({"epoch": 2, "seq": 9}, "epoch"), ({"seq": 5}, "sequence"), ({"seq": 4}, "sequence")],
)
def test_what_is_late_is_turned_away(room: Room, more: dict[str, int], why: str) -> None:
    """A lower epoch, or a sequence seen before, changes nothing."""
    handle(room, [frame(5, 10)])
    told = frame(6, 12)
    for name, value in more.items():
        setattr(told, name, value)
    (result,) = handle(room, [told])
    assert result.verdict.outcome == Outcome.OUTCOME_REFUSED
    assert why in result.verdict.reason
    assert not result.records


def test_an_unknown_camera_is_turned_away(room: Room) -> None:
    """Frames of a camera that is not configured are not even decoded."""
    result = room.detector.handle(frame(0, 0), None)
    assert result.verdict.outcome == Outcome.OUTCOME_REFUSED
    assert not room.things.calls


def test_a_clock_that_goes_back_releases_nothing_and_recovers(room: Room) -> None:
    """A picture from before the last one is turned away; the one after it is taken."""
    results = handle(room, [frame(0, 100), frame(1, 50), frame(2, 52)])
    assert [one.verdict.outcome for one in results] == [
        Outcome.OUTCOME_CHANGED,
        Outcome.OUTCOME_REFUSED,
        Outcome.OUTCOME_CHANGED,
    ]
    assert not seen(results[1]).HasField("counts")
    assert seen(results[1]).gate_closed


def test_places_come_back_after_a_restart(room: Room) -> None:
    """What another replica wrote is taken up: place id, age, and the epoch below which nothing is taken."""
    room.things.said = [CAR]
    results = handle(room, [frame(n, 2 * n, PICTURES[n % 2]) for n in range(4)])
    message = places(results[1])[0]
    room.detector.cameras.clear()
    room.detector.known_places = lambda _camera_id: message
    (late,) = handle(room, [frame(0, 8, epoch=2)])
    assert late.verdict.outcome == Outcome.OUTCOME_REFUSED
    (first,) = handle(room, [frame(0, 8, epoch=4)])
    (thing,) = seen(first).things
    assert (thing.place_id, thing.still_s) == (message.places[0].place_id, 8.0)


def test_the_same_frames_tell_the_same(room: Room) -> None:
    """A replay from nothing gives the same records, byte by byte."""
    room.things.said = [CAR, PERSON, BAG]
    frames = [frame(n, 2 * n, PICTURES[n % 3]) for n in range(8)]
    first = [[record.message for record in one.records] for one in handle(room, frames)]
    room.detector.cameras.clear()
    assert [[record.message for record in one.records] for one in handle(room, frames)] == first


def test_zone_views_are_cut_where_a_situation_asks(room: Room) -> None:
    """A zone that a situation names is cut beside the scene; others are not."""
    room.detector.situation_zones = lambda _camera_id: frozenset({"left"})
    _, result = handle(room, [frame(0, 0), frame(1, 2)])
    kinds = [(one.source.kind, list(one.source.zone_ids)) for one in regions(result)]
    assert kinds == [(region_pb2.REGION_KIND_SCENE, []), (region_pb2.REGION_KIND_ZONE, ["left"])]


def test_regions_fit_their_topic_even_of_noise(room: Room) -> None:
    """The hardest picture to compress still makes a region of at most 64 KiB, its vehicles solid."""
    hard = noise(1, (900, 1600))
    room.things.whole_hw = (900, 1600)
    room.things.said = [("car", (100.0, 100.0, 900.0, 500.0), 0.7)]
    handle(room, [frame(0, 0, cv2.imencode(".png", hard)[1].tobytes())])
    result = room.detector.flush("cam")
    (region,) = regions(result)
    assert region.ByteSize() <= 65_536
    shown = cv2.imdecode(np.frombuffer(region.picture, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert max(shown.shape) == 512
    assert np.abs(shown[40:150, 40:280].astype(int) - 127).mean() < 3


def test_a_crowd_of_things_fits_an_observation(room: Room) -> None:
    """However many things there are, the observation stays within its 8 KiB, what stands first."""
    things = [
        observation_pb2.Thing(class_name="traffic light", score=n / 200, place_id="cam-18c-0-1" * 4 if n < 50 else "")
        for n in range(120)
    ]
    kept = surest(things)
    assert all(thing.place_id for thing in kept)
    assert observation_pb2.Seen(things=kept).ByteSize() < 6_000


def test_a_card_is_told_with_a_picture(room: Room) -> None:
    """A camera that shows a card says so with a picture, and cuts no scene of it."""
    handle(room, [frame(0, 0)])
    flat = cv2.imencode(".png", np.full((120, 160, 3), 220, np.uint8))[1].tobytes()
    result, later = handle(room, [frame(1, 60, flat), frame(2, 62, flat)])
    assert seen(result).health == [observation_pb2.HEALTH_CARD]
    assert seen(later).picture_at_ns == seen(result).at_ns
    assert not regions(later)


def test_a_camera_that_is_removed_is_forgotten(room: Room) -> None:
    """Nothing of a removed camera stays in memory."""
    handle(room, [frame(0, 0)])
    room.detector.forget("cam")
    assert not room.detector.cameras
