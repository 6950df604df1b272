"""The canary: what it notices, that it closes the gate, and that the gate opens again by itself."""

from __future__ import annotations

import os
import runpy
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight.observation.v1 import observation_pb2
from lamplight_detect.adapters.canary_watch import RETRY_S, CanaryWatch
from lamplight_detect.bootstrap import canary_of, sessions_of
from lamplight_detect.canary import Canary, Recorder, expected
from lamplight_detect.gate import Gate, Policy
from lamplight_detect.models.centerface import CenterFace
from lamplight_detect.models.nanodet import NanoDet
from lamplight_detect.testing import Room, noise
from lamplight_kit.onnx import Session
from lamplight_models import default_folder, missing
from numpy.typing import NDArray

MAKER = runpy.run_path(str(Path(__file__).with_name("canary_maker.py")))
MODELS = default_folder(os.environ)
needs_models = pytest.mark.skipif(bool(missing(MODELS)), reason="the models are not ready: run `make models`")
Answer = dict[str, NDArray[np.float32]]


class Spoilt:
    """A session that asks or answers otherwise than the model does."""

    def __init__(self, session: Session, asked: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> None:
        self.manifest = session.manifest
        self._session, self._asked = session, asked

    def run(self, tensor: NDArray[np.float32]) -> Answer:
        """Run it on another tensor."""
        return self._session.run(np.ascontiguousarray(self._asked(tensor)))


class Clock:
    """Seconds that a test moves."""

    now_s = 0.0

    def __call__(self) -> float:
        """Tell them."""
        return self.now_s


@pytest.fixture(scope="module")
def sessions() -> tuple[Session, Session]:
    """The default models."""
    return sessions_of(MODELS / "nanodet.yaml", MODELS / "centerface.yaml")


def spoilt(sessions: tuple[Session, Session], asked: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Canary:
    """Return the canary on a people's model that is asked otherwise."""
    things, faces = Recorder(Spoilt(sessions[0], asked)), Recorder(sessions[1])
    return Canary(Gate(NanoDet(things), CenterFace(faces), Policy()), (things, faces), expected(), lambda: None)


@needs_models
@pytest.mark.models
def test_the_canary_comes_through(sessions: tuple[Session, Session]) -> None:
    """People at 120 and 40 px, and at 16 px by the tiled pass, are found by day and grey, and nothing else differs."""
    assert canary_of(sessions).check() == ""
    assert [one.found_by for one in expected()[0].people] == ["whole", "whole", "tiles"]
    assert [one.height_px for one in expected()[1].people] == [120, 40, 16]
    grey = cv2.imdecode(np.frombuffer(expected()[1].data, np.uint8), cv2.IMREAD_COLOR)
    assert grey is not None
    assert int(np.ptp(grey.astype(int), axis=2).max()) <= 4


@needs_models
@pytest.mark.models
@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (np.zeros_like, "nobody of 120 px"),
        (lambda tensor: tensor[..., ::-1], "nobody of"),
        (lambda tensor: tensor[:, ::-1], "off its golden values"),
        (lambda tensor: tensor + np.float32(0.2), "off its golden values"),
    ],
    ids=["nothing arrives", "mirrored", "red for blue", "a shifted mean"],
)
def test_the_canary_notices_what_reaches_the_model(
    sessions: tuple[Session, Session], asked: Callable[[NDArray[np.float32]], NDArray[np.float32]], why: str
) -> None:
    """A model that gets other pictures than the ones decoded does not pass, whatever it still finds."""
    assert why in spoilt(sessions, asked).check()


@needs_models
@pytest.mark.models
def test_the_canary_notices_a_decoder_that_gives_other_colours(sessions: tuple[Session, Session]) -> None:
    """Colours are compared before any model runs."""
    day = expected()[0]
    shown = cv2.imdecode(np.frombuffer(day.data, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    swapped = replace(day, data=MAKER["encoded"](np.ascontiguousarray(shown[..., ::-1], np.uint8)))
    assert "off its colours" in canary_of(sessions, pictures=(swapped,)).check()


@needs_models
@pytest.mark.models
def test_the_canary_wants_its_people_masked(sessions: tuple[Session, Session]) -> None:
    """People who are found and then not masked close the gate."""
    canary = canary_of(sessions)
    gate = Gate(canary.gate.things, canary.gate.faces, replace(Policy(), large_score=0.99, medium_score=0.99))
    assert canary.check() == ""
    large = replace(gate.policy, small_share=0.0, medium_share=0.0, large_share=1.0)
    blind = replace(canary, gate=Gate(gate.things, gate.faces, large))
    assert "masked found" in blind.check()


def test_the_canary_is_what_its_maker_makes() -> None:
    """The committed pictures are the composition that the maker describes, of the demo's footage."""
    day, people = MAKER["by_day"]()
    for portrait, made in zip(expected(), (day, MAKER["infrared"](day)), strict=True):
        shown = cv2.imdecode(np.frombuffer(portrait.data, np.uint8), cv2.IMREAD_COLOR)
        assert shown is not None
        assert float(np.abs(shown.astype(int) - made.astype(int)).mean()) < 4
        assert [one.box_xyxy for one in portrait.people] == [one.box_xyxy for one in people]


def test_the_gate_is_closed_until_the_first_canary_and_opens_by_itself() -> None:
    """A bad canary closes; it is tried again soon, and the first good one opens."""
    clock, answers = Clock(), ["bad", "", "bad", ""]
    watch = CanaryWatch(60.0, clock)
    assert watch.why_closed()
    assert watch.unready()
    watch.check = lambda: answers.pop(0)
    assert watch.when_due() == "bad"
    clock.now_s += RETRY_S / 2
    assert watch.when_due() == "bad"
    assert len(answers) == 3
    clock.now_s += RETRY_S
    assert watch.when_due() == ""
    assert watch.unready() is None
    clock.now_s += 59
    assert watch.when_due() == ""
    assert len(answers) == 2
    clock.now_s += 2
    assert watch.when_due() == "bad"
    clock.now_s += RETRY_S + 1
    assert watch.when_due() == ""


def test_as_a_part_of_the_service_it_is_sent_at_once_and_again() -> None:
    """Started, it opens the gate without anybody asking, and goes on."""
    sent = threading.Semaphore(0)
    watch = CanaryWatch(0.01)

    def check() -> str:
        sent.release()
        return ""

    watch.check = check
    watch.start()
    assert all(sent.acquire(timeout=10) for _ in range(3))
    assert watch.unready() is None
    watch.stop(1)


def test_a_canary_that_is_not_sent_any_more_closes_the_gate() -> None:
    """Where the canary's thread is gone, its last good word does not count for ever."""
    clock = Clock()
    watch = CanaryWatch(60.0, clock)
    watch.check = lambda: ""
    assert watch.when_due() == ""
    clock.now_s += 200
    assert watch.why_closed() == ""
    clock.now_s += 100
    assert "came through 300 s ago" in watch.why_closed()


def test_a_canary_that_hangs_closes_the_gate() -> None:
    """While a canary is out too long, nothing is released."""
    clock = Clock()
    watch = CanaryWatch(3600.0, clock)
    watch.check = lambda: ""
    assert watch.when_due() == ""
    seen: list[str] = []

    def hangs() -> str:
        clock.now_s += 30
        seen.append(watch.why_closed())
        clock.now_s += 100
        seen.append(watch.why_closed())
        return ""

    watch.check = hangs
    clock.now_s += 3600
    assert watch.when_due() == ""
    assert seen[0] == ""
    assert seen[1]


def test_a_closed_gate_releases_no_picture_and_leaves_counts_unset(room: Room) -> None:
    """While the canary closes it: no picture on any path, unknown counts with the reason, though nothing changed."""
    why = ""
    gate = Gate(room.things, room.faces, Policy(), lambda: why)
    room.detector.examiner = replace(room.detector.examiner, gate=gate)
    camera = camera_pb2.Camera(id="c1")
    data = MAKER["encoded"](noise())

    def seen(seq: int) -> observation_pb2.Seen:
        frame = frame_pb2.Frame(
            camera_id="c1",
            epoch=1,
            seq=seq,
            at_ns=(1 + seq) * 10**9,
            codec="mjpeg",
            data=data,
            is_key=True,
            examine=True,
        )
        records = room.detector.handle(frame, camera).records
        told = [one.message for one in records if isinstance(one.message, observation_pb2.Observation)]
        return told[0].seen

    assert seen(0).HasField("counts")
    assert seen(1).HasField("counts")  # the picture before leaves with this one
    kept = len(room.store.pictures)
    assert kept == 1
    why = "the canary: nobody of 40 px found"
    for seq in (2, 3):
        closed = seen(seq)
        assert not closed.HasField("counts")
        assert closed.gate_closed == why
    assert len(room.store.pictures) == kept
    why = ""
    opened = seen(4)
    assert opened.HasField("counts")
    assert not opened.gate_closed
    seen(5)
    assert len(room.store.pictures) == kept + 1
