"""`lamplight bench ingest`: what it costs to watch live cameras, beside libavformat's demuxer doing the same.

Both watch the same server of made-up cameras (640 x 360, 25 pictures a second, a keyframe every two seconds), one after
the other, in this process; user and system CPU of the process are counted. Ours runs whole cameras: the gate, states,
the sampler, the counts; it steps over what lies between keyframes. libavformat, through PyAV and with a thread a
camera, gives every picture, encoded, as it does for `ffmpeg -c copy`; so few streams it is sent a picture at a time, as
cameras do. To thousands the server, another process, sends ten pictures at a time, since otherwise it would take more
of the machine than what it measures: our reader takes what has come a few times a second either way. What even pacing
costs it stands beside: that of the same few streams, and of GStreamer's server, where it is installed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import av
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight_kit.clock import SystemClock

from lamplight_ingest.adapters.pace import RealTime
from lamplight_ingest.adapters.secrets import Secrets
from lamplight_ingest.adapters.sources import Sources
from lamplight_ingest.bench_server import Clip, gstreamer, replayed, snapshots
from lamplight_ingest.bench_snapshots import HOSTS
from lamplight_ingest.doors import Doors
from lamplight_ingest.gate import Bounds
from lamplight_ingest.life import State
from lamplight_ingest.run import Around, CameraRun
from lamplight_ingest.runtime import Runtime

STREAMS, BARE_STREAMS = 2000, 25
SECONDS = 15.0
FAST = Clip(bits_a_s=4_000_000, noise_rows=130)
FEW = 300
TLS_STREAMS = 200
EVEN_STREAMS = 100
LIMIT = 10.0
"""libavformat's demuxer alone, which is less than `ffmpeg -c copy`, is to cost at least this many times as much."""
EVEN_LIMIT_MS = 0.5
MEMORY_LIMIT_KIB = 200.0
POLLED_CAMERAS = 64
POLLS_LIMIT = 1000.0
_SETTLE_S = 3.0
_TIMEOUT_S = 60.0
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Cost:
    """Of a stream and second: CPU milliseconds, keyframes, bits; of a stream: KiB of ours and the kernel's."""

    cpu_ms: float
    keys: float
    bits: float
    own_kib: float = 0.0
    kernel_kib: float = 0.0


def run(streams: int = STREAMS, bare_streams: int = BARE_STREAMS, seconds: float = SECONDS) -> dict[str, object]:
    """Return the bench as `lamplight bench` prints it; `streams` below the usual measure the first two alone."""
    with replayed(Clip()) as server:
        ours = watched(server.url, streams, seconds)
    with replayed(Clip(), pictures_a_burst=1) as server:
        few = watched(server.url, bare_streams, seconds)
        bare_ms, packets = _bare(server.url, bare_streams, seconds)
    measures = [
        _measure("streams", streams, "streams"),
        _measure("cpu_a_stream_and_second", ours.cpu_ms, "ms"),
        _measure("bits_a_stream_and_second", ours.bits, "bits"),
        _measure("keyframes_a_stream_and_second", ours.keys, "pictures"),
        _measure("memory_a_stream", ours.own_kib, "KiB", MEMORY_LIMIT_KIB, "at most"),
        _measure("kernel_buffers_a_stream_both_ends", ours.kernel_kib, "KiB"),
        _measure(f"cpu_a_stream_and_second_of_{bare_streams}", few.cpu_ms, "ms"),
        _measure("libavformat_streams", bare_streams, "streams"),
        _measure("libavformat_cpu_a_stream_and_second", bare_ms, "ms"),
        _measure("libavformat_pictures_a_stream_and_second", packets, "pictures"),
        _measure("libavformat_over_ingest", bare_ms / ours.cpu_ms, "ratio", LIMIT, "at least"),
    ]
    if streams >= STREAMS:
        measures += [*_as_measured(seconds), *polled(seconds=seconds)]
    return {
        "bench": "ingest",
        "machine": {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()},
        "measures": measures,
    }


def _as_measured(seconds: float) -> list[dict[str, object]]:
    """Return what has no bare loop beside it: fast streams, TLS, an evenly paced server."""
    measures = []
    with replayed(FAST) as server:
        fast = watched(server.url, FEW, seconds)
    measures += [
        _measure(f"fast_cpu_a_stream_and_second_of_{FEW}", fast.cpu_ms, "ms"),
        _measure("fast_bits_a_stream_and_second", fast.bits, "bits"),
    ]
    with replayed(Clip(), tls=True) as server:
        secret = watched(server.url, TLS_STREAMS, seconds, ca_file=server.ca_file)
    measures.append(_measure(f"tls_cpu_a_stream_and_second_of_{TLS_STREAMS}", secret.cpu_ms, "ms"))
    with gstreamer(Clip(), EVEN_STREAMS) as url:
        if url is not None:
            even = watched(url, EVEN_STREAMS, seconds)
            name = f"evenly_paced_cpu_a_stream_and_second_of_{EVEN_STREAMS}"
            measures.append(_measure(name, even.cpu_ms, "ms", EVEN_LIMIT_MS, "at most"))
    return measures


def polled(cameras: int = POLLED_CAMERAS, seconds: float = SECONDS) -> list[dict[str, object]]:
    """Return what polling snapshots costs, beside a bare loop of the same library asking the same server."""
    with snapshots() as url:
        urls = [url.format(1 + number % HOSTS) for number in range(cameras)]
        fleet = Watched(urls, min_gap_s=0.02)
        try:
            fleet.wait_live(_TIMEOUT_S)
            began = fleet.counted()[0]
            cost_ms, passed_s = _spent(seconds)
            ours = (fleet.counted()[0] - began) / passed_s / cost_ms * 1000
        finally:
            fleet.stop()
        bare = asyncio.run(_bare_polls(urls[:HOSTS], seconds))
    return [
        _measure("snapshots_a_cpu_second", ours, "polls", POLLS_LIMIT, "at least"),
        _measure("bare_aiohttp_snapshots_a_cpu_second", bare, "polls"),
        _measure("snapshots_over_bare", ours / bare, "ratio"),
    ]


async def _bare_polls(urls: Sequence[str], seconds: float) -> float:
    """Return how often a second of CPU asks, one request at a time and host, the body read and thrown away."""
    until_s, count = time.monotonic() + seconds, 0

    async def ask(session: aiohttp.ClientSession, url: str) -> None:
        nonlocal count
        while time.monotonic() < until_s:
            async with session.get(url) as response:
                await response.read()
            count += 1

    cpu_s = time.process_time()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        await asyncio.gather(*[ask(session, url) for url in urls])
    return count / (time.process_time() - cpu_s)


def watched(url: str, streams: int, seconds: float, *, ca_file: Path | None = None) -> Cost:
    """Return what it costs to watch `streams` cameras at `url` (`{}` in it is a camera's number)."""
    own_b, kernel_b = _own_bytes(), _kernel_bytes()
    fleet = Watched([url.format(number) for number in range(streams)], ca_file=ca_file)
    try:
        fleet.wait_live(_TIMEOUT_S)
        began = fleet.counted()
        cost_ms, passed_s = _spent(seconds)
        keys, octets = (b - a for a, b in zip(began, fleet.counted(), strict=True))
        own_kib, kernel_kib = (
            (now - before) / 1024 / streams for now, before in ((_own_bytes(), own_b), (_kernel_bytes(), kernel_b))
        )
    finally:
        fleet.stop()
    return Cost(cost_ms / streams, keys / passed_s / streams, 8 * octets / passed_s / streams, own_kib, kernel_kib)


class Watched:
    """Cameras as a worker runs them, without a bus: all of `Fleet` but its topics, and frames that go nowhere."""

    def __init__(self, urls: Sequence[str], *, ca_file: Path | None = None, min_gap_s: float = 2.0) -> None:
        """Begin to watch `urls`."""
        clock = SystemClock()
        doors = Doors(allow_loopback=True)
        self._sources = Sources(doors, Secrets(None, {}), clock, lambda: RealTime(clock), 30.0, 16 << 20, ca_file)
        self._runtime = Runtime(clock, Bounds(at_a_server=64))
        self._runtime.at_end.append(self._sources.close)
        self._runtime.start()
        around = Around(self._sources.live, self, clock, "bench", 15.0, self._runtime)
        self.runs = [
            CameraRun(_camera(number, url, min_gap_s), 1, around, lambda _: None) for number, url in enumerate(urls)
        ]
        for camera in self.runs:
            camera.start()
        self._stopping = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)
        self._looking.start()

    def offer(self, frame: frame_pb2.Frame) -> None:
        """Take a frame; detect would have it now."""

    def counted(self) -> tuple[int, int]:
        """Return the keyframes and the bytes that came so far, of all cameras."""
        counts = [camera.watch.counts for camera in self.runs]
        return sum(count.came for count in counts), sum(count.video_bytes for count in counts)

    def wait_live(self, timeout_s: float) -> None:
        """Wait until all are live, but for one in a hundred, on a machine that has others to serve too."""
        until_s = time.monotonic() + timeout_s
        while sum(camera.life.state is not State.LIVE for camera in self.runs) > len(self.runs) // 100:
            if time.monotonic() > until_s:
                states = sorted({f"{camera.life.state}: {camera.life.reason}" for camera in self.runs})
                raise RuntimeError("; ".join(states)[:500])
            time.sleep(0.1)
        time.sleep(_SETTLE_S)

    def stop(self) -> None:
        """End all of it."""
        self._stopping.set()
        self._looking.join()
        for camera in self.runs:
            camera.stop()
        for camera in self.runs:
            camera.join(5.0)
        self._runtime.stop(5.0)

    def _look(self) -> None:
        while not self._stopping.wait(1.0):
            for camera in self.runs:
                camera.look()


def _camera(number: int, url: str, min_gap_s: float) -> camera_pb2.Camera:
    sampling = camera_pb2.Sampling(min_gap_s=min_gap_s, max_gap_s=30)
    return camera_pb2.Camera(id=f"camera-{number}", source=url, sampling=sampling)


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
    time.sleep(_SETTLE_S)
    began = sum(counts)
    cost_ms, passed_s = _spent(seconds)
    came = (sum(counts) - began) / passed_s / streams
    stop.set()
    for thread in threads:
        thread.join(_TIMEOUT_S)
    return cost_ms / streams, came


def _spent(seconds: float) -> tuple[float, float]:
    """Return the CPU milliseconds a second that this process spends in the next `seconds`, and how long they were."""
    began_s, cpu_s = time.monotonic(), time.process_time()
    time.sleep(seconds)
    spent_s, passed_s = time.process_time() - cpu_s, time.monotonic() - began_s
    return 1000 * spent_s / passed_s, passed_s


def _own_bytes() -> int:
    """Return what of this process lies in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE


def _kernel_bytes() -> int:
    """Return what the kernel holds for all TCP sockets of the machine, senders' too; 0 where it does not tell."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/net/sockstat").read_text(encoding="ascii").splitlines():
            if line.startswith("TCP:"):
                return int(line.split()[-1]) * _PAGE
    return 0


def _measure(
    name: str, value: float, unit: str, limit: float | None = None, limit_is: str | None = None
) -> dict[str, object]:
    rounded = round(value, 3)
    ratio = rounded if unit == "ratio" else None
    return {"name": name, "value": rounded, "unit": unit, "limit": limit, "limit_is": limit_is, "ratio": ratio}
