"""RTSP 1.0 messages (RFC 2326) as text, and the description of one H.264 stream (RFC 4566)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lamplight_demo.cameras.h264 import fmtp

REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 454: "Session Not Found",
           461: "Unsupported Transport"}  # fmt: skip
METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"
TRACK = "trackID=0"


@dataclass(frozen=True)
class Request:
    """One request: method in upper case, URL, headers with names in lower case."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The stream's name: the URL's path without the track."""
        path = urlsplit(self.url).path
        return path.removesuffix("/").removesuffix(TRACK).strip("/")


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Return the next request, passing over the receiver's own reports between; None at the connection's end."""
    try:
        while True:
            first = await reader.readexactly(1)
            if first != b"$":
                head = first + await reader.readuntil(b"\r\n\r\n")
                return await _with_body(reader, _parse(head.decode("utf-8", "replace")))
            size = (await reader.readexactly(3))[1:]
            await reader.readexactly(int.from_bytes(size, "big"))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return None


async def _with_body(reader: asyncio.StreamReader, request: Request) -> Request:
    length = request.headers.get("content-length", "0")
    if length.isdigit():
        await reader.readexactly(int(length))
    return request


def _parse(head: str) -> Request:
    start, *lines = head.strip().split("\r\n")
    method, url, *_ = [*start.split(" "), "", ""]
    pairs = (line.partition(":") for line in lines)
    return Request(method.upper(), url, {name.strip().lower(): value.strip() for name, _, value in pairs})


def response(status: int, cseq: str, headers: dict[str, str] | None = None, body: str = "") -> bytes:
    """Return a response with `CSeq` first and the body's length last."""
    rows = {"CSeq": cseq, **(headers or {})}
    if body:
        rows["Content-Length"] = str(len(body.encode()))
    head = "".join(f"{name}: {value}\r\n" for name, value in rows.items())
    return f"RTSP/1.0 {status} {REASONS[status]}\r\n{head}\r\n{body}".encode()


def describe(name: str, sps: bytes, pps: bytes, payload_type: int, clock_hz: int) -> str:
    """Return the session description of one live H.264 stream."""
    rows = (
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        f"s={name}",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        "a=range:npt=0-",
        f"m=video 0 RTP/AVP {payload_type}",
        f"a=rtpmap:{payload_type} H264/{clock_hz}",
        f"a=fmtp:{payload_type} {fmtp(sps, pps)}",
        f"a=control:{TRACK}",
    )
    return "".join(f"{row}\r\n" for row in rows)


def channels(transport: str) -> tuple[int, int] | None:
    """Return the RTP and RTCP channel that a `Transport` header asks for, None where it asks for anything but TCP."""
    for offer in transport.split(","):
        fields = [part.strip() for part in offer.split(";")]
        if fields[0].upper() != "RTP/AVP/TCP":
            continue
        asked = next((part.removeprefix("interleaved=") for part in fields if part.startswith("interleaved=")), "0-1")
        first, _, second = asked.partition("-")
        if first.isdigit() and (second.isdigit() or not second):
            return int(first), int(second or int(first) + 1)
    return None
