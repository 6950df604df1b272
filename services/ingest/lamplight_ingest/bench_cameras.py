"""Cameras for the bench: one H.264 stream, packetised beforehand, sent to every viewer in real time.

Run as `python -m lamplight_ingest.bench_cameras UNITS BURST [CERTIFICATE]`: a file of encoded pictures as Annex B, each
with its length (4 bytes, big-endian) before it, 25 a second, BURST at a time; over TLS with a certificate (PEM, its key
in it). Prints its port. Each viewer begins elsewhere in the stream; at its end the stream starts again, its sequence
numbers too, which is a gap to the viewer.
"""

from __future__ import annotations

import asyncio
import random
import re
import socket
import ssl
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

FPS = 25
MAX_PAYLOAD_BYTES = 1400
MAX_WAITING_BYTES = 1 << 20
SEND_BUFFER_BYTES = 64 << 10
_CLOCK_HZ, _SSRC, _PAYLOAD_TYPE = 90_000, 0x1A3B, 96
_START = re.compile(b"\x00\x00\x00?\x01")
_CSEQ = re.compile(rb"CSeq: *(\d+)")
_SDP = b"v=0\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"


def read_units(path: Path) -> list[bytes]:
    """Return the pictures in a file."""
    data, at, units = path.read_bytes(), 0, []
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        units.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return units


def bursts(units: list[bytes], pictures_a_burst: int) -> list[bytes]:
    """Return `units` as interleaved RTP, a few pictures together."""
    sent, seq = [], 0
    for index, unit in enumerate(units):
        parts = [part for nal in _START.split(unit) if nal for part in _payloads(nal)]
        data = bytearray()
        for number, part in enumerate(parts):
            kind = _PAYLOAD_TYPE | (0x80 if number == len(parts) - 1 else 0)
            time = index * _CLOCK_HZ // FPS
            data += struct.pack(">BBHBBHII", 0x24, 0, 12 + len(part), 0x80, kind, seq & 0xFFFF, time, _SSRC) + part
            seq += 1
        sent.append(bytes(data))
    return [b"".join(sent[at : at + pictures_a_burst]) for at in range(0, len(sent), pictures_a_burst)]


def _payloads(nal: bytes) -> Iterator[bytes]:
    """Yield a NAL unit as it is, or in fragments (RFC 6184, 5.8)."""
    if len(nal) <= MAX_PAYLOAD_BYTES:
        yield nal
        return
    step = MAX_PAYLOAD_BYTES - 2
    for at in range(1, len(nal), step):
        bits = (0x80 if at == 1 else 0) | (0x40 if at + step >= len(nal) else 0)
        yield bytes((nal[0] & 0xE0 | 28, nal[0] & 0x1F | bits)) + nal[at : at + step]


class Viewer(asyncio.Protocol):
    """One connection: answers anything, sends pictures after PLAY."""

    def __init__(self, stream: list[bytes], pause_s: float) -> None:
        """Send `stream` over and over, one burst each `pause_s`."""
        self._stream = stream
        self._pause_s = pause_s
        self._held = b""
        self._due_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember whom to answer."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP's
        self._transport = transport
        # What a viewer has not taken is to wait here, not in the memory that all of the kernel's sockets share.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        *requests, self._held = (self._held + data).split(b"\r\n\r\n")
        for request in requests:
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        number = _CSEQ.search(request)
        head = b"RTSP/1.0 200 OK\r\nSession: 1\r\nCSeq: " + (number[1] if number else b"0") + b"\r\n"
        body = _SDP if request.startswith(b"DESCRIBE") else b""
        if body:
            head += b"Content-Type: application/sdp\r\nContent-Length: %d\r\n" % len(body)
        if request.startswith(b"SETUP"):
            head += b"Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
        self._transport.write(head + b"\r\n" + body)
        if request.startswith(b"PLAY"):
            loop = asyncio.get_running_loop()
            self._due_s = loop.time() + random.random() * self._pause_s  # noqa: S311 - spreads load
            loop.call_at(self._due_s, self._send, random.randrange(len(self._stream)))  # noqa: S311 - as above

    def _send(self, index: int) -> None:
        if self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() < MAX_WAITING_BYTES:
            self._transport.write(self._stream[index % len(self._stream)])
        self._due_s += self._pause_s
        asyncio.get_running_loop().call_at(self._due_s, self._send, index + 1)


async def serve(units: Path, pictures_a_burst: int, certificate: Path | None = None) -> None:
    """Serve until killed; over TLS with a `certificate` (PEM, its key in it)."""
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    stream = bursts(read_units(units), pictures_a_burst)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Viewer(stream, pictures_a_burst / FPS), "127.0.0.1", 0, backlog=4096, ssl=tls
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None))
