"""`lamplight bench ingest`: what it costs to watch live RTSP cameras, beside libavformat's demuxer doing the same.

Both watch the same server of made-up cameras (640 x 360, 25 pictures a second, 0.8 Mb/s, a keyframe every two seconds),
one after the other, in this process; user and system CPU of the process are counted. Ours steps over what lies between
keyframes; libavformat, through PyAV and with a thread a camera, gives every picture, encoded, as it does for
`ffmpeg -c copy`.
"""

from __future__ import annotations

import contextlib
import os
import platform
import random
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
from lamplight_kit.clock import SystemClock

from lamplight_ingest.adapters.rtsp_link import Dialer
from lamplight_ingest.adapters.rtsp_sockets import RtspReader, RtspSocketSource
from lamplight_ingest.bench_cameras import FPS
from lamplight_ingest.doors import Doors, parse
from lamplight_ingest.model import Picture
from lamplight_ingest.runtime import Runtime

STREAMS, BARE_STREAMS = 300, 25
SECONDS = 8.0
LIMIT = 10.0
"""libavformat's demuxer alone, which is less than `ffmpeg -c copy`, is to cost at least this many times as much."""
_HW = 360, 640
_BITS_A_S = 800_000
_CLIP_S = 8
_NOISE_ROWS = 24
_KEY_EVERY_S = 2
_SETTLE_S = 2.0
_TIMEOUT_S = 30.0
_X264 = f"keyint={_KEY_EVERY_S * FPS}:min-keyint={_KEY_EVERY_S * FPS}:scenecut=0:bframes=0:repeat-headers=1:aud=1"
_RATE = f"bitrate={_BITS_A_S // 1000}:vbv-maxrate={_BITS_A_S // 1000}:vbv-bufsize={_BITS_A_S // 1000}:threads=1"


def run(streams: int = STREAMS, bare_streams: int = BARE_STREAMS, seconds: float = SECONDS) -> dict[str, object]:
    """Return the bench as `lamplight bench` prints it."""
    with tempfile.TemporaryDirectory(prefix="lamplight-bench-") as folder, _cameras(Path(folder)) as url:
        ours_ms, keys = _ours(url, streams, seconds)
        bare_ms, packets = _bare(url, bare_streams, seconds)
    ratio = bare_ms / ours_ms
    return {
        "bench": "ingest",
        "machine": {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()},
        "measures": [
            _measure("streams", streams, "streams"),
            _measure("cpu_a_stream_and_second", ours_ms, "ms"),
            _measure("keyframes_a_stream_and_second", keys, "pictures"),
            _measure("libavformat_streams", bare_streams, "streams"),
            _measure("libavformat_cpu_a_stream_and_second", bare_ms, "ms"),
            _measure("libavformat_pictures_a_stream_and_second", packets, "pictures"),
            _measure("libavformat_over_ingest", ratio, "ratio", LIMIT),
        ],
    }


def _ours(url: str, streams: int, seconds: float) -> tuple[float, float]:
    """Return the CPU milliseconds and the keyframes of a stream and second."""
    clock = SystemClock()
    dialer = Dialer(Doors(allow_loopback=True), clock, _TIMEOUT_S)
    reader = RtspReader(clock, _TIMEOUT_S, dialer.limits)
    counter = _Counter()
    runtime = Runtime(clock)
    runtime.start()
    address = parse(url)
    for _ in range(streams):
        runtime.spawn(RtspSocketSource(address, None, dialer, reader, keys_only=True).watch(counter))
    until_s = time.monotonic() + _TIMEOUT_S
    while counter.opens < streams and time.monotonic() < until_s:
        time.sleep(0.05)
    result = _measured(lambda: counter.keys, streams, seconds)
    runtime.stop(_TIMEOUT_S)
    return result


class _Counter:
    """Counts what many sources tell."""

    def __init__(self) -> None:
        self.opens = self.keys = 0

    def opened(self) -> None:
        """One more plays."""
        self.opens += 1

    def took(self, picture: Picture) -> None:
        """One more picture."""
        self.keys += picture.is_key


def _bare(url: str, streams: int, seconds: float) -> tuple[float, float]:
    """Return the same of libavformat's demuxer: every picture, in a thread a stream."""
    stop = threading.Event()
    counts = [0] * streams

    def demux(index: int) -> None:
        options = {"rtsp_transport": "tcp", "codec_whitelist": "none", "analyzeduration": "200000", "fpsprobesize": "0"}
        with av.open(url, options=options, timeout=_TIMEOUT_S) as camera:
            for _ in camera.demux(video=0):
                counts[index] += 1
                if stop.is_set():
                    return

    threads = [threading.Thread(target=demux, args=(index,), daemon=True) for index in range(streams)]
    for thread in threads:
        thread.start()
    result = _measured(lambda: sum(counts), streams, seconds)
    stop.set()
    for thread in threads:
        thread.join(_TIMEOUT_S)
    return result


def _measured(count: Callable[[], int], streams: int, seconds: float) -> tuple[float, float]:
    time.sleep(_SETTLE_S)
    began, began_s, cpu_s = count(), time.monotonic(), time.process_time()
    time.sleep(seconds)
    spent_s, passed_s = time.process_time() - cpu_s, time.monotonic() - began_s
    return 1000 * spent_s / passed_s / streams, (count() - began) / passed_s / streams


@contextlib.contextmanager
def _cameras(folder: Path) -> Iterator[str]:
    units = folder / "units"
    units.write_bytes(b"".join(struct.pack(">I", len(unit)) + unit for unit in _encoded()))
    command = [sys.executable, "-m", "lamplight_ingest.bench_cameras", str(units)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            yield f"rtsp://127.0.0.1:{int(process.stdout.readline() if process.stdout else 0)}/camera"
        finally:
            process.kill()


def _encoded() -> Iterator[bytes]:
    """Yield encoded pictures of a ground that drifts below a band of noise."""
    context = av.CodecContext.create("libx264", "w")
    context.height, context.width = _HW
    context.pix_fmt = "yuv420p"
    context.framerate, context.time_base = Fraction(FPS), Fraction(1, FPS)
    context.options = {"preset": "ultrafast", "x264-params": f"{_X264}:{_RATE}"}
    height, width = _HW
    rng = random.Random(1)  # noqa: S311 - the same pictures every time
    ground = bytes(60 + value // 4 for value in rng.randbytes(width * height))
    for index in range(_CLIP_S * FPS):
        frame = av.VideoFrame(width, height, "yuv420p")
        noise = rng.randbytes(width * _NOISE_ROWS)
        frame.planes[0].update(noise + ground[len(noise) + index :] + ground[:index])
        for plane in frame.planes[1:]:
            plane.update(b"\x80" * plane.buffer_size)
        yield from map(bytes, context.encode(frame))
    yield from map(bytes, context.encode(None))


def _measure(name: str, value: float, unit: str, limit: float | None = None) -> dict[str, object]:
    rounded = round(value, 3)
    is_ratio = unit == "ratio"
    limit_is = None if limit is None else "at least"
    ratio = rounded if is_ratio else None
    return {"name": name, "value": rounded, "unit": unit, "limit": limit, "limit_is": limit_is, "ratio": ratio}
