"""The life of one clock: pending, open, clearing; moved by evidence and by time, never by the machine's own clock.

    no clock ──true──► pending ──true for `for_s`──► OPEN ──false──► clearing ──false for `clear_s`──► no clock
                          │                           ▲                 │
                        false ► no clock              └──────true───────┘

Only evidence moves a clock along these arrows. A gap in the evidence longer than `gap_ns` makes the clock stale: it
stands still until evidence is back, and the time of the gap counts neither as held nor as gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from lamplight_alert.model import Change, Clock, Running, Subject, Timing, Truth


@dataclass(frozen=True)
class Step:
    """Where a clock stands after a step (None: it ended), and what is to be told of it."""

    clock: Clock | None
    change: Change | None = None
    reason: str = ""


def start(rule_id: str, rule_version: int, subject: Subject, at_ns: int) -> Clock:
    """Make the clock of a rule that was first seen to hold at `at_ns`."""
    return Clock(rule_id, rule_version, subject, Running.PENDING, since_ns=at_ns, gone_since_ns=0, evidence_ns=at_ns)


def hear(clock: Clock, truth: Truth, at_ns: int, timing: Timing, name: Callable[[Clock, int], str]) -> Step:
    """Move `clock` by evidence of `at_ns`; UNKNOWN is none, and evidence older than the last tells nothing.

    `name` gives the id of the condition that opens at a time.
    """
    if at_ns < clock.evidence_ns or truth is Truth.UNKNOWN:
        return Step(clock)
    was_stale = clock.is_stale
    clock = _stand_still_over_gap(clock, at_ns, timing.gap_ns)
    step = _holds(clock, at_ns, timing, name) if truth is Truth.TRUE else _is_gone(clock, at_ns, timing)
    if was_stale and step.change is None and step.clock is not None and step.clock.running is not Running.PENDING:
        return replace(step, change=Change.RESUMED, reason="evidence is back")
    return step


def miss(clock: Clock, at_ns: int, gap_ns: int, reason: str) -> Step:
    """Mark `clock` stale where its last evidence is more than `gap_ns` older than `at_ns`."""
    if clock.is_stale or at_ns - clock.evidence_ns <= gap_ns:
        return Step(clock)
    return lose(clock, reason)


def lose(clock: Clock, reason: str) -> Step:
    """Mark `clock` stale at once: it is known that no evidence comes."""
    if clock.is_stale:
        return Step(clock)
    change = None if clock.running is Running.PENDING else Change.STALE
    return Step(replace(clock, is_stale=True), change, reason if change else "")


def end(clock: Clock, reason: str) -> Step:
    """End `clock` whatever was seen: its rule, camera or zone is no more, or its schedule is over."""
    return Step(None) if clock.running is Running.PENDING else Step(None, Change.CLEARED, reason)


def _stand_still_over_gap(clock: Clock, at_ns: int, gap_ns: int) -> Clock:
    missed_ns = at_ns - clock.evidence_ns
    if not clock.is_stale and missed_ns <= gap_ns:
        return replace(clock, evidence_ns=at_ns)
    held_ns = missed_ns if clock.running is Running.PENDING else 0
    gone_ns = missed_ns if clock.running is Running.CLEARING else 0
    return replace(
        clock,
        since_ns=clock.since_ns + held_ns,
        gone_since_ns=clock.gone_since_ns + gone_ns,
        evidence_ns=at_ns,
        is_stale=False,
    )


def _holds(clock: Clock, at_ns: int, timing: Timing, name: Callable[[Clock, int], str]) -> Step:
    if clock.running is Running.PENDING and at_ns - clock.since_ns >= timing.for_ns:
        return Step(replace(clock, running=Running.OPEN, condition_id=name(clock, at_ns)), Change.OPENED)
    if clock.running is Running.CLEARING:
        return Step(replace(clock, running=Running.OPEN, gone_since_ns=0))
    return Step(clock)


def _is_gone(clock: Clock, at_ns: int, timing: Timing) -> Step:
    if clock.running is Running.PENDING:
        return Step(None)
    if clock.running is Running.OPEN:
        clock = replace(clock, running=Running.CLEARING, gone_since_ns=at_ns)
    gone_ns = at_ns - clock.gone_since_ns
    if gone_ns < timing.clear_ns:
        return Step(clock)
    return Step(None, Change.CLEARED, _gone_words(timing.clear_ns))


def _gone_words(clear_ns: int) -> str:
    return f"seen gone for {clear_ns / 1e9:g} s" if clear_ns else "seen gone"
