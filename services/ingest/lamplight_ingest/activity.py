"""Whether something happens before a camera, told by how many bytes its encoder needs; pure, one camera's at a time.

An encoder of constant quality needs more bytes between two keyframes where more changes; one of constant bitrate does
not. Which of them a camera has, only detect can tell: its verdicts on pictures that were sent are set against the bytes
that came before them. Where quiet and change have shown to be apart, on this camera, and for as long as nothing speaks
against it, a quiet picture need not be sent. A **level** is how far the bytes of a stretch lie above the camera's
usual, in usual deviations, both of which follow the camera slowly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

ENOUGH_CHANGED, ENOUGH_UNCHANGED = 6, 20
"""So many verdicts of each kind there must be before any conclusion."""
KEPT_CHANGED, KEPT_UNCHANGED = 32, 64
OUTLIERS = 0.06
"""Of the changes seen, so many may have come in the last moment before a keyframe, which no byte before it tells."""
MARGIN = 0.7
"""A quiet picture lies below this share of the lowest level at which a change was seen, those set aside."""
WORTH = 0.6
"""Below which at least this share of the unchanged must lie: a rule that spares little is not worth its risk."""
CHECK_EVERY = 20
"""One in so many pictures that would be skipped is sent all the same."""
_USUAL = 0.4
"""The usual is this quantile of what comes: activity that lasts for less than half the time does not move it far."""
_STEP = 0.03
_LEAST_DEVIATION = 0.02


@dataclass(frozen=True)
class Usual:
    """Running quantile and median deviation of the logarithm of bytes a second (stochastic approximation)."""

    log_rate: float | None = None
    deviation: float = 0.1

    def level(self, log_rate: float) -> float:
        """Return how far `log_rate` lies above the usual, in usual deviations."""
        return 0.0 if self.log_rate is None else (log_rate - self.log_rate) / self.deviation

    def after(self, log_rate: float) -> Usual:
        """Return this after one more stretch."""
        if self.log_rate is None:
            return replace(self, log_rate=log_rate)
        above = log_rate > self.log_rate
        usual = self.log_rate + _STEP * (_USUAL if above else _USUAL - 1)
        wide = abs(log_rate - self.log_rate) > self.deviation
        return Usual(usual, max(_LEAST_DEVIATION, self.deviation * (1 + _STEP * (1 if wide else -1))))


@dataclass(frozen=True)
class Evidence:
    """The levels at which detect saw change and none; `quiet_below` is what has been proved, None where nothing has."""

    changed: tuple[float, ...] = ()
    unchanged: tuple[float, ...] = ()

    @property
    def quiet_below(self) -> float | None:
        """Return the level below which next to nothing was seen to change, where that is worth knowing."""
        if len(self.changed) < ENOUGH_CHANGED or len(self.unchanged) < ENOUGH_UNCHANGED:
            return None
        least = MARGIN * sorted(self.changed)[int(OUTLIERS * len(self.changed))]
        spared = sum(level < least for level in self.unchanged) / len(self.unchanged)
        return least if least > 0 and spared >= WORTH else None

    def after(self, level: float, *, is_changed: bool) -> Evidence:
        """Return this after one more verdict."""
        if is_changed:
            return replace(self, changed=(*self.changed, level)[-KEPT_CHANGED:])
        return replace(self, unchanged=(*self.unchanged, level)[-KEPT_UNCHANGED:])


@dataclass(frozen=True)
class Activity:
    """What is known of one camera's activity; `peak` is the highest level since the last picture that was sent.

    `quiet_below` is kept beside the evidence that it comes from, since it is asked for with every picture.
    """

    usual: Usual = Usual()
    evidence: Evidence = Evidence()
    quiet_below: float | None = None
    key_ns: int | None = None
    peak: float | None = None
    skipped: int = 0

    def came(self, at_ns: int, between_bytes: int | None) -> Activity:
        """Return this after a keyframe taken at `at_ns`, before which `between_bytes` came; None: nobody counted."""
        passed_s = 0.0 if self.key_ns is None else (at_ns - self.key_ns) / 1e9
        moved = replace(self, key_ns=at_ns)
        if between_bytes is None or passed_s <= 0:
            return moved
        log_rate = math.log(1.0 + between_bytes / passed_s)
        level = self.usual.level(log_rate)
        peak = level if self.peak is None else max(level, self.peak)
        return replace(moved, usual=self.usual.after(log_rate), peak=peak)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has happened since the last picture that was sent, as far as that was proved."""
        return self.quiet_below is not None and self.peak is not None and self.peak < self.quiet_below

    @property
    def is_check(self) -> bool:
        """Whether a quiet picture is to be sent all the same."""
        return self.skipped >= CHECK_EVERY - 1

    def sent(self) -> Activity:
        """Return this after a picture that was sent."""
        return replace(self, peak=None, skipped=0 if self.is_check else self.skipped)

    def spared(self) -> Activity:
        """Return this after a picture that was skipped for being quiet."""
        return replace(self, skipped=self.skipped + 1)

    def judged(self, level: float, *, is_changed: bool) -> Activity:
        """Return this after detect's verdict on a picture that was sent at `level`.

        A change where quiet was proved takes all that is known back: the plan holds until it is proved anew, beside
        the level that spoke against it.
        """
        is_wrong = is_changed and self.quiet_below is not None and level < self.quiet_below
        evidence = (Evidence() if is_wrong else self.evidence).after(level, is_changed=is_changed)
        return replace(self, evidence=evidence, quiet_below=evidence.quiet_below)
