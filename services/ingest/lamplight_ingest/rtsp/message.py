"""RTSP messages to and from bytes (RFC 2326, 4 to 7 and 15; the grammar is HTTP/1.1's)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lamplight_ingest.heard import rtsp_status
from lamplight_ingest.rtsp.events import Limits

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(r"RTSP/\d\.\d +(\d{3})(?: +(.*))?")
_REQUEST_LINE = re.compile(r"([A-Z][A-Z_]{1,30}) +(\S+) +RTSP/\d\.\d")
_LINE = re.compile(r"\r?\n")
_DIGITS = re.compile(r"[0-9]{1,15}")
_UNWRITABLE = re.compile(r"[\r\n\0]")

Headers = tuple[tuple[str, str], ...]
"""Names in lower case, in the order in which they came."""


@dataclass(frozen=True)
class Message:
    """What requests and responses share."""

    headers: Headers
    body: bytes

    def get(self, name: str) -> str | None:
        """Return the first header `name` (lower case), None where there is none."""
        return next((value for key, value in self.headers if key == name), None)

    def all(self, name: str) -> list[str]:
        """Return every header `name` (lower case)."""
        return [value for key, value in self.headers if key == name]

    @property
    def cseq(self) -> int | None:
        """The number that ties a response to its request."""
        return _number(self.get("cseq"))


@dataclass(frozen=True)
class Response(Message):
    """What a server answers."""

    status: int
    reason: str

    @property
    def said(self) -> str:
        """The status, in the standard's words: the server's own may hold what it was sent."""
        return rtsp_status(self.status)


@dataclass(frozen=True)
class Request(Message):
    """What a server asks of us."""

    method: str
    url: str


def read_message(buffer: bytearray, start: int, end: int, limits: Limits) -> tuple[Request | Response | None, int]:
    """Return the message at `start` and where it ends; (None, `start`) where more bytes are needed.

    ValueError, with what was found and expected, for what is no message or exceeds `limits`.
    """
    found = _HEAD_END.search(buffer, start, min(end, start + limits.head_bytes))
    if found is None:
        if end - start >= limits.head_bytes:
            text = f"a head of more than {limits.head_bytes} bytes found"
            raise ValueError(text)
        return None, start
    lines = _lines(bytes(buffer[start : found.start()]))
    headers = _headers(lines[1:], limits)
    length = _content_length(headers, limits)
    stop = found.end() + length
    if stop > end:
        return None, start
    return _message(lines[0], headers, bytes(buffer[found.end() : stop])), stop


def write_request(method: str, url: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return a request without a body; a line break within a header, which would end it, is refused by ValueError."""
    return _written(f"{method} {url} RTSP/1.0", headers)


def write_response(status: int, reason: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return a response without a body; refuses as `write_request` does."""
    return _written(f"RTSP/1.0 {status} {reason}", headers)


def _written(first: str, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in headers)]
    if any(_UNWRITABLE.search(line) for line in lines):
        text = "a line break found within a header, none expected"
        raise ValueError(text)
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def _lines(head: bytes) -> list[str]:
    """Return the lines of a head, folded ones (15.0 of RFC 2068) joined; bytes that are no UTF-8 survive."""
    lines: list[str] = []
    for line in _LINE.split(head.decode("utf-8", "surrogateescape")):
        if line[:1] in (" ", "\t") and len(lines) > 1:
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    return lines


def _headers(lines: list[str], limits: Limits) -> Headers:
    if len(lines) > limits.headers:
        text = f"{len(lines)} headers found, at most {limits.headers} expected"
        raise ValueError(text)
    if any(_UNWRITABLE.search(line) for line in lines):
        text = "a header with a control character found"
        raise ValueError(text)
    split = (line.partition(":") for line in lines)
    return tuple((name.strip().lower(), value.strip()) for name, colon, value in split if colon)


def _content_length(headers: Headers, limits: Limits) -> int:
    told = next((value for name, value in headers if name == "content-length"), "0")
    length = _number(told)
    if length is None or length > limits.body_bytes:
        text = (
            f"a body of more than {limits.body_bytes} bytes, or of no number of them, announced; a shorter one expected"
        )
        raise ValueError(text)
    return length


def _message(first: str, headers: Headers, body: bytes) -> Request | Response:
    if status := _STATUS_LINE.fullmatch(first):
        return Response(headers, body, int(status[1]), status[2] or "")
    if request := _REQUEST_LINE.fullmatch(first):
        return Request(headers, body, request[1], request[2])
    found = "an HTTP message" if first.startswith("HTTP/") else "a line that begins no message"
    text = f"{found} found, an RTSP request or response expected"
    raise ValueError(text)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and _DIGITS.fullmatch(text) else None
