"""Which pictures go on, decided without decoding; pure: values in, values out.

With `keyframes` only pictures that stand by themselves go on, the plan's gap apart. With `all` every picture goes on,
since a later one needs it, and the gap decides which of them are to be examined. Detect's wanted gap goes before the
plan's, within the plan's bounds. Where a picture is lost at `all`, nothing goes on until the next keyframe, nor what is
shown before that one (the leading pictures of an open GOP): it builds on what was lost.

A keyframe that is due is spared all the same where nothing has happened since the last one, as far as detect's verdicts
have proved that the bytes between keyframes tell it on this camera; never past the longest gap, and never while detect
wants pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from lamplight_ingest.activity import Activity
from lamplight_ingest.interval import Longest
from lamplight_ingest.model import NS_PER_S

SLACK = 0.1
"""Share of the gap by which a picture may come early: a camera's pictures are no metronome."""


class Choice(Enum):
    """What becomes of a picture."""

    SKIP = "skip"
    SPARE = "spare"  # was due, but nothing has happened
    CARRY = "carry"  # goes on so that a later one can be decoded
    EXAMINE = "examine"


@dataclass(frozen=True)
class Plan:
    """A camera's sampling plan; gaps in seconds, `min_gap_s` <= `max_gap_s`."""

    wants_all: bool
    min_gap_s: float
    max_gap_s: float

    def gap_s(self, wanted_gap_s: float) -> float:
        """Return the gap in force: detect's wish (0: none) within the plan's bounds, else the shortest planned."""
        return min(max(wanted_gap_s, self.min_gap_s), self.max_gap_s)


@dataclass(frozen=True)
class Sampler:
    """Where the sampling of one camera stands; begins waiting for a keyframe.

    `examined_level` is the activity's level at the last examined picture, None where none was known.
    """

    plan: Plan
    wanted_gap_s: float = 0.0
    examined_ns: int | None = None
    needs_key: bool = True
    entered: bool = False  # at the last keyframe: what came before it has not gone on
    key_gap: Longest = field(default_factory=Longest)
    activity: Activity = field(default_factory=Activity)
    examined_level: float | None = None

    def wanting(self, gap_s: float) -> Sampler:
        """Return a sampler that heeds detect's wish for `gap_s` seconds between pictures; 0 withdraws it."""
        return replace(self, wanted_gap_s=gap_s if gap_s > 0 else 0.0)

    def after_loss(self) -> Sampler:
        """Return a sampler that waits for the next keyframe."""
        return replace(self, needs_key=True)

    def judged(self, level: float | None, *, is_changed: bool) -> Sampler:
        """Return a sampler that has learnt from a verdict on the picture that was examined at `level`."""
        if level is None:
            return self
        return replace(self, activity=self.activity.judged(level, is_changed=is_changed))

    def choose(
        self, at_ns: int, *, is_key: bool, stands_alone: bool, leads: bool = False, between_bytes: int | None = None
    ) -> tuple[Choice, Sampler]:
        """Return what becomes of the picture taken at `at_ns`, and the sampler after it.

        `stands_alone`: every picture of this coding is a keyframe, so that none need be carried. `leads`: it is shown
        before the keyframe that it follows. `between_bytes` came of the video since the keyframe before; None: nobody
        counted.
        """
        if not is_key and (self.needs_key or not self.plan.wants_all or (leads and self.entered)):
            return Choice.SKIP, self
        after = replace(self, needs_key=False, entered=self.needs_key if is_key else self.entered)
        if is_key and between_bytes is not None and not self.plan.wants_all:
            after = _counted(after, at_ns, between_bytes)
        if _is_due(after, at_ns):
            if _is_spared(after, at_ns):
                return Choice.SPARE, replace(after, activity=after.activity.spared())
            level, activity = after.activity.peak, after.activity.sent()
            return Choice.EXAMINE, replace(after, examined_ns=at_ns, examined_level=level, activity=activity)
        carries = self.plan.wants_all and not stands_alone
        return (Choice.CARRY, after) if carries else (Choice.SKIP, after)


def _counted(sampler: Sampler, at_ns: int, between_bytes: int) -> Sampler:
    before_ns = sampler.activity.key_ns
    gap_s = 0.0 if before_ns is None else max(0.0, (at_ns - before_ns) / NS_PER_S)
    return replace(sampler, key_gap=sampler.key_gap.after(gap_s), activity=sampler.activity.came(at_ns, between_bytes))


def _is_due(sampler: Sampler, at_ns: int) -> bool:
    if sampler.examined_ns is None:
        return True
    passed_s = (at_ns - sampler.examined_ns) / NS_PER_S
    clock_went_back = passed_s < -sampler.plan.max_gap_s
    return clock_went_back or passed_s >= sampler.plan.gap_s(sampler.wanted_gap_s) * (1 - SLACK)


def _is_spared(sampler: Sampler, at_ns: int) -> bool:
    """Tell whether a picture that is due need not go: the next keyframe would still come in time.

    However irregular keyframes are (scene cuts, encoders that stretch their groups): as late as any of the last ones.
    """
    activity = sampler.activity
    if sampler.examined_ns is None or sampler.wanted_gap_s > 0 or not activity.is_quiet or activity.is_check:
        return False
    next_s = (at_ns - sampler.examined_ns) / NS_PER_S + sampler.key_gap.seconds
    return 0 <= next_s <= sampler.plan.max_gap_s
