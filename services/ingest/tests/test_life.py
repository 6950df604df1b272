"""A camera's life: every order of events leaves it in a state that can be acted on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lamplight_ingest import life as lives
from lamplight_ingest.interval import KeyInterval
from lamplight_ingest.life import Life, Moment, State

PATIENCE_S = 10.0
Event = Callable[[Life, Moment], Life]


def away(life: Life, now: Moment) -> Life:
    """The source cannot be reached."""
    return lives.failed(life, now, State.GONE, reason="away")


def refused(life: Life, now: Moment) -> Life:
    """The source says no."""
    return lives.failed(life, now, State.REFUSED, reason="refused")


def waited(life: Life, now: Moment) -> Life:
    """Somebody looked."""
    return lives.waited(life, now, PATIENCE_S)


EVENTS: dict[str, Event] = {
    "opened": lives.opened,
    "pictured": lives.pictured,
    "waited": waited,
    "away": away,
    "refused": refused,
    "queued": lives.queued,
    "admitted": lives.admitted,
}


def moment(at_s: float) -> Moment:
    """Return both clocks' reading."""
    return Moment(round(at_s * 1e9) + 10**18, at_s)


def after(*story: tuple[float, str]) -> Life:
    """Return the life that events at given seconds lead to."""
    life = lives.begin(moment(0))
    for at_s, name in story:
        life = EVENTS[name](life, moment(at_s))
    return life


stories = st.lists(st.tuples(st.floats(0, 60), st.sampled_from(sorted(EVENTS))), max_size=40)


@given(stories)
def test_every_story_makes_sense(steps: list[tuple[float, str]]) -> None:
    """Live means that the last word was a picture; since never runs ahead; a silent live camera is soon not live."""
    at_s, life = 0.0, lives.begin(moment(0))
    for step_s, name in steps:
        at_s += step_s
        before, life = life, EVENTS[name](life, moment(at_s))
        assert life.since_ns <= moment(at_s).at_ns
        assert (life.state is before.state) is (life.since_ns == before.since_ns) or step_s < 1e-6
        if name == "pictured":
            assert life.state is State.LIVE
        if name in ("away", "refused"):
            assert life.state is not State.LIVE
        if life.state is State.LIVE and not life.queued:
            assert EVENTS["waited"](life, moment(life.heard_s + PATIENCE_S + 1e-6)).state is State.STALLED
        assert life.reason


@pytest.mark.parametrize(
    ("story", "state"),
    [
        ([], State.CONNECTING),
        ([(1, "opened"), (2, "pictured")], State.LIVE),
        ([(1, "opened"), (12, "waited")], State.STALLED),
        ([(1, "opened"), (5, "waited")], State.CONNECTING),
        ([(1, "pictured"), (12, "waited"), (13, "pictured")], State.LIVE),
        ([(1, "pictured"), (2, "away")], State.CONNECTING),
        ([(1, "pictured"), (2, "away"), (3, "away")], State.GONE),
        ([(1, "pictured"), (2, "away"), (3, "opened"), (20, "waited")], State.STALLED),
        ([(1, "pictured"), (12, "waited"), (13, "away"), (14, "opened"), (40, "waited")], State.GONE),
        ([(1, "away")], State.GONE),
        ([(1, "refused"), (2, "away")], State.GONE),
        ([(1, "pictured"), (2, "refused")], State.REFUSED),
        ([(1, "refused"), (12, "opened"), (13, "pictured")], State.LIVE),
        ([(1, "queued"), (300, "waited")], State.CONNECTING),
        ([(1, "queued"), (300, "admitted"), (305, "waited")], State.CONNECTING),
        ([(1, "queued"), (300, "admitted"), (311, "waited")], State.STALLED),
        ([(1, "away"), (2, "queued"), (300, "waited")], State.GONE),
    ],
)
def test_states(story: list[tuple[float, str]], state: State) -> None:
    """The stories that operators meet."""
    assert after(*story).state is state


def test_a_lost_camera_is_first_tried_again() -> None:
    """A live camera that breaks off is connecting, once it has been steady; a flapping one is gone."""
    flapping = after((1, "pictured"), (2, "away"), (3, "pictured"), (4, "away"))
    assert flapping.state is State.GONE
    steady = after((1, "pictured"), (2, "away"), (3, "pictured"), (40, "pictured"), (41, "away"))
    assert (steady.state, steady.failures) == (State.CONNECTING, 1)


def test_who_waits_its_turn_says_so_once_and_no_longer() -> None:
    """Beside why the camera was lost, if it was."""
    lost = after((1, "pictured"), (2, "away"), (3, "queued"), (4, "waited"), (5, "waited"))
    assert lost.reason == "away; waits its turn, since many are being reached"
    assert lives.admitted(lost, moment(6)).reason == "away"


def test_a_rest_that_the_server_asked_for_is_told_and_each_one_anew() -> None:
    """Once the silence is noticed, and of whoever was lost or refused before; a rest that goes on changes nothing."""
    live = after((1, "pictured"))
    assert lives.waited(live, moment(5), PATIENCE_S, rest="until one") == live
    first = lives.waited(live, moment(12), PATIENCE_S, rest="until one")
    assert (first.state, first.reason) == (State.STALLED, f"no picture for {PATIENCE_S:g} s: until one")
    assert lives.waited(first, moment(13), PATIENCE_S, rest="until one") is first
    second = lives.waited(first, moment(14), PATIENCE_S, rest="until two")
    assert (second.reason, second.since_ns) == ("no picture: until two", first.since_ns)
    assert lives.waited(second, moment(15), PATIENCE_S) is second
    lost = lives.waited(after((1, "away"), (2, "opened")), moment(3), PATIENCE_S, rest="until one")
    assert (lost.state, lost.reason) == (State.STALLED, "no picture: until one")
    assert lives.pictured(second, moment(16)).state is State.LIVE


def test_an_ended_life_is_over() -> None:
    """Nothing is tried again, and no silence is noticed."""
    life = lives.ended(after((1, "pictured")), moment(2), "the end")
    assert (life.state, life.over, life.reason) == (State.GONE, True, "the end")
    assert waited(life, moment(1000)) == life


def test_an_ended_life_keeps_what_detect_said_of_its_last_picture() -> None:
    """A file whose picture is broken does not end like a good one, whichever word comes first."""
    end = lives.ended(after((1, "pictured")), moment(2), "the end")
    refused = lives.judged(end, "no end marker")
    assert (refused.state, refused.reason) == (
        State.GONE,
        "the end, but detect refused its last picture: no end marker",
    )
    assert lives.judged(refused, "").reason == "the end"


@given(st.integers(1, 10_000), st.floats(0, 1), st.booleans())
def test_retries_wait_longer_and_longer_within_bounds(failures: int, roll: float, is_refusal: bool) -> None:
    """Never at once, never longer than the bound, spread over half of it."""
    name = "refused" if is_refusal else "away"
    life = after(*[(float(at), name) for at in range(min(failures, 40))])
    first_s, most_s = (10.0, 300.0) if is_refusal else (1.0, 30.0)
    wait_s = lives.retry_after_s(life, roll)
    assert first_s / 2 <= wait_s <= most_s
    if failures >= 20:
        assert wait_s >= most_s / 2
    assert lives.retry_after_s(life, 1) == pytest.approx(2 * lives.retry_after_s(life, 0))


@pytest.mark.parametrize(("many", "other", "first_s"), [("away", "refused", 10.0), ("refused", "away", 1.0)])
def test_failures_of_one_kind_do_not_lengthen_the_wait_of_the_other(many: str, other: str, first_s: float) -> None:
    """A camera that says no once after an outage is not left for minutes; nor one that is gone after refusals."""
    told = [(float(at), many) for at in range(8)]
    assert lives.retry_after_s(after(*told, (8, other)), 1) == first_s
    assert lives.retry_after_s(after(*told, (8, other), (9, other)), 1) == 2 * first_s


def test_a_refusal_between_is_still_a_failure() -> None:
    """A camera that has failed in either way is not first lost again, but gone."""
    assert after((1, "refused"), (2, "pictured"), (3, "away")).state is State.GONE


@given(st.lists(st.integers(-(10**12), 10**12), max_size=30))
def test_the_keyframe_interval_is_a_mean_of_what_came(steps_ns: list[int]) -> None:
    """It lies among the steps that tell something; nonsense moves nothing."""
    interval, at_ns = KeyInterval().after(0), 0
    for step in steps_ns:
        at_ns += step
        interval = interval.after(at_ns)
    told = [step / 1e9 for step in steps_ns if 0 < step / 1e9 <= 3600]
    if not told:
        assert interval.seconds is None
    else:
        assert interval.seconds is not None
        assert min(told) - 1e-9 <= interval.seconds <= max(told) + 1e-9
