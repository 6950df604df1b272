"""Time is set once, here: the source's where it can be true, else the receipt's."""

from __future__ import annotations

from fractions import Fraction

from lamplight_ingest.model import NS_PER_S, STANDS_ALONE, Picture

TRUSTED_WITHIN_NS = 5 * NS_PER_S
"""How far a source's time may lie from its receipt (docs/design.md, Time)."""
MAX_JUMP_S = 3600.0
"""A longer step between two pictures of a container is a broken time stamp, not a wait."""


def stamp(picture: Picture, before_ns: int | None = None) -> tuple[int, bool]:
    """Return `at_ns`, and whether it is only the receipt's.

    `before_ns` is the `at_ns` of the picture before. A picture that stands by itself was taken after it: a source that
    tells otherwise (HTTP dates count whole seconds) is not believed. Pictures that build on others may be stored in
    another order than they were taken in.
    """
    told, received_ns = picture.source_at_ns, picture.received_ns
    is_near = told is not None and abs(told - received_ns) <= TRUSTED_WITHIN_NS
    moves_on = picture.codec not in STANDS_ALONE or before_ns is None or told is None or told > before_ns
    return (told, False) if told is not None and is_near and moves_on else (received_ns, True)


class OwnTime:
    """Seconds since the first picture, from a container's time stamps, whatever they say.

    Stamps that are missing, that jump for more than an hour or that start anew go on one picture after the last.
    """

    def __init__(self, time_base: Fraction, start: int | None, rate_hz: float | None) -> None:
        """Count in `time_base` seconds from stamp `start` (None: the first that comes); `rate_hz` paces the missing."""
        self._time_base = time_base
        self._start = start
        self._step_s = 1.0 / rate_hz if rate_hz and 0.01 <= rate_hz <= 1000 else 0.04
        self._shift_s = 0.0
        self._last_s: float | None = None

    def seconds(self, pts: int | None, dts: int | None) -> float:
        """Return the time of the picture stamped `pts` (else `dts`); never below 0."""
        stamp_in = dts if pts is None else pts
        last_s = self._last_s
        if stamp_in is None:
            own_s = 0.0 if last_s is None else last_s + self._step_s
        else:
            self._start = stamp_in if self._start is None else self._start
            own_s = self._bridged(float((stamp_in - self._start) * self._time_base), last_s)
        self._last_s = max(0.0, own_s)
        return self._last_s

    def _bridged(self, raw_s: float, last_s: float | None) -> float:
        near_s = 0.0 if last_s is None else last_s
        if abs(raw_s + self._shift_s - near_s) > MAX_JUMP_S:
            self._shift_s = (0.0 if last_s is None else last_s + self._step_s) - raw_s
        return raw_s + self._shift_s
