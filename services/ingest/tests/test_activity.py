"""What activity may spare: only what verdicts have proved, on this camera, within the plan, and never unchecked."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from lamplight_ingest import bench_sampler
from lamplight_ingest.activity import CHECK_EVERY, ENOUGH_CHANGED, ENOUGH_UNCHANGED, Activity, Evidence
from lamplight_ingest.model import NS_PER_S
from lamplight_ingest.sampler import SLACK, Choice, Plan, Sampler

PLAN = Plan(wants_all=False, min_gap_s=2, max_gap_s=30)
keys = st.lists(
    st.tuples(st.floats(0.1, 12), st.one_of(st.none(), st.integers(0, 10**7)), st.booleans(), st.floats(0, 3)),
    max_size=150,
)


@given(keys, st.floats(0, 1))
def test_whatever_comes_the_plan_holds(steps: list[tuple[float, int | None, bool, float]], wanting: float) -> None:
    """No gap past the longest where keyframes come in time, no closer than planned, none spared while it is wanted."""
    sampler, at_s, last_s, spared, dice = Sampler(PLAN), 0.0, 0.0, 0, random.Random(1)
    for step_s, between, is_changed, wanted_gap_s in steps:
        at_s += step_s
        wish_s = wanted_gap_s if dice.random() < wanting else 0.0
        sampler = sampler.wanting(wish_s)
        choice, sampler = sampler.choose(int(at_s * NS_PER_S), is_key=True, stands_alone=False, between_bytes=between)
        if choice is Choice.EXAMINE:
            assert at_s - last_s >= PLAN.min_gap_s * (1 - SLACK) - 1e-6 or last_s == 0.0
            sampler = sampler.judged(sampler.examined_level, is_changed=is_changed)
            last_s, spared = at_s, 0
        else:
            assert at_s - last_s < PLAN.max_gap_s
        if choice is Choice.SPARE:
            spared += 1
            assert wish_s == 0
            assert spared < CHECK_EVERY
            assert sampler.activity.evidence.quiet_below is not None


def _watched(
    sampler: Sampler, count: int, *, start: int = 0, busy_every: int = 5, sees: bool = True, seed: int = 0
) -> tuple[Sampler, list[Choice]]:
    """Return a sampler after `count` keyframes two seconds apart, of which every few are busy, and its choices."""
    dice, choices = random.Random(seed), []
    for number in range(start, start + count):
        is_busy = number % busy_every == 0
        between = dice.randrange(50_000, 90_000) if is_busy else dice.randrange(9_000, 10_000)
        choice, sampler = sampler.choose(2 * number * NS_PER_S, is_key=True, stands_alone=False, between_bytes=between)
        if choice is Choice.EXAMINE:
            sampler = sampler.judged(sampler.examined_level, is_changed=is_busy and sees)
        choices.append(choice)
    return sampler, choices


def test_quiet_is_spared_once_it_is_proved_and_checked_on() -> None:
    """Nothing at first; then what is quiet, but for one in twenty of it and what the longest gap wants."""
    sampler, first = _watched(Sampler(PLAN), ENOUGH_UNCHANGED)
    assert set(first) == {Choice.EXAMINE}
    _, later = _watched(sampler, 1000, start=ENOUGH_UNCHANGED)
    busy = [choice for number, choice in enumerate(later, ENOUGH_UNCHANGED) if number % 5 == 0]
    assert later.count(Choice.SPARE) > 600
    assert busy.count(Choice.EXAMINE) == len(busy)
    quiet_sent = later.count(Choice.EXAMINE) - len(busy)
    assert quiet_sent >= later.count(Choice.SPARE) // CHECK_EVERY


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=80, max_size=160), st.integers(4, 12))
def test_the_longest_gap_holds_however_irregular_keyframes_are(kinds: list[int], longest_s: int) -> None:
    """An encoder that stretches its groups now and then makes nobody wait past `max_gap_s`."""
    sampler, _ = _watched(Sampler(PLAN), 200)
    assert sampler.activity.quiet_below is not None
    at_ns, sent_ns = 400 * NS_PER_S, None
    for number, kind in enumerate(kinds):
        gap_s = longest_s if number % 40 == 0 or kind == 7 else 1 + kind % 3
        at_ns += gap_s * NS_PER_S
        choice, sampler = sampler.choose(at_ns, is_key=True, stands_alone=False, between_bytes=4750 * gap_s)
        if choice is Choice.EXAMINE:
            if sent_ns is not None:
                assert (at_ns - sent_ns) / NS_PER_S <= PLAN.max_gap_s
            sent_ns = at_ns
            sampler = sampler.judged(sampler.examined_level, is_changed=False)


def test_what_shows_nothing_is_never_believed() -> None:
    """An encoder whose bytes do not tell of change is sampled as planned."""
    dice, sampler = random.Random(2), Sampler(PLAN)
    for number in range(500):
        choice, sampler = sampler.choose(
            2 * number * NS_PER_S, is_key=True, stands_alone=False, between_bytes=dice.randrange(90_000, 100_000)
        )
        assert choice is Choice.EXAMINE
        sampler = sampler.judged(sampler.examined_level, is_changed=dice.random() < 0.3)


def test_a_change_in_the_quiet_takes_it_all_back() -> None:
    """The plan holds at once, and until it is proved anew."""
    sampler, _ = _watched(Sampler(PLAN), 200)
    assert sampler.activity.quiet_below is not None
    wrong = sampler.judged(0.0, is_changed=True)
    assert wrong.activity.quiet_below is None
    _, after = _watched(wrong, ENOUGH_UNCHANGED, start=200)
    assert set(after) == {Choice.EXAMINE}


def test_a_gap_that_detect_wants_is_kept() -> None:
    """However quiet it is."""
    sampler, _ = _watched(Sampler(PLAN), 200)
    _, choices = _watched(sampler.wanting(2), 50, start=200)
    assert set(choices) == {Choice.EXAMINE}


@given(st.lists(st.tuples(st.floats(-50, 50), st.booleans()), max_size=200))
def test_proof_needs_both_kinds_and_spares_most_of_the_unchanged(told: list[tuple[float, bool]]) -> None:
    """Never by a few verdicts, and never where it would spare little."""
    evidence = Evidence()
    for level, is_changed in told:
        evidence = evidence.after(level, is_changed=is_changed)
    below = evidence.quiet_below
    if below is not None:
        assert len(evidence.changed) >= ENOUGH_CHANGED
        assert len(evidence.unchanged) >= ENOUGH_UNCHANGED
        assert sum(level <= below for level in evidence.changed) <= 2
        assert sum(level < below for level in evidence.unchanged) > len(evidence.unchanged) / 2


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 1 << 40)), max_size=100))
def test_levels_are_numbers_whatever_comes(stretches: list[tuple[int, int]]) -> None:
    """Clocks that stand or go back, nothing and terabytes."""
    activity = Activity()
    for at_ns, between in stretches:
        activity = activity.came(at_ns, between)
        assert activity.peak is None or abs(activity.peak) < 1e6


def test_a_short_bench_saves_pictures_where_the_bytes_tell_and_none_where_they_do_not() -> None:
    """At constant quality some, with next to nothing missed; at constant bitrate as planned."""
    result = bench_sampler.run(seconds=400)
    measures = result["measures"]
    assert isinstance(measures, list)
    values = {measure["name"]: measure["value"] for measure in measures}
    assert values["constant quality: saved"] > 0.05
    assert values["constant quality: missed"] <= 1
    assert values["constant bitrate: saved"] < 0.05
