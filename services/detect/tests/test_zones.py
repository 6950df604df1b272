"""Zones and counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lamplight_detect.testing import detections
from lamplight_detect.things import count, sightings
from lamplight_detect.zones import Zone, inside, zones_of
from lamplight_models import manifest

SQUARE = Zone("square", np.array([[0.2, 0.2], [0.6, 0.2], [0.6, 0.6], [0.2, 0.6]]))
L_SHAPE = Zone("l", np.array([[0, 0], [1, 0], [1, 0.5], [0.5, 0.5], [0.5, 1], [0, 1]], np.float64))
HW = (100, 200)
THINGS = manifest("nanodet")


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_square_holds_what_lies_between_its_sides(x: float, y: float) -> None:
    """Away from its edges, a point is in the square just if both of its coordinates are."""
    if min(abs(x - 0.2), abs(x - 0.6), abs(y - 0.2), abs(y - 0.6)) < 1e-9:
        return
    assert inside(np.array([[x, y]]), SQUARE)[0] == (0.2 < x < 0.6 and 0.2 < y < 0.6)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 5))
def test_a_polygon_holds_the_same_whichever_corner_comes_first(x: float, y: float, turn: int) -> None:
    """Neither the first corner nor the direction matters."""
    point = np.array([[x, y]])
    turned = Zone("t", np.roll(L_SHAPE.corners, turn, axis=0))
    if min(abs(x - edge) for edge in (0, 0.5, 1)) < 1e-9 or min(abs(y - edge) for edge in (0, 0.5, 1)) < 1e-9:
        return
    held = bool(inside(point, L_SHAPE)[0])
    assert held == bool(inside(point, turned)[0])
    assert held == bool(inside(point, Zone("r", L_SHAPE.corners[::-1]))[0])
    assert held == (not (x > 0.5 and y > 0.5))


def test_the_foot_point_decides() -> None:
    """A box whose body is over the zone but whose foot is not stands elsewhere."""
    boxes = np.array([[60, 10, 100, 50], [60, 10, 100, 95]], np.float32)
    assert zones_of(boxes, [SQUARE, L_SHAPE], HW) == [("square", "l"), ("l",)]


def test_countable_classes_are_counted_once_by_zone() -> None:
    """People and vehicles count; a van that passes for two classes counts once; a bag and a faint box do not."""
    found = detections(
        THINGS,
        [
            ("person", (60, 10, 70, 50), 0.6),
            ("person", (150, 10, 160, 95), 0.6),
            ("car", (60, 20, 100, 50), 0.7),
            ("truck", (61, 20, 100, 51), 0.5),
            ("backpack", (5, 5, 15, 15), 0.9),
            ("person", (5, 60, 15, 90), 0.1),
        ],
    )
    counted = count(found, THINGS, [SQUARE], HW)
    assert counted.whole == {"person": 2, "car": 1}
    assert counted.zones == {"square": {"person": 1, "car": 1}}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([("handbag", (5, 5, 15, 15), 0.9)], ["handbag"]),
        ([("handbag", (5, 5, 15, 15), 0.9), ("person", (10, 0, 30, 60), 0.3)], []),
        ([("umbrella", (5, 5, 15, 15), 0.9), ("cell phone", (50, 5, 60, 15), 0.9), ("tie", (80, 5, 90, 15), 0.9)], []),
        ([("person", (10, 0, 30, 60), 0.9), ("dog", (80, 5, 90, 15), 0.9)], []),
        ([("bench", (5, 5, 15, 15), 0.25)], ["bench"]),
        ([("bench", (5, 5, 15, 15), 0.1)], []),
    ],
    ids=["bag alone", "bag with somebody", "worn and held", "people and animals", "faint", "too faint"],
)
def test_only_things_apart_from_people_are_seen(
    said: list[tuple[str, tuple[float, float, float, float], float]], expected: list[str]
) -> None:
    """What is worn or held is never a thing, and what may be carried is one only apart from anybody."""
    assert [one.class_name for one in sightings(detections(THINGS, said), THINGS, [], HW)] == expected
