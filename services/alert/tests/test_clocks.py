"""The life of one clock, by tables and by chance."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lamplight_alert.clocks import Step, end, hear, lose, miss, start
from lamplight_alert.model import NS_PER_S, Change, Clock, Over, Running, Subject, Timing, Truth

SUBJECT = Subject(Over.THING, "place")
TIMING = Timing(for_ns=10 * NS_PER_S, clear_ns=5 * NS_PER_S, gap_ns=20 * NS_PER_S)
T, F, U = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN

STORIES: dict[str, tuple[list[tuple[float, Truth]], list[str]]] = {
    "held for 10 s": ([(0, T), (9, T), (10, T)], ["10 opened"]),
    "held too short": ([(0, T), (9, T), (9.5, F), (12, T)], []),
    "seen gone for 5 s": ([(0, T), (10, T), (12, F), (16, F), (17, F)], ["10 opened", "17 cleared"]),
    "gone for a moment": ([(0, T), (10, T), (12, F), (14, T), (20, F), (24, F)], ["10 opened"]),
    "unknown is not gone": ([(0, T), (10, T), (12, U), (18, U), (20, T)], ["10 opened"]),
    "unknown is not held": ([(0, T), (5, U), (11, U)], []),
    "a short gap is bridged": ([(0, T), (19, T)], ["19 opened"]),
    "a long gap is not": ([(0, T), (21, T), (30, T), (31, T)], ["31 opened"]),
    "a long gap does not clear": ([(0, T), (10, T), (12, F), (40, F), (44, F), (45, F)], ["10 opened", "45 cleared"]),
    "late evidence tells nothing": ([(0, T), (10, T), (6, F), (11, F)], ["10 opened"]),
}


def play(story: list[tuple[float, Truth]], timing: Timing = TIMING) -> list[str]:
    """Return what a clock tells of a story of (seconds, truth)."""
    clock: Clock | None = None
    told = []
    for at_s, truth in story:
        at_ns = round(at_s * NS_PER_S)
        clock, step = turn(clock, truth, at_ns, timing)
        if step.change:
            told.append(f"{at_s:g} {step.change.value}")
    return told


def turn(clock: Clock | None, truth: Truth, at_ns: int, timing: Timing) -> tuple[Clock | None, Step]:
    """Take one piece of evidence; a clock starts where it holds."""
    if clock is None and truth is not T:
        return None, Step(None)
    running = clock or start("rule", 1, SUBJECT, at_ns)
    step = hear(running, truth, at_ns, timing, lambda _clock, opened_ns: f"east/{opened_ns}")
    return step.clock, step


def test_stories() -> None:
    """Each story is told as its table says."""
    for name, (story, expected) in STORIES.items():
        assert play(story) == expected, name


def test_no_evidence_makes_stale_and_evidence_resumes() -> None:
    """A clock without evidence is told to be stale once, and told to be back once."""
    opened = hear(start("r", 1, SUBJECT, 0), T, 0, Timing(0, 0, 20 * NS_PER_S), lambda *_: "east/1").clock
    assert opened is not None
    assert miss(opened, 20 * NS_PER_S, 20 * NS_PER_S, "late").change is None
    stale = miss(opened, 21 * NS_PER_S, 20 * NS_PER_S, "late")
    assert (stale.change, stale.reason) == (Change.STALE, "late")
    assert stale.clock is not None
    assert lose(stale.clock, "down").change is None
    back = hear(stale.clock, T, 30 * NS_PER_S, TIMING, lambda *_: "")
    assert back.change is Change.RESUMED
    assert back.clock is not None
    assert not back.clock.is_stale


def test_a_pending_clock_is_told_to_nobody() -> None:
    """What never opened is neither stale nor cleared for a reader."""
    pending = start("r", 1, SUBJECT, 0)
    assert lose(pending, "down").change is None
    assert end(pending, "rule removed") == Step(None)


evidence = st.lists(st.tuples(st.integers(0, 12).map(float), st.sampled_from([T, F, U])), min_size=1, max_size=40)


@given(evidence, st.integers(0, 15), st.integers(0, 15))
def test_opens_only_after_for_s_of_evidence(steps: list[tuple[float, Truth]], for_s: int, clear_s: int) -> None:
    """Before each opening it was seen to hold, and only that, for at least `for_s`; clearing likewise; in turn."""
    timing = Timing(for_s * NS_PER_S, clear_s * NS_PER_S, 20 * NS_PER_S)
    story, at_s = [], 0.0
    for pause_s, truth in steps:
        at_s += pause_s + 1
        story.append((at_s, truth))
    told = [line.split() for line in play(story, timing)]
    assert [what for _, what in told] == ["opened", "cleared"] * (len(told) // 2) + ["opened"] * (len(told) % 2)
    for when, what in told:
        held = T if what == "opened" else F
        known = [(at, truth) for at, truth in story if at <= float(when) and truth is not U]
        run = [at for i, (at, _) in enumerate(known) if all(truth is held for _, truth in known[i:])]
        assert run
        assert float(when) - run[0] >= (for_s if what == "opened" else clear_s)


@given(evidence)
def test_told_again_changes_nothing(steps: list[tuple[float, Truth]]) -> None:
    """Evidence that comes twice has the effect of coming once."""
    at_ns, once, twice = 0, None, None
    for pause_s, truth in steps:
        at_ns += round((pause_s + 1) * NS_PER_S)
        once, step = turn(once, truth, at_ns, TIMING)
        twice, first = turn(twice, truth, at_ns, TIMING)
        twice, again = turn(twice, truth, at_ns, TIMING)
        assert first.change == step.change
        assert again.change is None
        assert once == twice


@given(st.sampled_from(list(Running)), st.booleans())
def test_the_end_is_told_once(running: Running, is_stale: bool) -> None:
    """Whatever was told to be open is told to be cleared when it ends, and nothing else is."""
    clock = Clock("r", 1, SUBJECT, running, 0, 0, 0, is_stale, "" if running is Running.PENDING else "east/1")
    step = end(clock, "the rule was removed")
    assert step.clock is None
    assert (step.change is Change.CLEARED) == (running is not Running.PENDING)
