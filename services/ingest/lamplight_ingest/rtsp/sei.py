"""Where a stream without IDR pictures can be entered: H.264's recovery point (ITU-T H.264 D.1.8, D.2.8)."""

from __future__ import annotations

from lamplight_ingest.rtsp.bits import Bits, unescaped

RECOVERY_NOW = b"\x06\x06\x01\xc4\x80"
"""A recovery point of no further pictures, exact, as a NAL unit of its own: nothing of a maker's goes along with it."""
_RECOVERY_POINT = 6
_MOST_BYTES = 4096


def recovery_frames(nal: bytes) -> int | None:
    """Return how many pictures after this one show the scene whole again, 0: this one; None where nothing is told."""
    told, at = unescaped(nal[1:_MOST_BYTES]), 0
    while at + 2 < len(told):
        kind, at = _number(told, at)
        size, at = _number(told, at)
        if kind == _RECOVERY_POINT and 0 < size <= len(told) - at:
            return Bits(told[at : at + size]).exp_golomb()
        at += size
    return None


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return a payload's type or size, and where it ends: bytes of 255 are added up (7.3.2.3.1)."""
    total = 0
    while at < len(data) and data[at] == 0xFF:
        total, at = total + 0xFF, at + 1
    return (total + data[at], at + 1) if at < len(data) else (total, at)
