"""Reading the heads of H.264 and H.265 NAL units."""

from __future__ import annotations

import re
from collections.abc import Iterator

_START = re.compile(rb"\x00\x00\x01")


def nals(access_unit: bytes) -> Iterator[bytes]:
    """Yield the NAL units of an Annex B access unit, without start codes."""
    starts = [found.end() for found in _START.finditer(access_unit)]
    for start, after in zip(starts, [*(at - 3 for at in starts[1:]), len(access_unit)], strict=False):
        nal = access_unit[start:after]
        if nal:
            yield nal


class Bits:
    """Reads bits of a NAL unit's payload, most significant first; IndexError at the end.

    Emulation prevention bytes are left out (ITU-T H.264, 7.4.1; H.265, 7.4.2).
    """

    def __init__(self, payload: bytes) -> None:
        """Read from the start of `payload`."""
        self._data, self._at = payload.replace(b"\x00\x00\x03", b"\x00\x00"), 0

    def take(self, count: int) -> int:
        """Return the next `count` bits."""
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value

    def skip(self, count: int) -> None:
        """Pass over `count` bits."""
        self._at += count

    def exp_golomb(self) -> int:
        """Return the next unsigned Exp-Golomb code."""
        zeros = 0
        while self.take(1) == 0:
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)
