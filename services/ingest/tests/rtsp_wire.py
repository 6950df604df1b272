"""What an RTSP server sends, written by hand: answers, descriptions, packets; and a client that is fed it."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator, Sequence

from lamplight_ingest.rtsp.address import target_of
from lamplight_ingest.rtsp.auth import Login
from lamplight_ingest.rtsp.client import Options, RtspClient
from lamplight_ingest.rtsp.events import AccessUnit, Event

URL = "rtsp://camera.example/live"
SSRC = 0x1234ABCD
SPS, PPS = bytes.fromhex("6742c01eda0280f684000003000400000300f03c58ba80"), bytes.fromhex("68ce0fc8")
START = b"\x00\x00\x00\x01"


def answer(cseq: int, *headers: str, status: str = "200 OK", body: bytes = b"") -> bytes:
    """Return a response."""
    length = [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([f"RTSP/1.0 {status}", f"CSeq: {cseq}", *headers, *length, "", ""]).encode() + body


def description(codec: str = "H264", sets: Sequence[bytes] = (SPS, PPS), payload_type: int = 96) -> bytes:
    """Return a description of one video whose control is `trackID=0`."""
    texts = [base64.b64encode(nal).decode() for nal in sets]
    named = [f"{name}={text}" for name, text in zip(("sprop-vps", "sprop-sps", "sprop-pps"), texts, strict=False)]
    told = f"sprop-parameter-sets={','.join(texts)}" if codec == "H264" else ";".join(named)
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", f"m=video 0 RTP/AVP {payload_type}"]
    lines += [f"a=rtpmap:{payload_type} {codec}/90000", f"a=fmtp:{payload_type} packetization-mode=1;{told}"]
    return "\r\n".join([*lines, "a=control:trackID=0", ""]).encode()


def greeting(channels: str = "0-1", sdp: bytes | None = None, session: str = "S1;timeout=60") -> bytes:
    """Return the answers to OPTIONS, DESCRIBE, SETUP and PLAY, one after the other."""
    body = description() if sdp is None else sdp
    return b"".join(
        (
            answer(1, "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"),
            answer(2, "Content-Type: application/sdp", f"Content-Base: {URL}/", body=body),
            answer(3, f"Transport: RTP/AVP/TCP;unicast;interleaved={channels}", f"Session: {session}"),
            answer(4, "Session: S1"),
        )
    )


def framed(packet: bytes, channel: int = 0) -> bytes:
    """Return a packet as it is interleaved."""
    return b"$" + struct.pack(">BH", channel, len(packet)) + packet


def rtp(payload: bytes, seq: int, time: int, *, marker: bool = False, ssrc: int = SSRC, kind: int = 96) -> bytes:
    """Return an RTP packet."""
    head = struct.pack(">BBHII", 0x80, kind | marker << 7, seq & 0xFFFF, time & 0xFFFFFFFF, ssrc)
    return head + payload


def report(ntp_s: int, fraction: int, time: int, ssrc: int = SSRC) -> bytes:
    """Return an RTCP sender report without reception blocks."""
    return struct.pack(">BBHIIIIII", 0x80, 200, 6, ssrc, ntp_s, fraction, time & 0xFFFFFFFF, 1, 1)


def fragments(nal: bytes, size: int, header_bytes: int = 1) -> Iterator[bytes]:
    """Yield the FU payloads of a NAL unit, H.264's (one byte of header) or H.265's (two)."""
    if header_bytes == 1:
        lead, kind = bytes([nal[0] & 0xE0 | 28]), nal[0] & 0x1F
    else:
        lead, kind = bytes([nal[0] & 0x81 | 49 << 1, nal[1]]), nal[0] >> 1 & 0x3F
    body = nal[header_bytes:]
    for at in range(0, len(body), size):
        bits = (0x80 if at == 0 else 0) | (0x40 if at + size >= len(body) else 0)
        yield lead + bytes([bits | kind]) + body[at : at + size]


def aggregate(nals: Iterable[bytes], lead: bytes = b"\x78") -> bytes:
    """Return a STAP-A of `nals`; with `lead` 60 01 (hexadecimal) an H.265 AP."""
    return lead + b"".join(struct.pack(">H", len(nal)) + nal for nal in nals)


def packets(payloads: Sequence[bytes], seq: int, time: int) -> bytes:
    """Return one picture's packets, the last with its marker, on channel 0."""
    last = len(payloads) - 1
    return b"".join(
        framed(rtp(payload, seq + index, time, marker=index == last)) for index, payload in enumerate(payloads)
    )


def annex_b(*nals: bytes) -> bytes:
    """Return `nals` with start codes."""
    return b"".join(START + nal for nal in nals)


class Fed:
    """A client that keeps its own rest of the bytes, and all that it told and said."""

    def __init__(self, options: Options | None = None, login: Login | None = None, url: str = URL) -> None:
        self.client = RtspClient(target_of(url), login, options or Options())
        self.events: list[Event] = []
        self.said = b""
        self.most_held = 0
        self._rest = b""
        self.client.begin(0.0)
        self._collect()

    def feed(self, data: bytes, now_s: float = 0.0) -> Fed:
        """Give bytes as one read of a socket would."""
        buffer = bytearray(self._rest + data)
        used = self.client.receive(buffer, len(buffer), now_s)
        self._rest = bytes(buffer[used:])
        self.most_held = max(self.most_held, len(self._rest))
        self._collect()
        return self

    def tick(self, now_s: float) -> Fed:
        """Let time pass."""
        self.client.tick(now_s)
        self._collect()
        return self

    @property
    def units(self) -> list[AccessUnit]:
        """The pictures that came."""
        return [event for event in self.events if isinstance(event, AccessUnit)]

    def requests(self) -> list[str]:
        """Return the methods of what was said."""
        return [part.split(b" ")[0].decode() for part in self.said.split(b"\r\n\r\n") if part]

    def _collect(self) -> None:
        self.events += self.client.take_events()
        self.said += self.client.take_output()
