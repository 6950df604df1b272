"""Grounds over a restart: kept as the gate redacts and seals them, taken up where the seal holds, else learnt anew."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pytest
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight_detect.background import Light, Scene
from lamplight_detect.camera import Watched
from lamplight_detect.change import small_luma
from lamplight_detect.gate import Sample, View
from lamplight_detect.gate.masks import FILL
from lamplight_detect.keeper import KEEP_EVERY_S, Keeper
from lamplight_detect.testing import Room, noise
from lamplight_kit.errors import Retry
from lamplight_kit.seal import KeyRing, SealedPicture, verify
from numpy.typing import NDArray

NS = 1_000_000_000
START = 1_700_000_000 * NS
HW = 120, 160
CAMERA = Watched("cam")
KEY = "7d/cam/day"
NO_BOXES = np.zeros((0, 4), np.float32)


@dataclass
class Grounds:
    """A store in memory."""

    keys: KeyRing
    held: dict[str, bytes] = field(default_factory=dict)
    is_away: bool = False

    def put(self, key: str, sealed_jpeg: bytes) -> None:
        """Keep a picture."""
        if self.is_away:
            why = "away"
            raise Retry(why)
        self.held[key] = sealed_jpeg

    def get_sealed(self, key: str) -> SealedPicture:
        """Return it verified."""
        return verify(self.held[key], self.keys)


@pytest.fixture
def grounds(room: Room) -> Grounds:
    """An empty store."""
    return Grounds(room.keys)


@pytest.fixture
def keeper(room: Room, grounds: Grounds) -> Keeper:
    """A keeper on the room's gate."""
    return Keeper(room.gate, room.sealer, grounds, lambda days, camera, light: f"{days}d/{camera}/{light}")


def street(number: int) -> NDArray[np.uint8]:
    """Return a street with nobody in it."""
    smooth = cv2.GaussianBlur(noise(5), (0, 0), 3).astype(np.int16)
    return np.clip(smooth + np.random.default_rng(number).integers(-2, 3, smooth.shape), 0, 255).astype(np.uint8)


def view(number: int, at_s: float) -> View:
    """Return a picture of the street."""
    picture = street(number)
    return View(picture, small_luma(picture), START + round(at_s * NS))


def learnt(hidden: slice = slice(0)) -> Scene:
    """Return the scene after a while, the columns `hidden` of it never sighted."""
    scene = Scene(ripe_min=0)
    grid = np.zeros((15, 20), np.bool_)
    grid[:, hidden] = True
    for number in range(25):
        now = view(number, 4 * number)
        scene = scene.seen(now).scene.after(now, Sample(now.at_ns, HW, now.luma, grid), NO_BOXES)
    return scene


def test_a_ground_comes_back_after_a_restart(keeper: Keeper, grounds: Grounds) -> None:
    """It is valid from the first picture on, and who stands before it is told from it."""
    scene = keeper.keep(learnt(), CAMERA, START + 100 * NS)
    assert list(grounds.held) == [KEY]
    now = view(90, 200)
    back = keeper.taken_up(Scene(), now, CAMERA)
    assert back.seen(now).scene.valid_share > 0.9
    assert np.abs(back.grounds[Light.DAY].colour.astype(int) - scene.grounds[Light.DAY].colour).mean() < 3
    later = back.seen(now).scene.after(now, Sample(now.at_ns, HW, now.luma, np.zeros((15, 20), np.bool_)), NO_BOXES)
    assert later.valid_share > 0.9
    walked = street(91)
    walked[40:90, 60:80] = 250
    seen = later.seen(View(walked, small_luma(walked), now.at_ns + 2 * NS))
    assert seen.unexplained is not None
    assert seen.unexplained[40:90, 60:80].all()


def test_what_may_not_fill_is_kept_solid(keeper: Keeper, grounds: Grounds) -> None:
    """Columns that were never sighted are masked in what is stored, and unknown when it comes back."""
    keeper.keep(learnt(slice(19, 20)), CAMERA, START + 100 * NS)
    picture = cv2.imdecode(np.frombuffer(grounds.held[KEY], np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert np.abs(picture[:, 154:].astype(int) - FILL).max() < 24
    back = keeper.taken_up(Scene(), view(90, 200), CAMERA)
    assert not back.grounds[Light.DAY].ripe[:, 152:].any()


def test_somebody_whom_the_gate_finds_in_a_ground_is_not_kept(keeper: Keeper, grounds: Grounds, room: Room) -> None:
    """What is stored goes through the gate as any picture does."""
    room.things.said = [("person", (60.0, 40.0, 80.0, 90.0), 0.5)]
    keeper.keep(learnt(), CAMERA, START + 100 * NS)
    attestation = verify(grounds.held[KEY], room.keys).attestation
    assert attestation.masks["person"] >= 1
    back = keeper.taken_up(Scene(), view(90, 200), CAMERA)
    assert not back.grounds[Light.DAY].ripe[44:86, 64:76].any()


@pytest.mark.parametrize(
    "how", ["missing", "changed", "another camera", "another key", "another size", "no ground", "a fault"]
)
def test_a_bad_one_starts_anew(keeper: Keeper, grounds: Grounds, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Nothing is taken up whose seal does not hold, or that shows something else."""
    said: list[str] = []
    keeper = replace(keeper, warn=lambda camera, why: said.append(f"{camera}: {why}"))
    keeper.keep(learnt(), CAMERA, START + 100 * NS)
    camera, now = CAMERA, view(90, 200)
    if how == "missing":
        grounds.held.clear()
    if how == "changed":
        grounds.held[KEY] = grounds.held[KEY][:-40] + bytes(38) + b"\xff\xd9"
    if how == "another camera":
        camera = Watched("other")
        grounds.held["7d/other/day"] = grounds.held[KEY]
    if how == "another key":
        grounds.keys = KeyRing()
    if how == "another size":
        wide = cv2.resize(street(90), (320, 180)).astype(np.uint8)
        now = View(wide, small_luma(wide), now.at_ns)
    if how == "no ground":
        grounds.held[KEY] = b"\xff\xd8\xff nothing"
    if how == "a fault":
        monkeypatch.setattr("lamplight_detect.keeper.decode_still", lambda _data: int("no picture"))
    assert keeper.taken_up(Scene(), now, camera) == Scene()
    assert bool(said) == (how in {"changed", "another key", "no ground", "a fault"})


def test_it_is_kept_every_ten_minutes_and_faults_cost_that_alone(keeper: Keeper, grounds: Grounds) -> None:
    """While the store is away or the gate fails nothing is kept and the camera goes on."""
    said: list[str] = []
    keeper = replace(keeper, warn=lambda _camera, why: said.append(why))
    grounds.is_away = True
    at_ns = START + 100 * NS
    scene = keeper.keep(learnt(), CAMERA, at_ns)
    assert (len(said), grounds.held) == (1, {})
    grounds.is_away = False
    assert keeper.keep(scene, CAMERA, at_ns + 60 * NS) is scene
    scene = keeper.keep(scene, CAMERA, at_ns + round(KEEP_EVERY_S) * NS)
    assert list(grounds.held) == [KEY]
    grounds.held.clear()
    keeper.gate._why_closed = lambda: "the canary"
    keeper.keep(scene, CAMERA, at_ns + 2 * round(KEEP_EVERY_S) * NS)
    assert not grounds.held


def test_nothing_is_kept_before_it_is_valid(keeper: Keeper, grounds: Grounds) -> None:
    """A camera's first minutes are nobody's ground."""
    keeper.keep(learnt(slice(10, 20)), CAMERA, START)
    keeper.keep(Scene(), CAMERA, START)
    assert not grounds.held


def test_a_detector_that_restarts_knows_its_cameras(keeper: Keeper, room: Room) -> None:
    """The first picture after a restart is already compared with the ground that was kept."""
    keeper.keep(learnt(), CAMERA, START + 100 * NS)
    room.detector.examiner = replace(room.detector.examiner, keeper=keeper)
    data = cv2.imencode(".png", street(90))[1].tobytes()
    frame = frame_pb2.Frame(
        camera_id="cam", epoch=1, seq=0, at_ns=START + 200 * NS, codec="png", is_key=True, examine=True, data=data
    )
    result = room.detector.handle(frame, camera_pb2.Camera(id="cam"))
    assert result.vouched == 1
