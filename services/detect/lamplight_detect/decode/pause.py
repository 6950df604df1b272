"""Pauses in a live stream that may hide a whole key interval: what follows it bears the very same numbers."""

from __future__ import annotations

from dataclasses import dataclass

UNKNOWN_NS = 2_000_000_000
"""A pause this long may hide a key interval while that is not known."""
SHARE = 0.55
"""Share of the key interval from which on a pause may hide it: pictures that lean on later ones shift what is alike."""


@dataclass(frozen=True)
class Pause:
    """When the last picture and the last key picture were taken, and the time between the last two keys: ns, or 0."""

    last_ns: int = 0
    key_ns: int = 0
    interval_ns: int = 0

    def after(self, at_ns: int, *, is_key: bool) -> tuple[Pause, bool]:
        """Return the state after a picture of `at_ns`, and whether a whole interval may be missing before it."""
        limit_ns = SHARE * self.interval_ns if self.interval_ns else UNKNOWN_NS
        is_long = self.last_ns != 0 and at_ns - self.last_ns >= limit_ns
        if not is_key:
            return Pause(at_ns, self.key_ns, self.interval_ns), is_long
        since_ns = at_ns - self.key_ns if self.key_ns else 0
        return Pause(at_ns, at_ns, since_ns if since_ns > 0 else self.interval_ns), is_long
