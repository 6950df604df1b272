"""The gate's memory: faults, clocks, sizes and dropped frames lose no mask and keep no count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight.observation.v1 import observation_pb2
from lamplight_detect.adapters.video_file import VideoFile
from lamplight_detect.change import small_luma
from lamplight_detect.decode import Picture
from lamplight_detect.decode.pictures import Stamp
from lamplight_detect.detections import Detections
from lamplight_detect.gate import Policy, Recent, Sample, View
from lamplight_detect.gate.masks import FILL
from lamplight_detect.gate.motion import fitted
from lamplight_detect.handler import Result
from lamplight_detect.redact import Redactor
from lamplight_detect.testing import Room, Said, SaidFinder, detections, noise
from numpy.typing import NDArray

NS = 1_000_000_000
START = 1_700_000_000 * NS
PERSON: Said = ("person", (40.0, 30.0, 60.0, 90.0), 0.5)
PERSON_BOX = (40, 30, 60, 90)
CAR: Said = ("car", (40.0, 40.0, 100.0, 80.0), 0.7)
CAMERA = camera_pb2.Camera(id="cam", sampling=camera_pb2.Sampling(min_gap_s=0.2, max_gap_s=30), evidence_every_s=60)
STILL = noise()
DARK = (noise() // 12).astype(np.uint8)


def with_square(where: int) -> NDArray[np.uint8]:
    """Return the still scene with a bright square far from the person: changed, and no motion near the person."""
    picture = STILL.copy()
    picture[2:26, where : where + 24] = 255
    return picture


def frame(seq: int, at_s: float, picture: NDArray[np.uint8], **more: object) -> frame_pb2.Frame:
    """Return a Frame of the camera."""
    told = {"camera_id": "cam", "epoch": 3, "codec": "png", "is_key": True, "examine": True, **more}
    data = cv2.imencode(".png", picture)[1].tobytes()
    return frame_pb2.Frame(seq=seq, at_ns=START + round(at_s * NS), data=data, **told)  # type: ignore[arg-type] # a mixture


def handle(room: Room, seq: int, at_s: float, picture: NDArray[np.uint8], **more: object) -> observation_pb2.Seen:
    """Handle a Frame and return what is told of it."""
    return seen(room.detector.handle(frame(seq, at_s, picture, **more), CAMERA))[-1]


def seen(result: Result) -> list[observation_pb2.Seen]:
    """Return the observations of a result."""
    messages = [record.message for record in result.records if record.topic == "observations"]
    return [one.seen for one in messages if isinstance(one, observation_pb2.Observation)]


def leave(room: Room) -> None:
    """Let the last picture leave, as detect does where no next one comes."""
    room.detector.flush("cam")


def shows(room: Room, box: tuple[int, int, int, int]) -> bool:
    """Tell whether the last stored picture shows anything but the fill within the box."""
    if not room.store.pictures:
        return False
    data = list(room.store.pictures.values())[-1]
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    left, top, right, bottom = box
    inner = picture[top + 8 : bottom - 8, left + 4 : right - 4].astype(int)
    return bool(np.abs(inner - FILL).max() > 24)


def view(picture: NDArray[np.uint8], at_s: float = 0) -> View:
    """Return a picture as the gate takes it."""
    return View(picture, small_luma(picture), START + round(at_s * NS))


def fault() -> Detections:
    """Fail as a runtime does."""
    raise RuntimeError


def test_a_fault_between_two_pictures_does_not_lose_the_hold(room: Room) -> None:
    """Somebody masked 0.4 s ago stays masked though the model failed in between and misses them now."""
    room.things.said = [PERSON]
    handle(room, 0, 0, with_square(70))
    handle(room, 1, 0.2, with_square(100))
    room.things.fault = fault
    handle(room, 2, 0.4, with_square(130))
    room.things.fault, room.things.said = None, []
    room.store.pictures.clear()
    handle(room, 3, 0.6, with_square(70))
    leave(room)
    assert room.store.pictures
    assert not shows(room, PERSON_BOX)


def test_who_was_seen_before_the_faces_failed_is_held(room: Room) -> None:
    """A picture whose release failed leaves the people of its first pass to be masked in the next one."""
    handle(room, 0, 0, with_square(70))
    leave(room)
    room.things.said, room.faces.fault = [PERSON], fault
    handle(room, 1, 70, with_square(100))
    room.things.said, room.faces.fault = [], None
    handle(room, 2, 71, with_square(130))
    leave(room)
    assert len(room.store.pictures) == 2
    assert not shows(room, PERSON_BOX)


def test_a_live_camera_shows_nothing_until_a_picture_was_searched_again(room: Room) -> None:
    """After a fault that outlasts what masks are held by, the first picture is searched and not shown."""
    handle(room, 0, 0, with_square(70))
    room.things.fault = fault
    for seq in range(1, 6):
        handle(room, seq, 4 * seq, with_square(100))
    room.things.fault, room.things.said = None, [PERSON]
    room.store.pictures.clear()
    blind = handle(room, 6, 24, with_square(130))
    assert blind.gate_closed
    assert not blind.HasField("counts")
    assert not room.store.pictures
    room.things.said = []
    back = handle(room, 7, 24.2, with_square(70))
    assert back.HasField("counts")
    leave(room)
    assert room.store.pictures
    assert not shows(room, PERSON_BOX)


def test_a_clock_that_steps_back_does_not_lose_the_hold(room: Room) -> None:
    """A camera whose clock is set back by a second releases nothing of who was masked the picture before."""
    room.things.said = [PERSON]
    handle(room, 0, 10, with_square(70))
    handle(room, 1, 10.2, with_square(100))
    handle(room, 2, 9.0, with_square(70))
    room.things.said = []
    room.store.pictures.clear()
    handle(room, 3, 9.2, with_square(100))
    leave(room)
    assert room.store.pictures
    assert not shows(room, PERSON_BOX)


def test_a_clock_that_steps_back_tells_unknown_counts_and_keeps_what_was_told(room: Room) -> None:
    """Of two pictures of one Frame the first is told of, the second, from before it, tells unknown counts."""
    handle(room, 0, 9, with_square(70))
    room.things.said = [PERSON]
    told = frame(1, 10, with_square(100))
    other = frame_pb2.Frame()
    other.CopyFrom(told)
    other.at_ns -= NS // 2
    pictures = [Picture(with_square(100), Stamp.of(one)) for one in (told, other)]
    room.detector.cameras["cam"].decoder.decode = lambda *_, **__: pictures  # type: ignore[method-assign] # two at once
    result = room.detector.handle(told, CAMERA)
    first, second = seen(result)
    assert result.verdict.outcome == frame_pb2.Verdict.OUTCOME_REFUSED
    assert first.counts.by_class["person"] == 1
    assert not second.HasField("counts")
    assert second.gate_closed


@pytest.mark.parametrize("frame_hw", [(60, 80), (240, 320), (90, 120)])
def test_a_change_of_size_does_not_lose_the_hold(room: Room, frame_hw: tuple[int, int]) -> None:
    """A stream that changes the size of its picture holds its masks where they lie in the new size."""
    room.things.said = [PERSON]
    handle(room, 0, 0, with_square(70))
    handle(room, 1, 0.2, with_square(100))
    room.things.said = []
    now = view(cv2.resize(with_square(100), frame_hw[::-1], interpolation=cv2.INTER_NEAREST).astype(np.uint8), 0.4)
    picture = room.gate.release(now, room.gate.look(now), room.detector.cameras["cam"].known.recent).picture
    scale = frame_hw[0] / 120
    top, bottom, left, right = (round(side * scale) for side in (30, 90, 40, 60))
    assert (picture.bgr[top:bottom, left:right] == FILL).all()
    assert not picture.mask.all()


def test_another_proportion_is_held_whole() -> None:
    """A picture of another proportion shows another part of the scene: all of it is held."""
    grid = np.zeros((15, 20), np.bool_)
    assert fitted(grid, (120, 160), (160, 120)).all()
    assert not fitted(grid, (120, 160), (240, 320)).any()
    sample = Sample(0, (120, 160), small_luma(STILL), grid)
    held = Recent((sample,)).held(NS, (160, 120), Policy())
    assert held is not None
    assert held.shape == (160, 120)
    assert held.all()


class MirrorFinder(SaidFinder):
    """Finds somebody in the mirrored picture alone."""

    def find(self, picture: NDArray[np.uint8], at_least: float) -> Detections:
        """Say it of the mirrored picture."""
        if not np.array_equal(picture, STILL[:, ::-1]):
            return Detections.none()
        return detections(self.manifest, [("person", (100.0, 30.0, 120.0, 90.0), 0.5)]).at_least(at_least)


def test_a_still_is_searched_a_second_time_mirrored(room: Room) -> None:
    """With nothing held and no motion to go by, or no next picture, one look in one form is not enough."""
    room.gate.things = MirrorFinder(room.things.manifest)
    now = view(STILL)
    first = room.gate.release(now, room.gate.look(now), Recent())
    assert (first.picture.bgr[30:90, 40:60] == FILL).all()
    calm = Sample(now.at_ns, now.frame_hw, now.luma, np.zeros((15, 20), np.bool_))
    recent, after = Recent((calm,), vouched=np.ones(now.luma.shape, np.bool_)), replace(calm, at_ns=calm.at_ns + NS)
    searched = room.gate.search(now, room.gate.look(now), recent)
    assert not room.gate.finish(searched, recent, after).picture.mask.any()
    assert (room.gate.finish(searched, recent).picture.bgr[30:90, 40:60] == FILL).all()


def test_the_bands_of_pictures_that_are_not_released_are_held(room: Room) -> None:
    """A vehicle seen in a picture that was not sent, or standing there, keeps its band in one that misses it."""
    before = view(with_square(100), 0.1)
    car = detections(room.things.manifest, [("car", (40.0, 40.0, 100.0, 80.0), 0.3)])
    standing = np.array([[110, 40, 150, 80]], np.float32)
    recent = Recent((room.gate.glance(before, car, Recent(), standing),))
    now = view(with_square(130), 0.3)
    picture = room.gate.release(now, room.gate.look(now), recent).picture
    assert (picture.bgr[60:78, 44:96] == FILL).all()
    assert (picture.bgr[60:78, 112:148] == FILL).all()


def test_a_standing_motorcycle_keeps_its_band(room: Room) -> None:
    """Motorcycles wear plates: the band stays while their place stands, though pictures miss them."""
    room.things.said = [("motorcycle", (70.0, 60.0, 110.0, 100.0), 0.7)]
    for seq in range(4):
        handle(room, seq, seq * 2.0, with_square(70 + 20 * (seq % 2)))
    room.things.said = []
    for seq in range(4, 8):  # the hold of two samples runs out, the place does not: its pixels are quiet
        handle(room, seq, seq * 2.0, with_square(70 + 20 * (seq % 2)))
    room.store.pictures.clear()
    handle(room, 8, 75.0, with_square(130))
    leave(room)
    assert any(place.is_open for place in room.detector.cameras["cam"].known.places)
    assert room.store.pictures
    assert not shows(room, (70, 74, 110, 102))


@pytest.mark.parametrize("name", ["train", "boat", "airplane", "motorcycle"])
def test_a_road_vehicle_by_another_name_wears_a_band(room: Room, name: str) -> None:
    """A lorry or a bus that the model takes for a train or a boat wears its band all the same."""
    room.things.said = [(name, (40.0, 40.0, 100.0, 80.0), 0.6)]
    now = view(STILL)
    picture = room.gate.release(now, room.gate.look(now), Recent()).picture
    assert (picture.bgr[56:80, 42:98] == FILL).all()


def test_the_same_again_after_a_dropped_picture_is_searched(room: Room) -> None:
    """`same_as_before` speaks of the Frame before; where that one never came, its counts are not known."""
    handle(room, 0, 0, noise(1))
    room.things.said = [PERSON]
    told = handle(room, 2, 2, noise(2), same_as_before=True)
    assert told.counts.by_class["person"] == 1


def test_the_same_again_after_a_dropped_picture_is_believed_where_it_looks_the_same(room: Room) -> None:
    """Whatever was dropped in between: a picture whose grey copy equals the last examined one ages nothing."""
    room.things.said = [CAR]
    handle(room, 0, 0, noise(1))
    handle(room, 1, 2, noise(1))
    told = handle(room, 3, 6, noise(1), same_as_before=True)
    assert [one.still_s for one in told.things] == [2.0]


def test_things_are_not_told_of_a_picture_that_was_not_searched(room: Room) -> None:
    """With the gate closed, or a picture that cannot be read, nothing of the picture before is repeated."""
    room.things.said = [CAR]
    assert handle(room, 0, 0, with_square(70)).things
    unread = seen(room.detector.handle(frame_pb2.Frame(
        camera_id="cam", epoch=3, seq=1, at_ns=START + NS, codec="png", examine=True
    ), CAMERA))[0]  # fmt: skip
    room.things.fault = fault
    closed = handle(room, 2, 2, noise(3))
    assert unread.gate_closed
    assert closed.gate_closed
    assert not unread.things
    assert not closed.things


def test_a_picture_too_dark_to_tell_anything_tells_no_counts(room: Room) -> None:
    """Nobody was counted where it is too dark to search: health says so, and no picture is released."""
    told = handle(room, 0, 0, DARK)
    assert told.health == [observation_pb2.HEALTH_DARK]
    assert not told.HasField("counts")
    assert told.gate_closed == "too dark to search"
    assert not room.store.pictures
    assert not room.things.calls
    handle(room, 1, 2, STILL)
    light = handle(room, 2, 4, STILL)
    assert light.HasField("counts")
    assert not light.health


@pytest.mark.parametrize("error", [MemoryError(), OSError("MARKER"), ValueError("MARKER")])
@pytest.mark.parametrize("where", ["decoder", "luma", "store", "seal"])
def test_any_fault_on_the_way_tells_unknown_counts(
    room: Room, monkeypatch: pytest.MonkeyPatch, error: Exception, where: str
) -> None:
    """Not only the models fail: memory, a disk, a signer. The observation names its class, and its counts are unset."""
    room.things.said = [PERSON]
    handle(room, 0, 0, with_square(70))
    room.store.pictures.clear()
    broken = raising(error)
    if where == "decoder":
        monkeypatch.setattr("lamplight_detect.decode.pictures.decode_still", broken)
    elif where == "luma":
        monkeypatch.setattr("lamplight_detect.examine.small_luma", broken)
    elif where == "store":
        room.store.fault = error
    else:
        monkeypatch.setattr(room.sealer, "sealed", broken)
    told = handle(room, 1, 70, with_square(100))
    assert not room.store.pictures
    assert not told.HasField("counts")
    assert type(error).__name__ in told.gate_closed
    assert "MARKER" not in told.gate_closed


@pytest.mark.parametrize("where", ["decode_still", "small_luma"])
def test_an_upload_that_meets_a_fault_is_refused(room: Room, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """A fault on an upload's way is a reason that names its class, not an exception that may quote the picture."""
    monkeypatch.setattr(f"lamplight_detect.redact.{where}", raising(ValueError("MARKER")))
    redactor = Redactor(room.gate, room.sealer, VideoFile)
    data = cv2.imencode(".png", STILL)[1].tobytes()
    refused = [redactor.redact_picture(data).refused]
    refused.append(redactor.example(data, 0, frame_pb2.Enrolment(), lambda _: "key")[0].refused)
    for reason in refused:
        assert "ValueError" in reason
        assert "MARKER" not in reason


def raising(error: Exception) -> Callable[..., None]:
    """Return a function that raises `error`."""

    def broken(*_: object, **__: object) -> None:
        raise error

    return broken
