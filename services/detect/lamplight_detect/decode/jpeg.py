"""Reading a JPEG's structure without decoding it (ITU-T T.81, annex B).

What is handed to the decoder is rebuilt from the segments that decoding needs: no metadata, no second picture behind
the end marker, no garbage between segments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lamplight_detect.decode.exif import orientation_of
from lamplight_detect.decode.limits import Unreadable, check_size

START, END, SCAN = 0xD8, 0xD9, 0xDA
_ALONE = frozenset({0x01, *range(0xD0, 0xD8), START})  # markers without a segment
_KEPT = frozenset({0xC4, 0xDB, 0xDD, 0xEE})  # Huffman and quantisation tables, restart interval, Adobe's colours
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended and progressive, Huffman coded
_OTHER_FRAMES = frozenset({0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})
_EXIF, _PROGRESSIVE = 0xE1, 0xC2
COEFFICIENTS = 64
_UNSEEN = 14
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
    reader, at = _Reader(data), 2
    while (found := _next(data, at, _MARKER))[0] != END:
        marker, at = found
        if marker not in _ALONE:
            at = reader.segment(marker, at)
    return reader.whole()


@dataclass
class _Reader:
    """Gathers what decoding needs."""

    data: bytes
    parts: list[bytes] = field(default_factory=lambda: [b"\xff\xd8"])
    size: tuple[int, int] | None = None
    orientation: int = 1
    scans: int = 0
    is_progressive: bool = False
    bits_open: dict[int, list[int]] = field(default_factory=dict)

    def segment(self, marker: int, at: int) -> int:
        """Take in the segment whose length stands at `at`; return where to look on."""
        length = int.from_bytes(self.data[at : at + 2], "big")
        end = at + length
        if length < 2 or end > len(self.data):
            raise _refusal(f"a segment of {length} bytes at {at} of {len(self.data)}", "a whole segment")
        body = self.data[at + 2 : end]
        if marker in _OTHER_FRAMES:
            raise _refusal(f"coding {marker:#x} (lossless or arithmetic)", "a Huffman-coded JPEG")
        if marker in _FRAMES:
            self._frame(body, is_progressive=marker == _PROGRESSIVE)
        elif marker == _EXIF:
            self.orientation = orientation_of(body) or self.orientation
        elif marker == SCAN:
            end = self._scan(end)
            self._covers(body)
        if marker in _FRAMES or marker in _KEPT or marker == SCAN:
            self.parts.append(b"\xff" + bytes([marker]) + self.data[at:end])
        return end

    def whole(self) -> Jpeg:
        """Return the JPEG; Unreadable where it holds no picture."""
        if self.size is None or self.scans == 0:
            raise _refusal("no picture", "a frame header and a scan")
        missing = sum(left > 0 for lefts in self.bits_open.values() for left in lefts)
        if missing:
            raise _refusal(f"{missing} coefficients that no scan completes", "all of them in full")
        return Jpeg(b"".join([*self.parts, b"\xff\xd9"]), *self.size, self.orientation)

    def _frame(self, body: bytes, *, is_progressive: bool) -> None:
        """Read a frame header (SOFn): precision, height, width, channels."""
        if self.size is not None or len(body) < 6:
            raise _refusal("a second frame header, or one cut off", "one, whole")
        precision, height, width = body[0], int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        if precision != 8 or body[5] not in CHANNELS:
            raise _refusal(f"{precision} bits and {body[5]} channels", "8 bits, 1, 3 or 4 channels")
        check_size(width, height)
        self.size = width, height
        self.is_progressive = is_progressive
        self.bits_open = {component: [_UNSEEN] * COEFFICIENTS for component in body[6::3][: body[5]]}

    def _covers(self, body: bytes) -> None:
        """Note what a scan header (SOS) says that it brings: of which components, which coefficients, to which bit."""
        count = body[0] if body else 0
        if len(body) != 4 + 2 * count or count == 0:
            raise _refusal(f"a scan header of {len(body)} bytes", "one of its components' length")
        first, last, low = body[-3], body[-2], body[-1] & 0x0F
        if not self.is_progressive:
            first, last, low = 0, COEFFICIENTS - 1, 0
        for component in body[1 : 1 + 2 * count : 2]:
            lefts = self.bits_open.get(component)
            if lefts is None or first > last or last >= COEFFICIENTS:
                raise _refusal("a scan of what the frame header does not name", "one of its components")
            lefts[first : last + 1] = [low] * (last + 1 - first)

    def _scan(self, at: int) -> int:
        """Return where the scan whose data begin at `at` ends."""
        self.scans += 1
        if self.size is None:
            raise _refusal("a scan before the frame header", "the header first")
        if self.scans * self.size[0] * self.size[1] > MAX_SCAN_PX:
            raise _refusal(f"{self.scans} scans of {self.size[0]}x{self.size[1]}", f"{MAX_SCAN_PX} pixels in all")
        _, after = _next(self.data, at, _END_OF_SCAN)
        return self.data.rindex(b"\xff", at, after - 1)


def _next(data: bytes, at: int, pattern: re.Pattern[bytes]) -> tuple[int, int]:
    """Return the next marker from `at`, and the offset behind it."""
    found = pattern.search(data, at)
    if found is None:
        raise _refusal("no end marker", "a whole JPEG")
    return found[1][0], found.end()


def _refusal(found: str, expected: str) -> Unreadable:
    return Unreadable(f"JPEG: {found} found, {expected} expected; the picture is damaged or of a kind not decoded")
