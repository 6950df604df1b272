"""Holes that stay solid: in which somebody was found a moment ago; and parts of masks, told within what holds them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lamplight_detect.background import Scene
from lamplight_detect.background.ground import Ground
from lamplight_detect.background.scene import SOLID_S
from lamplight_detect.background.tints import Tints, small_tints
from lamplight_detect.change import small_luma
from lamplight_detect.gate import Backdrop, Policy, View
from lamplight_detect.gate.fill import Hole, _parts, filled, snapped
from lamplight_detect.gate.masks import FILL, _somebodys, rectangle
from lamplight_detect.testing import Room, noise
from numpy.typing import NDArray

POLICY, HW = Policy(), (120, 160)
BOX = (40.0, 30.0, 70.0, 90.0)
NS = 1_000_000_000
Mask = NDArray[np.bool_]


def holes(*boxes: tuple[float, ...]) -> Mask:
    """Return a mask of boxes."""
    mask = np.zeros(HW, np.bool_)
    for left, top, right, bottom in np.array(boxes, int):
        mask[top:bottom, left:right] = True
    return mask


def place(solid: frozenset[tuple[int, ...]] = frozenset()) -> Backdrop:
    """Return a place that may fill everywhere."""
    return Backdrop(noise(3), np.ones(HW, np.bool_), solid=solid)


def fill(room: Room, backdrop: Backdrop, mask: Mask) -> Mask:
    """Return which pixels of the holes are filled."""
    return filled(room.things, np.full((*HW, 3), FILL, np.uint8), mask, backdrop, 0.05, POLICY)


def test_where_somebody_was_found_is_told(room: Room) -> None:
    """By the filled picture or by a closer look; a hole in which nobody is stays out of it, and is filled."""
    room.things.said = [("person", BOX, 0.06)]
    backdrop, mask = place(), holes(BOX, (100, 30, 130, 90))
    assert np.array_equal(fill(room, backdrop, mask), holes((100, 30, 130, 90)))
    assert backdrop.found == {(1, 0, 3, 3)}


def test_a_hole_where_somebody_was_found_of_late_is_not_looked_into(room: Room) -> None:
    """It stays solid though nobody would be found now, and costs no model call; another hole is filled as ever."""
    backdrop = place(frozenset({snapped(np.array([BOX], np.float32))}))
    assert not fill(room, backdrop, holes(BOX)).any()
    assert not room.things.calls
    both = holes(BOX, (100, 30, 130, 90))
    assert np.array_equal(fill(room, backdrop, both), holes((100, 30, 130, 90)))
    assert room.things.calls


@pytest.mark.parametrize(
    ("box", "is_solid"), [((40, 30, 70, 90), True), ((40, 30, 70, 110), True), ((0, 0, 160, 120), False)]
)
def test_a_hole_is_solid_that_lies_largely_where_somebody_was_found(box: tuple[float, ...], *, is_solid: bool) -> None:
    """A hole moves on by some pixels each time; one much larger is looked into anew."""
    assert place(frozenset({(1, 0, 3, 3)})).is_solid(np.array([box], np.float32)) == is_solid
    assert not place().is_solid(np.array([box], np.float32))


def test_what_was_found_is_remembered_for_a_minute() -> None:
    """From then on the hole is looked into again; a clock that is set back makes it no longer than that."""
    picture = noise(1)
    now = View(picture, small_luma(picture), 0)
    scene = Scene(frame_hw=HW).seen(now).scene
    ground = replace(scene.grounds[scene.lit], ripe=np.ones_like(scene.grounds[scene.lit].ripe))
    scene = scene.with_ground(ground)
    backdrop = scene.backdrop()
    assert backdrop is not None
    assert not backdrop.solid
    backdrop.found.add((1, 0, 3, 3))
    scene = scene.filled(backdrop, 5 * NS)
    later = scene.backdrop()
    assert later is not None
    assert later.solid == {(1, 0, 3, 3)}
    assert scene.filled(later, int((4 + SOLID_S) * NS)).solid_ns
    assert not scene.filled(later, int((5 + SOLID_S) * NS)).solid_ns
    assert not scene.filled(None, 4 * NS).solid_ns
    assert scene.moved(-5 * NS).solid_ns == {(1, 0, 3, 3): 0}


SPOTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 60), st.integers(1, 9), st.integers(1, 9)), max_size=9)


@settings(max_examples=200, deadline=None)
@given(SPOTS, SPOTS)
def test_parts_told_within_a_rectangle_are_those_of_all(
    spots: list[tuple[int, int, int, int]], others: list[tuple[int, int, int, int]]
) -> None:
    """Their pixels, boxes and order, and what of them is somebody's."""
    mask, people = np.zeros((60, 71), np.bool_), np.zeros((60, 71), np.bool_)
    for made, given_spots in ((mask, spots), (people, others)):
        for top, left, height, width in given_spots:
            made[top : top + height, left : left + width] = True
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    ranked = sorted(range(1, count), key=lambda label: (-int(stats[label, cv2.CC_STAT_AREA]), label))
    wanted = [label for label in ranked[:8] if stats[label, cv2.CC_STAT_AREA] >= 16]
    parts = _parts(mask)
    assert [_whole(one, mask.shape) for one in parts] == [(labels == label).tobytes() for label in wanted]
    held = np.bincount(labels[people & mask], minlength=count) >= 0.3 * stats[:, cv2.CC_STAT_AREA]
    held[0] = False
    assert np.array_equal(_somebodys(mask, people), people | held[labels])
    outside = mask.copy()
    outside[rectangle(mask)] = False
    assert not outside.any()


def _whole(hole: Hole, shape: tuple[int, ...]) -> bytes:
    mask = np.zeros(shape, np.bool_)
    mask[hole.part] = hole.mask
    rows, columns = np.nonzero(mask)
    assert hole.box_xyxy.tolist() == [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]
    return mask.tobytes()


def test_a_small_colour_copy_goes_with_its_picture() -> None:
    """Nothing is kept of a picture that is gone; the copy of another one stays."""
    tints, ground, picture = Tints(), noise(1), noise(2)
    for use, bgr in (("ground", ground), ("now", picture)):
        tints.of(use, bgr, (60, 80))
    assert set(tints.last) == {"ground", "now"}
    del picture, bgr
    assert set(tints.last) == {"ground"}
    tints.of("ground", noise(3), (60, 80))
    assert not tints.last


def test_a_small_colour_copy_is_made_once_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same picture asked for again is not made again; another one is, also in its place."""
    made: list[int] = []

    def counted(bgr: NDArray[np.uint8], small_hw: tuple[int, ...]) -> NDArray[np.uint8]:
        made.append(1)
        return small_tints(bgr, small_hw)

    monkeypatch.setattr("lamplight_detect.background.tints.small_tints", counted)
    tints, hw = Tints(), (60, 80)
    one, other = noise(1), noise(2)
    for picture, count in ((one, 1), (one, 1), (other, 2), (other.copy(), 3), (one, 4)):
        assert np.array_equal(tints.of("now", picture, hw), small_tints(picture, hw))
        assert len(made) == count
    assert tints.of("now", one, (30, 40)).shape == (2, 30, 40)
    assert Ground.empty(small_luma(one), HW, 0).tints is not Ground.empty(small_luma(one), HW, 0).tints
