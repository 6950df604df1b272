"""When a file's pictures come: in real time, or as fast as they can be read."""

from __future__ import annotations

import threading
from typing import Protocol

from lamplight_kit.clock import Clock

from lamplight_ingest.model import NS_PER_S


class Pace(Protocol):
    """Turns a picture's own time (seconds since its source's first) into Unix time, waiting where that is to come."""

    def start(self) -> None:
        """Begin the source's time."""
        ...

    def at_ns(self, own_s: float, closed: threading.Event) -> tuple[int, int]:
        """Return when the picture was received and taken, Unix ns, once it is due or `closed` is set."""
        ...


class RealTime:
    """Plays a file as if it happened now: its start is the moment it was opened."""

    def __init__(self, clock: Clock) -> None:
        """Go by `clock`."""
        self._clock = clock
        self._start_ns = clock.now_ns()
        self._start_s = clock.monotonic_s()

    def start(self) -> None:
        """Begin now."""
        self._start_ns = self._clock.now_ns()
        self._start_s = self._clock.monotonic_s()

    def at_ns(self, own_s: float, closed: threading.Event) -> tuple[int, int]:
        """Wait until `own_s` seconds after the start."""
        closed.wait(max(0.0, self._start_s + own_s - self._clock.monotonic_s()))
        return self._clock.now_ns(), self._start_ns + round(own_s * NS_PER_S)


class AsFastAsItGoes:
    """Plays a file without waiting, as if it had begun at a given moment."""

    def __init__(self, start_ns: int) -> None:
        """Let the first picture be taken at `start_ns`."""
        self._start_ns = start_ns

    def start(self) -> None:
        """Begin where told."""

    def at_ns(self, own_s: float, closed: threading.Event) -> tuple[int, int]:  # noqa: ARG002 - nothing to wait for
        """Return the moment at once, received as it was taken."""
        at_ns = self._start_ns + round(own_s * NS_PER_S)
        return at_ns, at_ns
