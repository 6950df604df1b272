"""A replaying RTSP server: a video file becomes a live camera over RTP interleaved in TCP, for ever.

    with serve({"quay": Path("quay.mp4")}) as server:
        av.open(server.url("quay"), options={"rtsp_transport": "tcp"})

Each viewer starts at the file's first picture; at its end the file starts again with timestamps that go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lamplight_demo.cameras import rtp, wire
from lamplight_demo.cameras.background import in_background
from lamplight_demo.cameras.clip import Clip, read_clip
from lamplight_demo.cameras.h264 import AccessUnit, payloads

MAX_PAYLOAD_BYTES = 1400
REPORT_EVERY_S = 2.0
SESSION_TIMEOUT_S = 60


@dataclass(frozen=True)
class RtspServer:
    """A running server: its port, and the URL of each of its streams."""

    port: int
    names: tuple[str, ...]
    host: str = "127.0.0.1"

    def url(self, name: str | None = None) -> str:
        """Return the address of stream `name`, or of the only one."""
        return f"rtsp://{self.host}:{self.port}/{self.names[0] if name is None else name}"


@contextlib.contextmanager
def serve(streams: Path | Mapping[str, Path], port: int = 0, host: str = "127.0.0.1") -> Iterator[RtspServer]:
    """Replay a file (named `live`) or several by name, in a thread of its own, until the block ends.

    Port 0 takes a free one. `ValueError` for a file that is not H.264; `OSError` where the port is taken.
    """
    with in_background(listen(streams, port, host)) as server:
        yield server


@contextlib.asynccontextmanager
async def listen(
    streams: Path | Mapping[str, Path], port: int = 0, host: str = "127.0.0.1"
) -> AsyncIterator[RtspServer]:
    """Do as `serve` in the running event loop."""
    files = {"live": streams} if isinstance(streams, Path) else streams
    clips = {name: await asyncio.to_thread(read_clip, path) for name, path in files.items()}
    viewers: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(Viewer(clips, reader, writer).run())
        viewers.add(task)
        task.add_done_callback(viewers.discard)

    server = await asyncio.start_server(accept, host, port)
    try:
        yield RtspServer(server.sockets[0].getsockname()[1], tuple(clips), host)
    finally:
        server.close()
        for task in viewers:
            task.cancel()
        await asyncio.gather(*viewers, return_exceptions=True)
        await server.wait_closed()


@dataclass
class Viewer:
    """One connection: answers its requests and, while it plays, sends it pictures in real time."""

    clips: Mapping[str, Clip]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    session: str = field(default_factory=lambda: secrets.token_hex(4))
    channels: tuple[int, int] | None = None
    playing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve requests until the viewer leaves or tears its session down."""
        try:
            while request := await wire.read_request(self.reader):
                self.writer.write(self.answer(request))
                await self.writer.drain()
                if request.method == "TEARDOWN":
                    break
        except ConnectionError:
            pass  # a viewer that leaves without a word is the usual end of a live stream
        finally:
            if self.playing:
                self.playing.cancel()
            self.writer.close()

    def answer(self, request: wire.Request) -> bytes:
        """Return the response to `request`, and begin to play where it asks for it."""
        cseq = request.headers.get("cseq", "0")
        clip = self.clips.get(request.name)
        handlers: dict[str, Callable[[], bytes]] = {
            "OPTIONS": lambda: wire.response(200, cseq, {"Public": wire.METHODS}),
            "DESCRIBE": lambda: self._describe(cseq, request, clip),
            "SETUP": lambda: self._setup(cseq, request, clip),
            "PLAY": lambda: self._play(cseq, clip),
            "GET_PARAMETER": lambda: wire.response(200, cseq, {"Session": self.session}),
            "TEARDOWN": lambda: wire.response(200, cseq, {"Session": self.session}),
        }
        handler = handlers.get(request.method)
        return handler() if handler else wire.response(405, cseq, {"Allow": wire.METHODS})

    def _describe(self, cseq: str, request: wire.Request, clip: Clip | None) -> bytes:
        if clip is None:
            return wire.response(404, cseq)
        body = wire.describe(request.name, clip.sps, clip.pps, rtp.PAYLOAD_TYPE, rtp.CLOCK_HZ)
        headers = {"Content-Type": "application/sdp", "Content-Base": request.url.rstrip("/") + "/"}
        return wire.response(200, cseq, headers, body)

    def _setup(self, cseq: str, request: wire.Request, clip: Clip | None) -> bytes:
        if clip is None:
            return wire.response(404, cseq)
        self.channels = wire.channels(request.headers.get("transport", ""))
        if self.channels is None:
            return wire.response(461, cseq)
        transport = "RTP/AVP/TCP;unicast;interleaved={}-{}".format(*self.channels)
        session = f"{self.session};timeout={SESSION_TIMEOUT_S}"
        return wire.response(200, cseq, {"Transport": transport, "Session": session})

    def _play(self, cseq: str, clip: Clip | None) -> bytes:
        if clip is None:
            return wire.response(404, cseq)
        if self.channels is None:
            return wire.response(454, cseq)
        if self.playing is None:
            sender = Sender(self.writer, *self.channels)
            self.playing = asyncio.create_task(sender.play(clip))
        return wire.response(200, cseq, {"Session": self.session, "Range": "npt=0-"})


@dataclass
class Sender:
    """Sends one clip over and over as RTP, with a sender report before the first picture and every two seconds."""

    writer: asyncio.StreamWriter
    rtp_channel: int
    rtcp_channel: int
    ssrc: int = field(default_factory=lambda: secrets.randbits(32))
    seq: int = field(default_factory=lambda: secrets.randbits(16))
    first_timestamp: int = field(default_factory=lambda: secrets.randbits(32))
    packets: int = 0
    octets: int = 0

    async def play(self, clip: Clip) -> None:
        """Send the clip's pictures when they are due, until cancelled or the viewer is gone."""
        start_s, start_unix_s, reported_s = time.monotonic(), time.time(), -REPORT_EVERY_S
        with contextlib.suppress(ConnectionError):
            for offset_s in itertools.count(0.0, clip.duration_s):
                for unit in clip.units:
                    due_s, shown_s = offset_s + unit.dts_s, offset_s + unit.pts_s
                    await asyncio.sleep(start_s + due_s - time.monotonic())
                    if due_s - reported_s >= REPORT_EVERY_S:
                        self._report(start_unix_s + shown_s, shown_s)
                        reported_s = due_s
                    self._send(unit, self._timestamp(shown_s))
                    await self.writer.drain()

    def _timestamp(self, shown_s: float) -> int:
        return self.first_timestamp + round(shown_s * rtp.CLOCK_HZ)

    def _report(self, unix_s: float, shown_s: float) -> None:
        timestamp = self._timestamp(shown_s)
        report = rtp.sender_report(
            ssrc=self.ssrc, unix_s=unix_s, timestamp=timestamp, packets=self.packets, octets=self.octets
        )
        self.writer.write(rtp.interleaved(self.rtcp_channel, report))

    def _send(self, unit: AccessUnit, timestamp: int) -> None:
        parts = [part for nal in unit.nals for part in payloads(nal, MAX_PAYLOAD_BYTES)]
        for i, part in enumerate(parts):
            data = rtp.packet(part, seq=self.seq, timestamp=timestamp, ssrc=self.ssrc, marker=i == len(parts) - 1)
            self.writer.write(rtp.interleaved(self.rtp_channel, data))
            self.seq += 1
            self.packets += 1
            self.octets += len(part)
