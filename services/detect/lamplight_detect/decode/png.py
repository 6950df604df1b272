"""Reading a PNG's structure without decoding it (https://www.w3.org/TR/png-3/).

Only the chunks that decoding needs are handed on: no text, no profile, no further pictures of an animation.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from lamplight_detect.decode.exif import tiff_orientation
from lamplight_detect.decode.limits import Unreadable, check_size

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_MAX_CHUNKS = 100_000


@dataclass(frozen=True)
class Png:
    """A PNG that may be decoded; `data` holds only what decoding needs, `orientation` is EXIF's, 1 to 8."""

    data: bytes
    width: int
    height: int
    orientation: int


def read_png(data: bytes) -> Png:
    """Return the structure of `data`; raises Unreadable where it is cut off, damaged or too large."""
    parts, at, orientation = [SIGNATURE], len(SIGNATURE), 1
    size: tuple[int, int] | None = None
    for _ in range(_MAX_CHUNKS):
        kind, body, end = _chunk(data, at)
        if size is None:
            size = _header(kind, body)
        if kind == b"eXIf":
            orientation = tiff_orientation(body) or orientation
        if kind in _KEPT:
            parts.append(data[at:end])
        if kind == b"IEND":
            return Png(b"".join(parts), *size, orientation)
        at = end
    raise _refusal("too many chunks", f"at most {_MAX_CHUNKS}")


def _chunk(data: bytes, at: int) -> tuple[bytes, bytes, int]:
    """Return kind, body and end of the chunk at `at`, its checksum verified."""
    length = int.from_bytes(data[at : at + 4], "big")
    end = at + 12 + length
    if at + 12 > len(data) or end > len(data):
        raise _refusal("a file cut off", "a whole PNG")
    if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
        raise _refusal(f"a wrong checksum of the chunk at byte {at}", "the right one")
    return data[at + 4 : at + 8], data[at + 8 : end - 4], end


def _header(kind: bytes, body: bytes) -> tuple[int, int]:
    if kind != b"IHDR" or len(body) != 13:
        raise _refusal("another first chunk", "IHDR")
    width, height = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
    check_size(width, height)
    return width, height


def _refusal(found: str, expected: str) -> Unreadable:
    return Unreadable(f"PNG: {found} found, {expected} expected; the picture is damaged")
