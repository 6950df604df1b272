"""EXIF's orientation, the one tag that is read (CIPA DC-008: tag 0x0112 of IFD0), and turning pictures upright."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_HEAD = b"Exif\x00\x00"
_ORIENTATION = 0x0112
_MAX_ENTRIES = 512


def orientation_of(segment: bytes) -> int:
    """Return the orientation (1 to 8) that an APP1 segment's body names; 0 where it names none that is valid."""
    if not segment.startswith(_HEAD):
        return 0
    return tiff_orientation(segment[len(_HEAD) :])


def tiff_orientation(tiff: bytes) -> int:
    """Return the orientation that a TIFF header with its IFD0 names; 0 where none is valid."""
    order = {b"II*\x00": "little", b"MM\x00*": "big"}.get(tiff[:4])
    if order is None:
        return 0

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], "little" if order == "little" else "big")

    start = number(4, 4)
    for entry in range(min(number(start, 2), _MAX_ENTRIES)):
        at = start + 2 + 12 * entry
        if at + 12 > len(tiff):
            return 0
        if number(at, 2) == _ORIENTATION:
            value = number(at + 8, 2)
            return value if 1 <= value <= 8 else 0
    return 0


def upright(picture: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return `picture` as orientation 1 shows it: 2, 4, 5 and 7 are mirrored, 3 to 8 are turned."""
    mirrored = picture[:, ::-1] if orientation in {2, 4, 5, 7} else picture
    turns = {3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}.get(orientation, 0)
    return np.ascontiguousarray(np.rot90(mirrored, turns))


def turned(picture: NDArray[np.uint8], clockwise_deg: int) -> NDArray[np.uint8]:
    """Return `picture` turned clockwise by 0, 90, 180 or 270 degrees."""
    return np.ascontiguousarray(np.rot90(picture, -(clockwise_deg // 90) % 4))
