"""Bits of a NAL unit's payload (ITU-T H.264 7.3.1 and 9.1; H.265 the same)."""

from __future__ import annotations


def unescaped(payload: bytes) -> bytes:
    """Return a payload without its emulation prevention bytes."""
    return payload.replace(b"\x00\x00\x03", b"\x00\x00")


class Bits:
    """Reads bits from the front; past the end there are zeros."""

    def __init__(self, data: bytes) -> None:
        """Begin with the first bit of `data`."""
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def skip(self, count: int) -> None:
        """Step over `count` bits."""
        self._left -= count

    def read(self, count: int) -> int:
        """Return the next `count` bits as a number."""
        self._left -= count
        return self._value >> self._left & (1 << count) - 1 if self._left >= 0 else 0

    def exp_golomb(self) -> int:
        """Return an unsigned Exp-Golomb number (H.264 9.1); 0 for one that is cut or absurdly long."""
        zeros = 0
        while self._left > 0 and not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros) if zeros <= 16 else 0
