"""Hundreds of servers that take connections and never say a word, and honest ones among them, over real sockets."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest
from lamplight_ingest import run as runs
from lamplight_ingest.gate import Bounds
from lamplight_ingest.life import State
from rtsp_server import Viewer, server
from rtsp_wire import packets
from test_rtsp_lies import CLOCK, KEY, Cameras

SILENT = 700
LIVE_WITHIN_S = 8.0


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """Listen at every address of loopback, and accept nobody: the kernel connects them, and nothing is ever said."""
    with socket.create_server(("0.0.0.0", 0), backlog=4096) as listener:  # noqa: S104 - 127.0.0.0/8 is what is asked
        yield listener.getsockname()[1]


def _honest(viewer: Viewer) -> None:
    viewer.greet()
    for index in range(1000):
        viewer.say(packets([KEY], index, 4500 * index))
        time.sleep(0.05)  # 20 pictures a second


def test_honest_cameras_behind_hundreds_of_silent_ones_are_live_within_seconds() -> None:
    """A server's silence holds no place: who comes after it does not wait for its time-out."""
    cameras = Cameras(timeout_s=10.0)
    try:
        with silent_port() as silent, server(_honest) as port:
            for number in range(SILENT):
                cameras.watch(f"silent-{number}", silent, f"127.1.{number // 250}.{number % 250 + 1}")
            began_s = CLOCK.monotonic_s()
            for number in range(3):
                cameras.watch(f"honest-{number}", port)
            for number in range(3):
                cameras.until(f"honest-{number}", State.LIVE, began_s + LIVE_WITHIN_S - CLOCK.monotonic_s())
            cameras.stop()
    finally:
        cameras.stop()


def test_a_camera_that_waits_its_turn_is_connecting_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ingest's own queue is no silence of the camera's, however long it is."""
    monkeypatch.setattr(runs, "ASSUMED_KEYFRAME_INTERVAL_S", 0.1)
    cameras = Cameras(Bounds(a_second=0.4, burst=1))
    try:
        with server(_honest) as port:
            for name in "ab":
                cameras.watch(name, port)
            cameras.until("b", State.LIVE)
            cameras.stop()
    finally:
        cameras.stop()
    assert State.STALLED not in {state for state, _ in cameras.states["b"]}
    assert any("waits its turn" in reason for state, reason in cameras.states["b"] if state is State.CONNECTING)
