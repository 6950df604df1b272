"""The one thing of an MP4 file that the demuxer keeps to itself: by how much its pictures are to be turned."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

_HOLDS_OTHERS = frozenset({b"moov", b"trak"})
_MAX_BOXES = 4096
_TKHD_BYTES = 96
_MATRIX_AT = {0: 40, 1: 52}  # ISO/IEC 14496-12, 8.3.2: from the box's version on, by version
_ONE = 1 << 16
_TURNS = {(0, _ONE, -_ONE, 0): 90, (-_ONE, 0, 0, -_ONE): 180, (0, -_ONE, _ONE, 0): 270}


def rotation_deg(file: BinaryIO) -> int:
    """Return the clockwise turn that the first turned track asks for: 0, 90, 180 or 270.

    Reads box headers and track headers of `file` (seekable) only, and not more than a few thousand of them; a file
    that is no MP4, or a broken one, asks for 0.
    """
    size = file.seek(0, 2)
    for kind, start, end in _boxes(file, 0, size):
        if kind != b"tkhd":
            continue
        file.seek(start)
        turn = _turn(file.read(min(end - start, _TKHD_BYTES)))
        if turn:
            return turn
    return 0


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the content of boxes between two offsets, and of those inside moov and trak."""
    left = [(start, end)]
    for _ in range(_MAX_BOXES):
        while left and left[-1][0] + 8 > left[-1][1]:
            left.pop()
        if not left:
            return
        at, limit = left.pop()
        kind, content, after = _header(file, at, limit)
        if after <= at:
            return
        left.append((after, limit))
        if kind in _HOLDS_OTHERS:
            left.append((content, after))
        else:
            yield kind, content, after


def _header(file: BinaryIO, at: int, limit: int) -> tuple[bytes, int, int]:
    file.seek(at)
    head = file.read(16)
    if len(head) < 8:
        return b"", at, at
    size, kind = struct.unpack_from(">I4s", head)
    content = at + 8
    if size == 1 and len(head) == 16:
        size, content = struct.unpack_from(">Q", head, 8)[0], at + 16
    elif size == 0:
        size = limit - at
    return kind, content, min(at + size, limit)


def _turn(tkhd: bytes) -> int:
    at = _MATRIX_AT.get(tkhd[0]) if tkhd else None
    if at is None or len(tkhd) < at + 20:
        return 0
    a, b, _u, c, d = struct.unpack_from(">5i", tkhd, at)
    return _TURNS.get((a, b, c, d), 0)
