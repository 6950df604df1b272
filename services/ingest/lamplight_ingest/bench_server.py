"""Servers for the benches, each a process of its own: replayed streams, plain or TLS, and GStreamer's."""

from __future__ import annotations

import contextlib
import random
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from lamplight_ingest.bench_cameras import FPS

SYSTEM_PYTHON = "/usr/bin/python3"
_HW = 360, 640
_CLIP_S = 8
_KEY_EVERY_S = 2
_X264 = f"keyint={_KEY_EVERY_S * FPS}:min-keyint={_KEY_EVERY_S * FPS}:scenecut=0:bframes=0:repeat-headers=1:aud=1"
_PROBE = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


@dataclass(frozen=True)
class Clip:
    """A ground that drifts below a band of noise: as many rows of it as fill the bits."""

    bits_a_s: int = 930_000
    noise_rows: int = 28


@dataclass(frozen=True)
class Server:
    """A running server; `ca_file` holds the authority of its certificate."""

    url: str
    ca_file: Path | None


@contextlib.contextmanager
def replayed(clip: Clip, *, tls: bool = False, pictures_a_burst: int = 10) -> Iterator[Server]:
    """Serve `clip` to whoever asks, as often as asked, `pictures_a_burst` at a time."""
    with tempfile.TemporaryDirectory(prefix="lamplight-bench-") as name:
        folder = Path(name)
        command = [
            sys.executable,
            "-m",
            "lamplight_ingest.bench_cameras",
            str(_written(clip, folder)),
            str(pictures_a_burst),
        ]
        certificate = _certificate(folder) if tls else None
        with _running([*command, *([str(certificate)] if certificate else [])]) as port:
            host = "rtsps://localhost" if tls else "rtsp://127.0.0.1"
            yield Server(f"{host}:{port}/camera", certificate)


@contextlib.contextmanager
def snapshots() -> Iterator[str]:
    """Serve snapshots at `HOSTS` addresses; `{}` in the URL is one's number, from 1."""
    with _running([sys.executable, "-m", "lamplight_ingest.bench_snapshots"]) as port:
        yield f"http://127.0.0.{{}}:{port}/now.jpg"


@contextlib.contextmanager
def gstreamer(clip: Clip, streams: int) -> Iterator[str | None]:
    """Serve `clip` from GStreamer's RTSP server, evenly paced; None where it is not installed."""
    probe = subprocess.run([SYSTEM_PYTHON, "-c", _PROBE], capture_output=True, check=False)  # noqa: S603 - our own
    if probe.returncode:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="lamplight-bench-") as name:
        program = Path(__file__).with_name("bench_gstreamer.py")
        with _running([SYSTEM_PYTHON, str(program), str(_written(clip, Path(name))), str(streams)]) as port:
            yield f"rtsp://127.0.0.1:{port}/camera{{}}"


@contextlib.contextmanager
def _running(command: list[str]) -> Iterator[int]:
    """Run a server that prints its port; end it with the block."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            yield int(process.stdout.readline() if process.stdout else 0)
        finally:
            process.kill()


def _written(clip: Clip, folder: Path) -> Path:
    path = folder / "units"
    path.write_bytes(b"".join(struct.pack(">I", len(unit)) + unit for unit in encoded(clip)))
    return path


def _certificate(folder: Path) -> Path:
    """Make a certificate of this machine's name, its own authority; key and certificate in one file."""
    path = folder / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(folder / "key"), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own arguments
    path.write_bytes((folder / "key").read_bytes() + path.read_bytes())
    return path


def encoded(clip: Clip) -> Iterator[bytes]:
    """Yield the clip's pictures, encoded, as Annex B."""
    rate = f"bitrate={clip.bits_a_s // 1000}:vbv-maxrate={clip.bits_a_s // 1000}:vbv-bufsize={clip.bits_a_s // 1000}"
    context = av.CodecContext.create("libx264", "w")
    context.height, context.width = _HW
    context.pix_fmt = "yuv420p"
    context.framerate, context.time_base = Fraction(FPS), Fraction(1, FPS)
    context.options = {"preset": "ultrafast", "x264-params": f"{_X264}:{rate}:threads=1"}
    height, width = _HW
    rng = random.Random(1)  # noqa: S311 - the same pictures every time
    ground = bytes(60 + value // 4 for value in rng.randbytes(width * height))
    for index in range(_CLIP_S * FPS):
        frame = av.VideoFrame(width, height, "yuv420p")
        noise = rng.randbytes(width * clip.noise_rows)
        frame.planes[0].update(noise + ground[len(noise) + index :] + ground[:index])
        for plane in frame.planes[1:]:
            plane.update(b"\x80" * plane.buffer_size)
        yield from map(bytes, context.encode(frame))
    yield from map(bytes, context.encode(None))
