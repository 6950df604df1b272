"""Ingest's own readers against the cameras of the demo: RTSP and snapshots over real sockets."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight_demo.cameras import http, rtsp
from lamplight_demo.media.encode import jpeg, write_mp4
from lamplight_ingest.adapters.pace import RealTime
from lamplight_ingest.adapters.secrets import Secrets
from lamplight_ingest.adapters.sources import Sources
from lamplight_ingest.doors import Doors
from lamplight_ingest.life import State
from lamplight_ingest.plan import plan_of
from lamplight_ingest.watch import Watch
from lamplight_kit.clock import SystemClock

PASSWORD = "pass-word-never-shown"
FPS = 20
CLOCK = SystemClock()
ALL = camera_pb2.Sampling(pictures=camera_pb2.Sampling.PICTURES_ALL)
KEYS = camera_pb2.Sampling(pictures=camera_pb2.Sampling.PICTURES_KEYFRAMES, min_gap_s=0.1)


def sources(timeout_s: float = 2.0, max_picture_bytes: int = 1 << 20) -> Sources:
    """Return what makes sources, with loopback open and a secret for the locked camera."""
    return Sources(
        doors=Doors(allow_loopback=True),
        secrets=Secrets(None, {"LAMPLIGHT_SECRET_LOCKED": f"root:{PASSWORD}"}),
        clock=CLOCK,
        pace=lambda: RealTime(CLOCK),
        timeout_s=timeout_s,
        max_picture_bytes=max_picture_bytes,
    )


def watched(
    source: str,
    count: int,
    sampling: camera_pb2.Sampling = ALL,
    secret: str = "",
    made: Sources | None = None,
) -> tuple[list[frame_pb2.Frame], Watch]:
    """Return the first frames of a camera, or fewer where it fails, and its watch."""
    camera = camera_pb2.Camera(id="quay", source=source, sampling=sampling, credentials_secret=secret)
    watch = Watch("quay", 1, plan_of(sampling), CLOCK)
    chosen = made or sources()
    with contextlib.closing(watch.frames(lambda: chosen.of(camera))) as frames:
        return list(itertools.islice(frames, count)), watch


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of video with a keyframe every half second."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_mp4((np.full((48, 64, 3), 40 + 8 * i, np.uint8) for i in range(FPS)), path, fps=FPS, key_every_s=0.5)
    return path


@pytest.fixture(scope="module")
def server(clip: Path) -> Iterator[rtsp.RtspServer]:
    """The demo's RTSP server."""
    with rtsp.serve(clip) as running:
        yield running


def test_rtsp_gives_every_picture_with_the_sources_time(server: rtsp.RtspServer) -> None:
    """Its sender reports tell when each was taken; key units carry parameter sets; nothing is missing."""
    frames, watch = watched(server.url(), FPS)
    assert (watch.life.state, watch.transport) == (State.LIVE, "rtsp")
    assert [frame.is_key for frame in frames] == [index % (FPS // 2) == 0 for index in range(FPS)]
    assert not any(frame.at_is_receipt for frame in frames[1:])
    gaps_s = np.diff([frame.at_ns for frame in frames[1:]]) / 1e9
    assert gaps_s == pytest.approx(1 / FPS, abs=0.01)
    assert abs(frames[-1].at_ns / 1e9 - time.time()) < 2
    decoder = av.CodecContext.create("h264", "r")
    assert len(decoder.decode(av.Packet(frames[0].data)) + decoder.decode(None)) == 1


def test_rtsp_at_keyframes_gives_nothing_else(server: rtsp.RtspServer) -> None:
    """And measures how often they come."""
    frames, watch = watched(server.url(), 4, KEYS)
    assert [(frame.is_key, frame.examine) for frame in frames] == [(True, True)] * 4
    assert watch.keyframe_interval_s == pytest.approx(0.5, abs=0.1)


def test_rtsp_says_why_it_gives_nothing(server: rtsp.RtspServer) -> None:
    """Not found is refused, nobody there is gone; neither tells a password."""
    _, missing = watched(server.url() + "-not-there", 1, secret="locked")
    assert missing.life.state is State.REFUSED
    assert "404" in missing.life.reason
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    _, nobody = watched(f"rtsp://127.0.0.1:{port}/x", 1, secret="locked")
    assert nobody.life.state is State.GONE
    assert PASSWORD not in missing.life.reason + nobody.life.reason


@contextlib.contextmanager
def lying(answer: bytes) -> Iterator[str]:
    """Serve an RTSP address that takes every request and says `answer`, or nothing, for ever."""
    stopping = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.05)

    def serve() -> None:
        while not stopping.is_set():
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(0.05)
                    while not stopping.is_set():
                        with contextlib.suppress(TimeoutError):
                            if not connection.recv(4096):
                                break
                        if answer:
                            connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"rtsp://127.0.0.1:{server.getsockname()[1]}/x"
    finally:
        stopping.set()
        thread.join(10)
        server.close()


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.0 200 OK\r\n\r\n", b"RTSP/1.0 200 OK\r\nX: " + b"y" * 60_000, b"\x00" * 50_000, b"$\x00\xff\xff"],
    ids=["silence", "http", "endless-header", "zeros", "interleaved"],
)
def test_an_rtsp_server_that_lies_costs_a_bounded_wait(answer: bytes) -> None:
    """Whatever it says, the camera is away or refused within a few time-outs."""
    with lying(answer) as url:
        began_s = time.monotonic()
        frames, watch = watched(url, 1, made=sources(timeout_s=0.7))
        assert frames == []
        assert watch.life.state in (State.GONE, State.REFUSED)
        assert time.monotonic() - began_s < 8


def test_a_picture_past_the_bound_is_never_sent_on(server: rtsp.RtspServer) -> None:
    """The stream goes on, its keyframes do not."""
    small, _ = watched(server.url(), 1, KEYS)
    bound = len(small[0].data) - 1
    camera = camera_pb2.Camera(id="quay", source=server.url(), sampling=KEYS)
    watch, made = Watch("quay", 1, plan_of(KEYS), CLOCK), sources(max_picture_bytes=bound)
    ended = threading.Event()

    def read() -> None:
        for frame in watch.frames(lambda: made.of(camera)):
            assert len(frame.data) <= bound
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    assert not ended.wait(2)
    watch.close()
    assert ended.wait(10)


def test_snapshots_tell_the_same_picture_from_a_new_one() -> None:
    """The demo's server answers 304 where nothing is new."""
    grey, black = (jpeg(np.full((32, 32, 3), shade, np.uint8)) for shade in (90, 0))
    steps = (http.Step(grey, 0.6), http.Step(black, 5))
    sampling = camera_pb2.Sampling(pictures=camera_pb2.Sampling.PICTURES_ALL, min_gap_s=0.2)
    with http.serve({"quay": http.Script(steps)}) as server:
        frames, watch = watched(server.url(), 6, sampling)
    assert watch.transport == "http-snapshot"
    assert not frames[0].same_as_before
    assert frames[1].same_as_before
    news = [index for index, frame in enumerate(frames) if not frame.same_as_before]
    assert len(news) == 2
    assert frames[news[1]].data != frames[0].data
    assert {frame.codec for frame in frames} == {"mjpeg"}
    assert all(frame.examine and frame.is_key for frame in frames)
