"""MJPEG over HTTP, sans I/O: bytes of a multipart/x-mixed-replace body in, pictures out, everything bounded.

RFC 2046, 5.1. Cameras are careless with it: boundaries with or without the leading dashes, in the header, the body or
both, in quotes, or named nowhere but there; lines that end in LF alone; Content-Length present, missing or wrong; parts
that are no pictures between those that are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lamplight_ingest import bitstream, heard

MAX_HEADER_BYTES = 8192
REST = 20
"""A stream is left alone for so many times the CPU time that its last bytes took, so that none has all of it."""
MOST_OTHERS = 100
"""Parts in a row that are no pictures: some cameras send an event a second, and a picture a minute."""
_END_OF_JPEG = b"\xff\xd9"
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d{1,12})[ \t]*\r?$")
_FIRST_LINE = re.compile(rb"(--[^\r\n]{1,200}?)[ \t]*\r?\n")
_HEADER = re.compile(r"(?m)^([!-9;-~]{1,100}):[ \t]*(.{0,500}?)[ \t]*\r?$")


@dataclass(frozen=True)
class Part:
    """One part: its body, and its headers by their names in lower case."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class TooLarge(ValueError):  # noqa: N818 - named after what is the case
    """A part's headers or body pass their bound."""


class NoBoundary(ValueError):  # noqa: N818 - named after what is the case
    """Neither the content type nor the body's first line names a boundary."""


class NoPictures(ValueError):  # noqa: N818 - named after what is the case
    """Part after part is no picture."""


def boundary_of(content_type: str) -> bytes | None:
    """Return the delimiter of a multipart content type, with its leading dashes; None where it is no multipart.

    Empty where it names none: the body's first line does, as browsers and FFmpeg have it.
    """
    if not content_type.lower().lstrip().startswith("multipart/"):
        return None
    match = re.search(r"boundary\s*=\s*(\"[^\"]{1,200}\"|[^;\s]{1,200})", content_type, re.IGNORECASE)
    name = match.group(1).strip('"') if match is not None else ""
    return name.encode() if name.startswith("--") or not name else b"--" + name.encode()


class Pictures:
    """Cuts a multipart body into its pictures; parts that are none are passed over, though not for ever."""

    def __init__(self, delimiter: bytes, max_bytes: int) -> None:
        """Cut as `Parts` does."""
        self._parts = Parts(delimiter, max_bytes)
        self._others = 0
        self._last = ""

    def feed(self, data: bytes) -> list[tuple[str, Part]]:
        """Take more of the body; return the pictures that it completes, each with its codec (FFmpeg's name).

        Raises `TooLarge`, `NoBoundary`, `NoPictures`.
        """
        found = []
        for part in self._parts.feed(data):
            codec = bitstream.still_codec(part.body)
            self._others = self._others + 1 if codec is None else 0
            if codec is not None:
                found.append((codec, part))
            elif self._others > MOST_OTHERS:
                raise NoPictures(self._said(part))
            else:
                self._last = self._said(part)
        return found

    def end(self) -> None:
        """The body has ended; raises `NoPictures` where its last parts were none."""
        if self._others:
            raise NoPictures(self._last)

    def _said(self, part: Part) -> str:
        kind = heard.kinds([part.headers.get("content-type", "").partition("/")[0].strip().lower()])
        count = f"{self._others} parts in a row" if self._others > 1 else "a part"
        return f"{count} found, the last {len(part.body)} bytes of {kind}, JPEG or PNG expected"


class Parts:
    """Cuts a multipart body into its parts."""

    def __init__(self, delimiter: bytes, max_bytes: int) -> None:
        """Cut at `delimiter` (with its leading dashes, which the body may lack); a part may hold `max_bytes`.

        An empty one is learnt from the body's first line that is not empty.
        """
        self._delimiter = delimiter
        self._first = _first_delimiter(delimiter)
        self._is_known = False
        self._max_bytes = max_bytes
        self._held = bytearray()
        self._body_at: int | None = None
        self._searched = 0
        self._told = 0
        self._headers: Mapping[str, str] = {}

    def feed(self, data: bytes) -> list[Part]:
        """Take more of the body; return the parts that it completes. Raises `TooLarge`, `NoBoundary`."""
        self._held += data
        done: list[Part] = []
        while (body := self._next()) is not None:
            if body:
                done.append(Part(body, self._headers))
        return done

    def _next(self) -> bytes | None:
        """Return the next whole body, None for not yet."""
        if self._body_at is None and not self._enter():
            return None
        start = self._body_at or 0
        end = self._end(start)
        if end is None:
            if len(self._held) - start > self._max_bytes + len(self._delimiter):
                message = f"more than {self._max_bytes} bytes in one picture"
                raise TooLarge(message)
            return None
        body = bytes(self._held[start:end])
        del self._held[:end]
        self._body_at, self._searched = None, 0
        return body.removesuffix(b"\n").removesuffix(b"\r")

    def _end(self, start: int) -> int | None:
        """Return where the body that begins at `start` ends, None where that has not come yet.

        A told length is believed where a JPEG's end stands there, since the next delimiter may be seconds away.
        """
        told = start + self._told
        if self._told and self._held[told - 2 : told] == _END_OF_JPEG:
            return told
        found = self._held.find(self._delimiter, max(start, self._searched))
        self._searched = max(0, len(self._held) - len(self._delimiter))
        return found if found >= 0 else None

    def _enter(self) -> bool:
        """Find a delimiter and the end of the headers after it; tell whether the body begins."""
        if not self._is_known:
            self._learn()
        at = self._held.find(self._delimiter) if self._delimiter else -1
        headers = _END_OF_HEADERS.search(self._held, at, at + MAX_HEADER_BYTES) if at >= 0 else None
        if headers is None:
            if len(self._held) > MAX_HEADER_BYTES + len(self._delimiter):
                message = f"no part found within {MAX_HEADER_BYTES} bytes"
                raise TooLarge(message)
            return False
        self._body_at = self._searched = headers.end()
        told = _LENGTH.search(self._held, at, headers.end())
        self._told = int(told.group(1)) if told else 0
        if self._told > self._max_bytes:
            message = f"a picture of {self._told} bytes told, at most {self._max_bytes} expected"
            raise TooLarge(message)
        text = self._held[at : headers.end()].decode("latin-1")
        self._headers = {name.lower(): value for name, value in _HEADER.findall(text)}
        return True

    def _learn(self) -> None:
        """Learn from the first part how the body itself writes its delimiter.

        A bare word may stand in a picture by chance; so one without dashes counts at a line's start alone.
        """
        if not self._delimiter:
            self._learn_from_first_line()
            return
        first = self._first.search(self._held, 0, MAX_HEADER_BYTES)
        if first is not None:
            self._is_known = True
            self._delimiter = first.group(1)
            if not self._delimiter.startswith(b"-"):
                self._delimiter = b"\n" + self._delimiter
                self._held[:0] = b"\n"

    def _learn_from_first_line(self) -> None:
        blank = len(self._held) - len(self._held.lstrip())
        del self._held[:blank]
        first = _FIRST_LINE.match(self._held)
        if first is not None:
            self._is_known, self._delimiter = True, first.group(1)
        elif not self._held.startswith(b"--"[: len(self._held)]) or len(self._held) > MAX_HEADER_BYTES:
            message = "multipart without a boundary found, one in its Content-Type or its first line (--…) expected"
            raise NoBoundary(f"{message}; ask for the camera's single picture, or its RTSP stream")


def _first_delimiter(delimiter: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?:^|\n)(-{0,4}" + re.escape(delimiter.lstrip(b"-") or delimiter) + rb")[ \t]*\r?\n")
