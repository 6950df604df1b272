"""The sampler: gaps hold, keyframes come first, detect's wish counts within the plan."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lamplight.camera.v1 import camera_pb2
from lamplight_ingest.model import NS_PER_S
from lamplight_ingest.plan import completed, plan_of
from lamplight_ingest.sampler import SLACK, Choice, Plan, Sampler


@dataclass(frozen=True)
class Unit:
    """A picture for the sampler."""

    at_ns: int
    is_key: bool


@st.composite
def streams(draw: st.DrawFn) -> list[Unit]:
    """Pictures in time, some of them keyframes."""
    steps = draw(st.lists(st.tuples(st.integers(1, 3 * NS_PER_S), st.booleans()), max_size=60))
    at_ns, units = 0, []
    for step_ns, is_key in steps:
        at_ns += step_ns
        units.append(Unit(at_ns, is_key))
    return units


gaps = st.floats(0.05, 20)
plans = st.builds(lambda wants_all, low, more: Plan(wants_all, low, low + more), st.booleans(), gaps, gaps)


def chosen(plan: Plan, units: list[Unit], *, wanted_gap_s: float = 0, stands_alone: bool = False) -> list[Choice]:
    """Run a sampler over `units`."""
    sampler = Sampler(plan).wanting(wanted_gap_s)
    choices = []
    for unit in units:
        choice, sampler = sampler.choose(unit.at_ns, is_key=unit.is_key or stands_alone, stands_alone=stands_alone)
        choices.append(choice)
    return choices


@given(plans, streams(), st.floats(0, 40))
def test_examined_pictures_keep_their_gap(plan: Plan, units: list[Unit], wanted_gap_s: float) -> None:
    """Two examined pictures are never closer than the gap in force, but for the slack, which lies within the plan."""
    choices = chosen(plan, units, wanted_gap_s=wanted_gap_s)
    times = [unit.at_ns for unit, choice in zip(units, choices, strict=True) if choice is Choice.EXAMINE]
    gap_s = plan.gap_s(wanted_gap_s)
    assert plan.min_gap_s <= gap_s <= plan.max_gap_s
    for earlier, later in pairwise(times):
        assert (later - earlier) / NS_PER_S >= gap_s * (1 - SLACK) - 1e-9


@given(plans, streams())
def test_no_keyframe_waits_past_the_longest_gap(plan: Plan, units: list[Unit]) -> None:
    """A keyframe is examined if the last examined picture is `max_gap_s` ago, whatever detect wants."""
    choices = chosen(plan, units, wanted_gap_s=1e9)
    last_ns = None
    for unit, choice in zip(units, choices, strict=True):
        if choice is Choice.EXAMINE:
            last_ns = unit.at_ns
        elif unit.is_key and last_ns is not None:
            assert unit.at_ns - last_ns < plan.max_gap_s * NS_PER_S


@given(plans, streams())
def test_what_goes_on_can_be_decoded(plan: Plan, units: list[Unit]) -> None:
    """At keyframes nothing else goes on; at all, everything does from the first keyframe on."""
    choices = chosen(plan, units)
    first_key = next((index for index, unit in enumerate(units) if unit.is_key), len(units))
    for index, (unit, choice) in enumerate(zip(units, choices, strict=True)):
        if plan.wants_all:
            assert (choice is Choice.SKIP) is (index < first_key)
        else:
            assert choice in ({Choice.SKIP, Choice.EXAMINE} if unit.is_key else {Choice.SKIP})


@given(plans, streams())
def test_pictures_that_stand_alone_are_never_carried(plan: Plan, units: list[Unit]) -> None:
    """Where no later picture needs it, a picture that is not examined is not sent."""
    assert Choice.CARRY not in chosen(plan, units, stands_alone=True)


def test_after_a_loss_nothing_goes_on_until_a_keyframe() -> None:
    """The pictures between cannot be decoded."""
    sampler = Sampler(Plan(wants_all=True, min_gap_s=0.2, max_gap_s=30))
    _, sampler = sampler.choose(0, is_key=True, stands_alone=False)
    sampler = sampler.after_loss()
    choice, sampler = sampler.choose(NS_PER_S, is_key=False, stands_alone=False)
    assert choice is Choice.SKIP
    choice, sampler = sampler.choose(2 * NS_PER_S, is_key=True, stands_alone=False)
    assert choice is Choice.EXAMINE
    choice, _ = sampler.choose(2 * NS_PER_S + 1, is_key=False, stands_alone=False)
    assert choice is Choice.CARRY


def test_a_clock_that_went_back_does_not_silence_a_camera() -> None:
    """A camera whose clock was set back an hour is examined again at once, one whose pictures are reordered is not."""
    sampler = Sampler(Plan(wants_all=False, min_gap_s=1, max_gap_s=30))
    _, sampler = sampler.choose(3600 * NS_PER_S, is_key=True, stands_alone=False)
    assert sampler.choose(3599 * NS_PER_S, is_key=True, stands_alone=False)[0] is Choice.SKIP
    assert sampler.choose(0, is_key=True, stands_alone=False)[0] is Choice.EXAMINE


def test_a_withdrawn_wish_leaves_it_to_the_plan() -> None:
    """0 means: as planned."""
    plan = Plan(wants_all=False, min_gap_s=2, max_gap_s=30)
    assert [plan.gap_s(wish) for wish in (0, 1, 5, 60)] == [2, 2, 5, 30]
    assert Sampler(plan).wanting(5).wanting(0) == Sampler(plan)


@pytest.mark.parametrize(
    ("pictures", "given_gaps", "expected"),
    [
        ("PICTURES_UNSPECIFIED", (0, 0), Plan(wants_all=False, min_gap_s=2.0, max_gap_s=30.0)),
        ("PICTURES_ALL", (0, 0), Plan(wants_all=True, min_gap_s=0.2, max_gap_s=30.0)),
        ("PICTURES_KEYFRAMES", (60, 0), Plan(wants_all=False, min_gap_s=60.0, max_gap_s=60.0)),
        ("PICTURES_ALL", (1, 5), Plan(wants_all=True, min_gap_s=1.0, max_gap_s=5.0)),
    ],
)
def test_a_plan_is_completed(pictures: str, given_gaps: tuple[float, float], expected: Plan) -> None:
    """What a user left out is filled in, and stays so when asked again."""
    kind = camera_pb2.Sampling.Pictures.Value(pictures)
    sampling = camera_pb2.Sampling(pictures=kind, min_gap_s=given_gaps[0], max_gap_s=given_gaps[1])
    assert plan_of(sampling) == expected
    whole = completed(camera_pb2.Camera(id="quay", sampling=sampling))
    assert plan_of(whole.sampling) == expected
    assert completed(whole) == whole
