"""Places: what stands, for how long, and what does not end it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lamplight_detect.places import Moment, Place, Step, carried, shown, step
from lamplight_detect.things import Sighting

NS = 1_000_000_000
START = 1_700_000_000 * NS
BOX = (100.0, 100.0, 180.0, 160.0)


def car(box: tuple[float, float, float, float] = BOX, score: float = 0.7, name: str = "car") -> Sighting:
    """Return a sighting of a vehicle."""
    return Sighting(name, "vehicle", box, score, is_sure=score >= 0.4)


def moved(by_px: float) -> tuple[float, float, float, float]:
    """Return the box moved to the right."""
    left, top, right, bottom = BOX
    return left + by_px, top, right + by_px, bottom


def moment(at_s: float, seq: int = 0) -> Moment:
    """Return a picture of the camera."""
    return Moment("cam", START + round(at_s * NS), seq)


def watch(seen: Sequence[Sequence[Sighting]], gap_s: float = 2.0, *, is_quiet: bool = False) -> list[Step]:
    """Return the steps through pictures `gap_s` apart."""
    steps: list[Step] = []
    known: tuple[Place, ...] = ()
    for number, sightings in enumerate(seen):
        found = step(known, sightings, moment(number * gap_s, number), lambda _box: is_quiet)
        steps.append(found)
        known = found.places
    return steps


def test_what_is_seen_again_at_its_spot_opens_a_place() -> None:
    """The second picture opens the place, whose id names camera, time and sequence of the first."""
    first, second, third = watch([[car()], [car()], [car()]])
    assert not first.opened
    (place,) = second.places
    assert second.opened == {place.place_id}
    assert place.place_id == f"cam-{START // 1_000_000:x}-0-0"
    assert [one.still_s for one in third.places] == [4.0]
    assert not third.opened


def test_what_passes_opens_nothing() -> None:
    """A car that is elsewhere in each picture stands nowhere, and is soon forgotten."""
    steps = watch([[car(moved(60 * n))] for n in range(8)])
    assert not any(one.opened for one in steps)
    assert len(steps[-1].places) <= 3


def test_a_creeping_car_does_not_stand() -> None:
    """A car in a slow queue that goes on by a fifth of its length between pictures opens no lasting place."""
    steps = watch([[car(moved(16 * n))] for n in range(20)])
    assert max(place.still_s for place in steps[-1].places) <= 6


def test_flicker_does_not_end_a_place_while_its_pixels_stay() -> None:
    """A detector that misses the thing for a minute, with nothing changed there, leaves it standing and ageing."""
    steps = watch([[car()], [car()], *[[] for _ in range(30)]], is_quiet=True)
    assert [place.still_s for place in steps[-1].places] == [62.0]
    assert not any(one.ended for one in steps)


def test_one_slip_of_the_detector_opens_nothing() -> None:
    """A single sighting opens no place, however quiet the pixels are."""
    steps = watch([[car()], *[[] for _ in range(8)]], is_quiet=True)
    assert not any(one.opened for one in steps)


def test_somebody_who_passes_before_it_does_not_end_it() -> None:
    """Hidden for some seconds, the place keeps its id and since, and its age goes on when it is seen again."""
    steps = watch([[car()], [car()], [], [], [], [car()]])
    assert not any(one.ended for one in steps)
    assert [place.still_s for place in steps[-1].places] == [10.0]
    assert steps[-1].places[0].place_id == steps[1].places[0].place_id


def test_what_has_gone_is_hidden_and_then_forgotten() -> None:
    """After some pictures without it the place is no longer told of, and then ends."""
    steps = watch([[car()], [car()], *[[] for _ in range(7)]])
    told = [bool(shown(one.places, START + round(2 * n * NS))) for n, one in enumerate(steps)]
    assert told == [False, True, True, False, False, False, False, False, False]
    assert [bool(one.ended) for one in steps] == [False] * 6 + [True, False, False]
    assert not steps[-1].places


def test_a_class_that_flickers_is_the_same_thing() -> None:
    """A van that passes for a truck now and then keeps its place and its first name."""
    steps = watch([[car()], [car(name="truck")], [car()], [car(name="bus")]])
    assert [(place.class_name, place.still_s) for place in steps[-1].places] == [("car", 6.0)]


def test_a_faint_sighting_keeps_a_place_but_begins_none() -> None:
    """At half the score a thing that stands is still believed, a new one is not."""
    assert not watch([[car(score=0.25)], [car(score=0.25)]])[-1].places
    assert [place.still_s for place in watch([[car()], [car(score=0.25)], [car(score=0.25)]])[-1].places] == [4.0]


def test_a_gap_that_nobody_watched_is_not_counted() -> None:
    """An hour without pictures adds nothing to what stood before and stands after."""
    known = watch([[car()], [car()]])[-1].places
    later = step(known, [car()], moment(3_600), lambda _box: False)
    assert [place.still_s for place in later.places] == [2.0]


def test_an_unchanged_picture_ages_what_was_seen() -> None:
    """Where nothing has changed, what stood stands on."""
    known = watch([[car()], [car()]])[-1].places
    assert [place.still_s for place in carried(known, moment(5)).places] == [5.0]


@given(
    st.lists(st.tuples(st.floats(0, 20), st.booleans(), st.floats(-3, 3)), min_size=1, max_size=25),
    st.booleans(),
)
def test_age_never_shrinks_nor_outruns_the_clock(pictures: list[tuple[float, bool, float]], is_quiet: bool) -> None:
    """Whatever is seen when, a place's age never goes back, and is at most the time since it began."""
    known: tuple[Place, ...] = ()
    at_s = 0.0
    for number, (gap_s, is_seen, jitter) in enumerate(pictures):
        at_s += gap_s
        before = {place.place_id: place.still_s for place in known}
        known = step(known, [car(moved(jitter))] if is_seen else [], moment(at_s, number), lambda _box: is_quiet).places
        for place in known:
            assert place.still_s >= before.get(place.place_id, 0.0)
            assert place.still_s <= (START + round(at_s * NS) - place.since_ns) / NS + 1e-6
        assert len({place.place_id for place in known}) == len(known)


@pytest.mark.parametrize("back_s", [1, 100])
def test_a_clock_that_goes_back_adds_nothing(back_s: float) -> None:
    """A picture from before the last one leaves every age as it is."""
    known = watch([[car()], [car()]])[-1].places
    assert [place.still_s for place in step(known, [car()], moment(2 - back_s), lambda _box: False).places] == [2.0]
