"""Ingest reads a camera of another make: GStreamer's RTSP server, in H.264 and H.265, with a password by Digest."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight_ingest.adapters.pace import RealTime
from lamplight_ingest.adapters.secrets import Secrets
from lamplight_ingest.adapters.sources import Sources
from lamplight_ingest.doors import Doors
from lamplight_ingest.life import State
from lamplight_ingest.plan import plan_of
from lamplight_ingest.watch import Watch
from lamplight_kit.clock import SystemClock

SYSTEM_PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).parent / "programs" / "rtsp_gst_server.py"
PLUGINS = "import gi; gi.require_version('GstRtspServer', '1.0'); gi.require_version('Gst', '1.0')"
NEEDED = (
    f"{PLUGINS}; from gi.repository import Gst; Gst.init(None); "
    "names = 'qtdemux h264parse h265parse rtph264pay rtph265pay'; "
    "assert all(Gst.ElementFactory.find(name) for name in names.split())"
)
PASSWORD = "pass/word:never@shown"
SECRETS = {"LAMPLIGHT_SECRET_RIGHT": f"root:{PASSWORD}", "LAMPLIGHT_SECRET_WRONG": "root:nonsense"}
FPS = 20
MOST = 9 * FPS  # the first report may take some seconds (RFC 3550, 6.2)
HEVC = "keyint=10:scenecut=0:bframes=0:log-level=none"


def why_absent() -> str:
    """Say what is missing of GStreamer's RTSP server here, nothing where all is there."""
    if not Path(SYSTEM_PYTHON).exists():
        return f"no {SYSTEM_PYTHON}"
    tried = subprocess.run([SYSTEM_PYTHON, "-c", NEEDED], capture_output=True, text=True, check=False, timeout=60)
    return "" if tried.returncode == 0 else tried.stderr.strip().splitlines()[-1]


ABSENT = why_absent()
pytestmark = [pytest.mark.gstreamer, pytest.mark.skipif(bool(ABSENT), reason=f"no GStreamer RTSP server: {ABSENT}")]


def video(path: Path, encoder: str, options: dict[str, str]) -> Path:
    """Write ten seconds of changing grey with a keyframe every half second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=Fraction(FPS), options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.gop_size = FPS // 2
        for index in range(10 * FPS):
            grey = np.full((48, 64, 3), 40 + index % 180, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="bgr24")))
        container.mux(stream.encode())
    return path


@contextlib.contextmanager
def serving(path: Path, codec: str, *login: str) -> Iterator[str]:
    """Run the server; give the camera's address."""
    program = [SYSTEM_PYTHON, str(SERVER), str(path), codec, *login]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"rtsp://127.0.0.1:{int(process.stdout.readline())}/live"
        finally:
            process.kill()


def watched(url: str, count: int, secret: str = "") -> tuple[list[frame_pb2.Frame], Watch]:
    """Return a camera's frames, at least `count` and until its first report tells the time, and its watch."""
    clock = SystemClock()
    made = Sources(
        doors=Doors(allow_loopback=True),
        secrets=Secrets(None, SECRETS),
        clock=clock,
        pace=lambda: RealTime(clock),
        timeout_s=5,
        max_picture_bytes=1 << 20,
    )
    sampling = camera_pb2.Sampling(pictures=camera_pb2.Sampling.PICTURES_ALL)
    camera = camera_pb2.Camera(id="quay", source=url, sampling=sampling, credentials_secret=secret)
    watch = Watch("quay", 1, plan_of(sampling), clock)
    found: list[frame_pb2.Frame] = []
    with contextlib.closing(watch.frames(lambda: made.of(camera))) as frames:
        for frame in itertools.islice(frames, MOST):
            found.append(frame)
            if len(found) >= count and not frame.at_is_receipt:
                break
    return found, watch


def decoded(frames: list[frame_pb2.Frame]) -> int:
    """Return how many pictures a decoder makes of `frames`."""
    context = av.CodecContext.create(frames[0].codec, "r")
    packets = [av.Packet(frame.data) for frame in frames]
    return sum(len(context.decode(packet)) for packet in [*packets, None])


@pytest.mark.parametrize(
    ("encoder", "codec", "name", "options"),
    [
        ("libx264", "h264", "h264", {"preset": "ultrafast", "sc_threshold": "0", "bf": "0"}),
        ("libx265", "h265", "hevc", {"preset": "ultrafast", "x265-params": HEVC}),
    ],
)
def test_another_makers_stream_is_read(
    tmp_path: Path, encoder: str, codec: str, name: str, options: dict[str, str]
) -> None:
    """Every picture comes whole, a keyframe each half second, with the times that the server reports."""
    path = video(tmp_path / "clip.mp4", encoder, options)
    with serving(path, codec) as url:
        frames, watch = watched(url, 2 * FPS)
    assert watch.life.state is State.LIVE
    assert {frame.codec for frame in frames} == {name}
    assert frames[0].is_key
    assert sum(frame.is_key for frame in frames) == -(-len(frames) // (FPS // 2))
    assert decoded(frames) == len(frames)
    assert decoded([next(frame for frame in frames[1:] if frame.is_key)]) == 1
    assert watch.keyframe_interval_s == pytest.approx(0.5, abs=0.2)
    assert not frames[-1].at_is_receipt


def test_a_password_opens_the_stream_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    """With any characters in it; what is told of the refusal holds neither."""
    path = video(tmp_path / "clip.mp4", "libx264", {"preset": "ultrafast", "bf": "0"})
    with serving(path, "h264", "root", PASSWORD) as url:
        frames, _ = watched(url, 3, "right")
        assert len(frames) >= 3
        for secret in ("", "wrong"):
            refused, watch = watched(url, 1, secret)
            assert refused == []
            assert watch.life.state is State.REFUSED
            assert "401" in watch.life.reason
            assert "nonsense" not in watch.life.reason
