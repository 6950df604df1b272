"""Clocks: the only doors to the time, so that tests can turn it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

NS_PER_S = 1_000_000_000


class Clock(Protocol):
    """What a component may ask of time."""

    def now_ns(self) -> int:
        """Unix time in nanoseconds."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never go backwards, from an unknown start."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ns(self) -> int:
        """Unix time in nanoseconds."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Seconds that never go backwards, from an unknown start."""
        return time.monotonic()


@dataclass
class ManualClock:
    """A clock that stands until it is turned; for tests and for replays."""

    at_ns: int = 1_700_000_000 * NS_PER_S

    def now_ns(self) -> int:
        """Unix time in nanoseconds."""
        return self.at_ns

    def monotonic_s(self) -> float:
        """Seconds since the clock's own start of time."""
        return self.at_ns / NS_PER_S

    def turn(self, seconds: float) -> None:
        """Move on by `seconds` (negative: back)."""
        self.at_ns += round(seconds * NS_PER_S)
