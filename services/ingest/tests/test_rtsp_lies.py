"""Servers that lie, each beside an honest one: they cost nothing but themselves, and their states say what is so."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight_ingest import run as runs
from lamplight_ingest.adapters.pace import RealTime
from lamplight_ingest.adapters.secrets import Secrets
from lamplight_ingest.adapters.sources import Sources
from lamplight_ingest.doors import Doors
from lamplight_ingest.gate import Bounds
from lamplight_ingest.life import State
from lamplight_ingest.run import Around, CameraRun
from lamplight_ingest.runtime import Runtime
from lamplight_kit.clock import SystemClock
from rtsp_server import Script, Viewer, server
from rtsp_wire import answer, framed, packets, rtp

PICTURE_BYTES = 1 << 20
MOST_BYTES = 16 << 20
KEY, PLAIN = b"\x65\x88" + b"k" * 3000, b"\x41\x9a" + b"p" * 300
CLOCK = SystemClock()


class Cameras:
    """A worker's cameras without a bus; keeps the states that each went through."""

    def __init__(self, bounds: Bounds | None = None, timeout_s: float = 1.0) -> None:
        """Watch nothing yet."""
        self.runtime = Runtime(CLOCK, bounds)
        self.runtime.start()
        sources = Sources(
            Doors(allow_loopback=True), Secrets(None, {}), CLOCK, lambda: RealTime(CLOCK), timeout_s, PICTURE_BYTES
        )
        self.around = Around(sources.live, self, CLOCK, "worker", 1.0, self.runtime)
        self.states: dict[str, list[tuple[State, str]]] = {}
        self.frames: dict[str, list[frame_pb2.Frame]] = {}
        self.runs: list[CameraRun] = []

    def offer(self, frame: frame_pb2.Frame) -> None:
        """Take a frame."""
        self.frames.setdefault(frame.camera_id, []).append(frame)

    def watch(self, name: str, port: int, host: str = "127.0.0.1") -> None:
        """Watch one more."""
        sampling = camera_pb2.Sampling(min_gap_s=0.01, max_gap_s=30)
        camera = camera_pb2.Camera(id=name, source=f"rtsp://{host}:{port}/live", sampling=sampling)
        self.runs.append(CameraRun(camera, 1, self.around, self._turned))
        self.runs[-1].start()

    def until(self, name: str, state: State, within_s: float = 20.0) -> str:
        """Wait for a camera to have been in `state`, looking now and then; return the reason."""
        end_s = time.monotonic() + within_s
        while True:
            for told, reason in list(self.states.get(name, ())):
                if told is state:
                    return reason
            assert time.monotonic() < end_s, self.states
            for camera in self.runs:
                camera.look()
            threading.Event().wait(0.02)

    def stop(self) -> None:
        """End all, once."""
        ending, self.runs = self.runs, []
        for camera in ending:
            camera.stop()
        if ending:
            self.runtime.stop(5)

    def _turned(self, camera: CameraRun) -> None:
        self.states.setdefault(camera.camera.id, []).append((camera.life.state, camera.life.reason))


@pytest.fixture
def cameras(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cameras]:
    """Cameras whose silence is noticed soon."""
    monkeypatch.setattr(runs, "ASSUMED_KEYFRAME_INTERVAL_S", 0.1)
    made = Cameras()
    yield made
    made.stop()


def _honest(viewer: Viewer) -> None:
    viewer.greet()
    for index in range(10_000):
        viewer.say(packets([KEY], index, 4500 * index))
        time.sleep(0.05)  # 20 pictures a second


def _endless_headers(viewer: Viewer) -> None:
    viewer.hear()
    viewer.say(b"RTSP/1.0 200 OK\r\n")
    while True:
        viewer.say(b"X-Header: more of it\r\n" * 1000)


def _endless_picture(viewer: Viewer) -> None:
    """Begins a keyframe, and never ends it: two gigabytes, if anybody would hold them."""
    viewer.greet()
    viewer.say(framed(rtp(b"\x7c\x85" + bytes(1000), 0, 0)))
    for index in range(1, 1_500_000):
        viewer.say(framed(rtp(b"\x7c\x05" + bytes(1400), index, 0)))


def _no_keyframe(viewer: Viewer) -> None:
    viewer.greet()
    for index in range(10_000):
        viewer.say(packets([PLAIN], index, 4500 * index))
        time.sleep(0.02)  # 50 pictures a second


def _no_whole_keyframe(viewer: Viewer) -> None:
    """Loses the middle of each."""
    viewer.greet()
    for index in range(0, 30_000, 3):
        viewer.say(framed(rtp(b"\x7c\x85" + bytes(100), index, 4500 * index)))
        viewer.say(framed(rtp(b"\x7c\x45" + bytes(100), index + 2, 4500 * index, marker=True)))
        time.sleep(0.02)


def _a_byte_and_no_more(viewer: Viewer) -> None:
    viewer.greet()
    viewer.say(b"$")
    viewer.linger()


def _huge_description(viewer: Viewer) -> None:
    viewer.say(answer(viewer.hear()))
    cseq = viewer.hear()
    viewer.say(f"RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nContent-Length: 100000000\r\n\r\n".encode())
    while True:
        viewer.say(b"a=x\r\n" * 10_000)


def _lying_lengths(viewer: Viewer) -> None:
    """Says of each packet that it is far longer than it is."""
    viewer.greet()
    for index in range(10_000):
        packet = rtp(KEY, index, 4500 * index, marker=True)
        viewer.say(b"$\x00\xff\xff" + packet)
        time.sleep(0.005)  # 200 pictures a second


def _refuses(viewer: Viewer) -> None:
    viewer.say(answer(viewer.hear()))
    viewer.say(answer(viewer.hear(), status="404 Not Found"))


@pytest.mark.parametrize(
    ("lie", "state", "reason"),
    [
        (_endless_headers, State.GONE, "a head of more than"),
        (_endless_picture, State.STALLED, "no picture for"),
        (_no_keyframe, State.STALLED, "no keyframe among them"),
        (_no_whole_keyframe, State.STALLED, "keyframes came since and were discarded as incomplete or too large; look"),
        (_a_byte_and_no_more, State.STALLED, "no "),
        (_huge_description, State.GONE, "a body of more than 65536 bytes"),
        (_lying_lengths, State.STALLED, "no picture for"),
        (_refuses, State.REFUSED, "404"),
    ],
)
def test_a_lie_costs_nothing_but_its_camera(cameras: Cameras, lie: Script, state: State, reason: str) -> None:
    """Its state says what is so, memory stays, and the honest camera beside it goes on without a gap."""
    with server(_honest) as honest, server(lie) as lying:
        cameras.watch("honest", honest)
        cameras.until("honest", State.LIVE)
        tracemalloc.start()
        try:
            cameras.watch("liar", lying)
            assert reason in cameras.until("liar", state)
            assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
        finally:
            tracemalloc.stop()
        before = len(cameras.frames["honest"])
        end_s = time.monotonic() + 10
        while len(cameras.frames["honest"]) < before + 5:
            assert time.monotonic() < end_s
            threading.Event().wait(0.02)
        cameras.stop()
    assert {told for told, _ in cameras.states["honest"]} == {State.CONNECTING, State.LIVE}
    assert not any(frame.after_gap for frame in cameras.frames["honest"])
    assert "liar" not in cameras.frames


def test_a_storm_of_reconnects_starves_no_live_camera(cameras: Cameras) -> None:
    """Three hundred cameras whose server hangs up on them, again and again, beside one that is live."""
    came = [0, 0, 0]
    lock = threading.Lock()

    def hangs_up(viewer: Viewer) -> None:
        with lock:
            came[0] += 1
            came[1] += 1
            came[2] = max(came[1:])
        try:
            viewer.greet()
            viewer.say(packets([KEY], 0, 0))
        finally:
            with lock:
                came[1] -= 1

    with server(_honest) as honest, server(hangs_up) as storm:
        cameras.watch("honest", honest)
        cameras.until("honest", State.LIVE)
        began_s, before = time.monotonic(), len(cameras.frames["honest"])
        for number in range(300):
            cameras.watch(f"storm-{number}", storm)
        while came[0] < 400:
            assert time.monotonic() < began_s + 30
            threading.Event().wait(0.05)
        got = len(cameras.frames["honest"]) - before
        cameras.stop()
    assert got > 3  # this process is server to all of them, too
    assert not any(frame.after_gap for frame in cameras.frames["honest"])
    assert len({frame.seq for frame in cameras.frames["honest"]}) == len(cameras.frames["honest"])
