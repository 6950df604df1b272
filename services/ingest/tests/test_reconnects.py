"""Cameras that are lost and reached again, over and over: nothing of a connection stays behind."""

from __future__ import annotations

import gc
import itertools
import threading
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest
from lamplight_ingest import life as lives
from rtsp_server import Viewer, server
from rtsp_wire import answer, framed, packets, rtp
from test_rtsp_lies import Cameras

CAMERAS = 40
MOST_LEFT = CAMERAS * 2048
"""Bytes that connections in hand may differ by."""
KEY = b"\x65\x88" + b"k" * 3000
OURS = [
    tracemalloc.Filter(inclusive=True, filename_pattern=f"*{name}*") for name in ("lamplight_ingest", "asyncio", "ssl")
]


@dataclass(frozen=True)
class Held:
    """What the process holds: bytes allocated by ingest and by the loop under it, open files, threads."""

    allocated: int
    files: int
    threads: int


def held() -> Held:
    """Look."""
    gc.collect()
    traces = tracemalloc.take_snapshot().filter_traces(OURS)
    process = psutil.Process()
    return Held(sum(trace.size for trace in traces.traces), process.num_fds(), process.num_threads())


def settled(before: Held) -> Held:
    """Look again while connections in hand hold more than is allowed: what is let go comes down, a leak stays."""
    end_s = time.monotonic() + 20
    while (found := held()).allocated - before.allocated >= MOST_LEFT and time.monotonic() < end_s:
        time.sleep(0.5)
    return found


@pytest.fixture
def cameras(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Cameras]:
    """Cameras that are tried again at once, or, in the long form, each second."""
    most_s = 1.0 if request.node.get_closest_marker("soak") else 0.05
    monkeypatch.setattr(lives, "AWAY_MOST_S", most_s)
    monkeypatch.setattr(lives, "REFUSED_MOST_S", most_s)
    made = Cameras()
    made.offer = lambda _frame: None  # type: ignore[method-assign] # frames are not what is looked at
    made._turned = lambda _camera: None  # type: ignore[method-assign] # nor states
    tracemalloc.start()
    yield made
    made.stop()
    tracemalloc.stop()


def _lost_in_every_way(count: Iterator[int], viewer: Viewer) -> None:
    way = next(count) % 4
    if way == 0:
        viewer.say(answer(viewer.hear(), status="503 Service Unavailable"))
        return
    viewer.greet()
    viewer.say(packets([KEY], 0, 0))
    if way == 1:
        viewer.say(framed(rtp(b"\x7c\x85" + bytes(1000), 9, 0)))  # half a picture
    elif way == 2:
        viewer.say(b"$\x00\x05\x00half a packet")


def _reconnecting(cameras: Cameras, warm_up: int, reconnects: int, least_s: float = 0.0) -> tuple[Held, Held]:
    """Return what is held after `warm_up` connections, and after so many more and `least_s` seconds more."""
    count = itertools.count()
    reached = threading.Event()
    wanted = [warm_up]

    def script(viewer: Viewer) -> None:
        _lost_in_every_way(count, viewer)
        if next(seen) >= wanted[0]:
            reached.set()

    seen = itertools.count()
    with server(script) as port:
        for number in range(CAMERAS):
            cameras.watch(f"c{number}", port)
        found = []
        for target, wait_s in ((warm_up, 0.0), (warm_up + reconnects, least_s)):
            wanted[0] = target
            reached.clear()
            threading.Event().wait(wait_s)
            end_s = time.monotonic() + 120
            while not reached.wait(0.2):
                assert time.monotonic() < end_s, next(seen)
            found.append(held() if not found else settled(found[0]))
        cameras.stop()
    return found[0], found[1]


def test_reconnects_leave_nothing_behind(cameras: Cameras) -> None:
    """After six hundred more connections than before ingest holds what it held."""
    before, after = _reconnecting(cameras, 200, 600)
    assert after.allocated - before.allocated < MOST_LEFT
    assert after.files - before.files < CAMERAS
    assert after.threads - before.threads < CAMERAS


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_half_an_hour_of_reconnects_leaves_nothing_behind(cameras: Cameras) -> None:
    """The same for as many connections as half an hour brings."""
    before, after = _reconnecting(cameras, 500, 20_000, 1800.0)
    assert after.allocated - before.allocated < MOST_LEFT
    assert after.files - before.files < CAMERAS
    assert after.threads - before.threads < CAMERAS
