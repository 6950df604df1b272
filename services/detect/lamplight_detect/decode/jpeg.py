"""Reading a JPEG's structure without decoding it (ITU-T T.81, annex B).

What is handed to the decoder is rebuilt from the segments that decoding needs: no metadata, no second picture behind
the end marker, no garbage between segments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lamplight_detect.decode.exif import orientation_of
from lamplight_detect.decode.limits import Unreadable, check_size

START, END, SCAN = 0xD8, 0xD9, 0xDA
_TABLES = frozenset({0xC4, 0xDB, 0xDD})  # Huffman and quantisation tables, restart interval
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended and progressive, Huffman coded
_OTHER_FRAMES = frozenset({0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})
_ADOBE, _EXIF = 0xEE, 0xE1
_MARKER = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)
_END_OF_SCAN = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
MAX_SCAN_PX = 640_000_000
"""Scans x pixels: a small progressive file of many scans may not cost minutes."""
CHANNELS = frozenset({1, 3, 4})


@dataclass(frozen=True)
class Jpeg:
    """A JPEG that may be decoded: `data` is clean and ends with its end marker; `orientation` is EXIF's, 1 to 8."""

    data: bytes
    width: int
    height: int
    orientation: int


def read_jpeg(data: bytes) -> Jpeg:
    """Return the structure of `data`; raises Unreadable where it is cut off, too large or of a kind not decoded."""
    parts = [b"\xff\xd8"]
    size: tuple[int, int] | None = None
    orientation, scans, at = 1, 0, 2
    while True:
        marker, at = _next(data, at, _MARKER)
        if marker == END:
            break
        if marker == START or 0xD0 <= marker <= 0xD7 or marker == 0x01:
            continue
        body_at, end = _segment(data, at)
        whole = data[at - 2 : at - 1] + bytes([marker]) + data[at:end]
        if marker in _OTHER_FRAMES:
            raise _refusal(f"coding {marker:#x} (lossless or arithmetic)", "a Huffman-coded JPEG")
        if marker in _FRAMES:
            if size is not None:
                raise _refusal("a second frame header", "one")
            size = _frame(data[body_at:end])
            parts.append(whole)
        elif marker == _EXIF:
            orientation = orientation_of(data[body_at:end]) or orientation
        elif marker in _TABLES or marker == _ADOBE:
            parts.append(whole)
        elif marker == SCAN:
            scans += 1
            if size is None:
                raise _refusal("a scan before the frame header", "the header first")
            if scans * size[0] * size[1] > MAX_SCAN_PX:
                raise _refusal(f"{scans} or more scans of {size[0]}x{size[1]}", f"at most {MAX_SCAN_PX} pixels in all")
            _, after = _next(data, end, _END_OF_SCAN)
            scan_end = data.rindex(b"\xff", end, after - 1)
            parts.append(whole + data[end:scan_end])
            at = scan_end
            continue
        at = end
    if size is None or scans == 0:
        raise _refusal("no picture", "a frame header and a scan")
    return Jpeg(b"".join([*parts, b"\xff\xd9"]), *size, orientation)


def _next(data: bytes, at: int, pattern: re.Pattern[bytes]) -> tuple[int, int]:
    """Return the next marker from `at`, and the offset behind it."""
    found = pattern.search(data, at)
    if found is None:
        raise _refusal("no end marker", "a whole JPEG")
    return found[1][0], found.end()


def _segment(data: bytes, at: int) -> tuple[int, int]:
    """Return where the body of the segment at `at` begins and ends."""
    length = int.from_bytes(data[at : at + 2], "big")
    if length < 2 or at + length > len(data):
        raise _refusal(f"a segment of {length} bytes at {at} of {len(data)}", "a whole segment")
    return at + 2, at + length


def _frame(body: bytes) -> tuple[int, int]:
    """Return width and height of a frame header (SOFn)."""
    if len(body) < 6:
        raise _refusal("a frame header cut off", "a whole one")
    precision, height, width = body[0], int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    if precision != 8 or body[5] not in CHANNELS:
        raise _refusal(f"{precision} bits and {body[5]} channels", "8 bits, 1, 3 or 4 channels")
    check_size(width, height)
    return width, height


def _refusal(found: str, expected: str) -> Unreadable:
    return Unreadable(f"JPEG: {found} found, {expected} expected; the picture is damaged or of a kind not decoded")
