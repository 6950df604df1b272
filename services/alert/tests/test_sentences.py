"""What people read of an alert."""

from __future__ import annotations

from typing import Any

import pytest
from lamplight.alert.v1 import alert_pb2
from lamplight_alert.scopes import ZoneView
from lamplight_alert.sentences import resolved, summary

CLEARED = alert_pb2.Condition.CHANGE_CLEARED


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"car": 4, "person": 2}, "4 cars and 2 people"),
        ({"bus": 2, "bench": 3, "sheep": 2, "traffic light": 2}, "3 benches, 2 buses, 2 sheep and 2 traffic lights"),
        ({"person": 1, "car": 0}, "1 person"),
        ({}, "nothing that is counted"),
    ],
)
def test_counts_are_words_with_plurals(counts: dict[str, int], words: str) -> None:
    """More than one of a class is told by its plural."""
    assert summary("Crowd", "Quay", ZoneView("pier", counts), ["pier"]) == f"Crowd: pier on Quay holds {words}."


@pytest.mark.parametrize(
    ("class_name", "zones", "where"),
    [
        ("umbrella", [], "an umbrella on Quay"),
        ("car", ["pier", "ramp"], "a car in pier and ramp on Quay"),
        ("", ["pier"], "pier on Quay"),
        ("", [], "Quay"),
    ],
)
def test_resolved_says_what_is_over_and_how_long_it_held(class_name: str, zones: list[str], where: str) -> None:
    """Every kind of subject has its sentence, with the reason where there is one."""
    assert resolved("R", "Quay", class_name, zones, 34.2, "gone") == f"R: {where}, over after 34 s in all; gone."
    assert resolved("R", "Quay", class_name, zones, 180, "") == f"R: {where}, over after 3 min in all."


def test_the_time_that_it_was_seen_gone_does_not_count(world: Any) -> None:
    """A rule that held from 0 s to 34 s, and cleared at 38 s, held for 34 s."""
    world.rule("zone", "zone.counts.person > 3", name="Crowd", clear_s=4)
    for at_s in range(0, 34, 2):
        world.feed(world.seen(at_s, zones={"bus_lane": {"person": 5}}))
    assert not world.feed(world.seen(34), world.seen(36))
    (cleared,) = world.feed(world.seen(38))
    assert cleared.change == CLEARED
    assert cleared.summary == ("Crowd: bus_lane on Canal Road underpass, over after 34 s in all; seen gone for 4 s.")


def test_without_a_time_to_clear(world: Any, film: Any) -> None:
    """A rule that clears at once held until then; one that is removed leaves its sentence to the incident."""
    world.rule("thing", "thing.still_s >= 20.0", name="Standing")
    world.feed(world.seen(0, things=[film.car(20)]))
    (cleared,) = world.feed(world.seen(7))
    assert "a car in bus_lane on Canal Road underpass, over after 7 s in all; seen gone." in cleared.summary
    world.feed(world.seen(8, things=[film.car(20)]))
    world.rules.rows.clear()
    (removed,) = world.feed(film.tick(9))
    assert (removed.change, removed.summary) == (CLEARED, "")
