"""Whether pictures follow each other in the order in which they are shown, as far as their own numbers tell.

A lost key picture may hide: what follows counts anew from 0, and may by chance lean on numbers that the interval before
had as well. But a picture that leans on a later one comes right after that later one: it is shown after all that came
before it (ITU-T H.264, 8.2.1; H.265, 8.3.1: picture order counts).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Order:
    """The highest count since the last IDR picture, and the highest one before that was reached; None: none yet."""

    high: int | None = None
    low: int | None = None

    def after(self, count: int) -> tuple[Order, bool]:
        """Return the state after a picture of this `count`, and whether pictures are missing before it."""
        if self.high is None or count > self.high:
            return Order(count, self.high), False
        return self, self.low is not None and count <= self.low

    def unwrapped(self, lowest_bits: int, bits: int) -> int:
        """Return the count whose lowest `bits` these are, the nearest one to the highest so far."""
        modulus = 1 << bits
        if self.high is None:
            return lowest_bits
        ahead = (lowest_bits - self.high) % modulus
        return self.high + (ahead if ahead < modulus // 2 else ahead - modulus)
