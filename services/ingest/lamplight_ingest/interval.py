"""How often a camera sends a keyframe, measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lamplight_ingest.model import NS_PER_S

_KEEP = 0.8
"""Weight of what was known before: settles within a few keyframes, and one late picture does not move it far."""
_LONGEST_S = 3600.0
REMEMBERED = 64


@dataclass(frozen=True)
class KeyInterval:
    """A running mean of the time between keyframes; `seconds` is None until two have come."""

    seconds: float | None = None
    last_ns: int | None = None

    def after(self, at_ns: int) -> KeyInterval:
        """Return the measure after a keyframe taken at `at_ns`; one out of order or an hour late tells nothing."""
        step_s = 0.0 if self.last_ns is None else (at_ns - self.last_ns) / NS_PER_S
        moved = replace(self, last_ns=at_ns)
        if not 0.0 < step_s <= _LONGEST_S:
            return moved
        mean_s = step_s if self.seconds is None else _KEEP * self.seconds + (1 - _KEEP) * step_s
        return replace(moved, seconds=mean_s)


@dataclass(frozen=True)
class Longest:
    """The longest of the last intervals, of at least REMEMBERED of them once so many came, in a few numbers."""

    of_these: float = 0.0
    of_those_before: float = 0.0
    count: int = 0

    @property
    def seconds(self) -> float:
        """The longest, seconds; 0 where none came yet."""
        return max(self.of_these, self.of_those_before)

    def after(self, interval_s: float) -> Longest:
        """Return this after one more."""
        if self.count >= REMEMBERED:
            return Longest(interval_s, self.of_these, 1)
        return Longest(max(self.of_these, interval_s), self.of_those_before, self.count + 1)
