"""What detect puts out fits its topics, and a model that hangs costs a picture and no thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from google.protobuf.message import Message
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight.observation.v1 import observation_pb2
from lamplight_contracts.topics import load
from lamplight_detect.adapters.watchdog import MAX_HUNG, UNREADY_HUNG, Threads, TimedFinder
from lamplight_detect.change import small_luma
from lamplight_detect.detections import Detections
from lamplight_detect.evidence import Stored
from lamplight_detect.gate import Recent, Source, View
from lamplight_detect.messages import places_message, trim
from lamplight_detect.models.finder import ModelFault
from lamplight_detect.places import Place
from lamplight_detect.regions import SCENE_SIDE_PX, Shot, scene
from lamplight_detect.testing import Room, SaidFinder, noise
from lamplight_models import manifest
from numpy.typing import NDArray

NS = 1_000_000_000
LONG_ID = "z" * 61
PICTURE = noise()


def most_bytes(topic: str) -> int:
    """Return how large a message of a topic may be."""
    return load().named(topic).max_bytes


def test_an_observation_always_fits_its_topic(room: Room) -> None:
    """Forty things in eight zones of long ids: the surest that fit are told, and all counts."""
    corners = [camera_pb2.Point(x=x, y=y) for x, y in ((0, 0), (1, 0), (1, 1.01), (0, 1.01))]
    zones = [camera_pb2.Zone(id=f"{number}-{LONG_ID}", polygon=corners) for number in range(8)]
    camera = camera_pb2.Camera(id="c" * 63, zones=zones, sampling=camera_pb2.Sampling(min_gap_s=2, max_gap_s=30))
    boxes = [(16.0 * column, 12.0 * row, 16.0 * column + 12, 12.0 * row + 9) for column in range(9) for row in range(5)]
    room.things.said = [("car", box, 0.7) for box in boxes]
    for seq in range(3):
        frame = frame_pb2.Frame(
            camera_id=camera.id,
            epoch=1,
            seq=seq,
            at_ns=(1_700_000_000 + 2 * seq) * NS,
            codec="png",
            data=cv2.imencode(".png", noise(seq))[1].tobytes(),
            is_key=True,
            examine=True,
        )
        for record in room.detector.handle(frame, camera).records:
            assert isinstance(record.message, Message)
            assert len(record.message.SerializeToString()) <= most_bytes(record.topic), record.topic
            if isinstance(record.message, observation_pb2.Observation):
                assert record.message.seen.things
                assert all(zone.counts.by_class["car"] == 45 for zone in record.message.seen.zones)


def test_zones_that_do_not_fit_are_unknown() -> None:
    """Sixty-four zones of long ids in which every class is counted: the last ones' counts are unset, none is lost."""
    seen = observation_pb2.Seen()
    for number in range(64):
        counts = observation_pb2.Counts(by_class={f"class {kind}": 9 for kind in range(10)})
        seen.zones.append(observation_pb2.ZoneCounts(zone_id=f"{number}-{LONG_ID}", counts=counts))
    trim(seen)
    assert observation_pb2.Observation(seen=seen).ByteSize() <= most_bytes("observations")
    assert len(seen.zones) == 64
    assert seen.zones[0].HasField("counts")
    assert not seen.zones[-1].HasField("counts")


def test_places_fit_their_topic() -> None:
    """However many things stand, those that have stood longest are kept."""
    places = [
        Place(f"{'c' * 63}-{number}", "traffic light", "thing", (0, 0, 9, 9), 1, NS, 3.0 + number, 0.5)
        for number in range(900)
    ]
    message = places_message("c" * 63, 1, 1, NS, places, Stored())
    assert message.ByteSize() <= most_bytes("places")
    assert len(message.places) > 300
    assert message.places[0].still_s == pytest.approx(902)


def test_a_region_always_fits_its_topic(room: Room) -> None:
    """However grainy the scene, a region fits its topic: of less quality first, and then smaller."""
    frame_hw = (1024, 1024)
    room.things.whole_hw = frame_hw
    grain = np.random.default_rng(1).integers(0, 256, (512, 512, 3), np.uint8)
    bgr = cv2.resize(grain, frame_hw[::-1], interpolation=cv2.INTER_NEAREST).astype(np.uint8)
    view = View(bgr, small_luma(bgr), 0)
    picture = room.gate.release(view, room.gate.look(view), Recent()).picture
    region = scene(Shot(picture, np.zeros((0, 4), np.float32), Source("cam", 1), 1, 1, "key"), room.sealer)
    assert region.ByteSize() <= most_bytes("regions")
    shown = cv2.imdecode(np.frombuffer(region.picture, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert SCENE_SIDE_PX / 2 < max(shown.shape) < SCENE_SIDE_PX


class HangingFinder(SaidFinder):
    """Hangs in its first `hangs` calls until `free` is set."""

    free: threading.Event
    hangs: int

    def find(self, picture: NDArray[np.uint8], at_least: float) -> Detections:
        """Hang, or find nothing."""
        if len(self.calls) < self.hangs:
            self.calls.append(picture.shape)
            self.free.wait(60)
        return Detections.none()


@pytest.fixture
def hanging() -> HangingFinder:
    """A finder that hangs until it is freed."""
    finder = HangingFinder(manifest("nanodet"))
    finder.free, finder.hangs = threading.Event(), 1
    return finder


def test_a_thread_that_hangs_is_replaced(hanging: HangingFinder) -> None:
    """After a call that hangs for ever the next one gets a thread of its own: recovery is by itself."""
    threads = Threads(1)
    with pytest.raises(ModelFault):
        TimedFinder(hanging, threads, 0.05).find(PICTURE, 0.05)
    assert threads.unready() is None
    assert len(TimedFinder(hanging, threads, 20).find(PICTURE, 0.05)) == 0
    hanging.free.set()


def test_threads_that_hang_are_told_and_bounded(hanging: HangingFinder) -> None:
    """From the third on the service is not ready; no more than so many are replaced, and it recovers with them."""
    threads, before = Threads(1), threading.active_count()
    hanging.hangs = 100
    for number in range(1, MAX_HUNG + 4):
        with pytest.raises(ModelFault):
            TimedFinder(hanging, threads, 0.05).find(PICTURE, 0.05)
        assert bool(threads.unready()) == (number >= UNREADY_HUNG)
    assert threading.active_count() - before <= MAX_HUNG
    hanging.hangs = 0
    hanging.free.set()
    assert len(TimedFinder(hanging, threads, 20).find(PICTURE, 0.05)) == 0
    until(lambda: threads.unready() is None)


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, at most 10 s."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)
