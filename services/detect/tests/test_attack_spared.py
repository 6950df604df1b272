"""Attacks on what a valid ground spares: nobody is shown because the ground vouches for them, or forgets them."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
import pytest
from lamplight.camera.v1 import camera_pb2
from lamplight_detect.background import Ground
from lamplight_detect.change import small_luma
from lamplight_detect.testing import Room
from numpy.typing import NDArray
from test_background import (
    BOX,
    CAMERA,
    HW,
    NS,
    PERSON,
    START,
    Street,
    Watcher,
    frame,
    is_red,
    learn,
    scene_of,
    shown,
    street,
    told,
    with_block,
)
from test_background import watcher as watcher  # noqa: PLC0414 - a fixture
from test_spared import Tiled

SMALL = (60, 40, 72, 70)
SELDOM = camera_pb2.Camera(
    id="cam", sampling=camera_pb2.Sampling(min_gap_s=2, max_gap_s=30), evidence_every_s=120, retention_days=1
)


class Close(Tiled):
    """Finds in tiles alone whoever wears even numbers."""

    margin_px: ClassVar[float] = 2.0

    def is_there(self, picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return which pixels are somebody's."""
        return worn(picture)


@pytest.fixture
def close(room: Room) -> Close:
    """A room whose tiles find whom the whole picture misses."""
    finder = Close(room.things.manifest, HW)
    room.looks_with(finder)
    return finder


def worn(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where every channel of every pixel near is even, as no sensor's noise is."""
    even = (picture % 2 == 0).all(axis=2)
    return cv2.erode(even.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0).astype(np.bool_)


def dressed(picture: Street, by: tuple[int, int, int]) -> Street:
    """Return the picture with somebody in it who differs from the place `by` so much in blue, green and red."""
    left, top, right, bottom = SMALL
    part = picture[top:bottom, left:right].astype(int) + by
    picture[top:bottom, left:right] = np.clip(part, 0, 255) // 2 * 2
    return picture


def differs(picture: Street, empty: Street, least: float) -> bool:
    """Tell whether somebody shows where they stand: neither a mask nor the place without them."""
    left, top, right, bottom = SMALL
    inner = slice(top + 4, bottom - 4), slice(left + 3, right - 3)
    part, place = picture[inner].astype(float), empty[inner].astype(float)
    is_mask = np.abs(part - 127).mean() < 12
    return not is_mask and float(np.abs(part - place).mean(axis=(0, 1)).max()) > least


@pytest.mark.parametrize("by", [10, 12, -12])
def test_who_stands_is_not_learnt_into_what_vouches(room: Room, close: Close, by: int) -> None:
    """A coat nearly as bright as the wall, found in tiles alone, by a camera that seldom shows a picture."""
    number = learn(room, 480)
    room.store.pictures.clear()
    for later in range(number, number + 120):
        room.detector.handle(frame(later, dressed(street(later), (by, by, by))), SELDOM)
    left = list(shown(room))
    assert len(left) >= 4
    assert not any(differs(one, street(0), 6) for one in left)


def test_a_colour_is_seen_as_a_brightness_is(room: Room, close: Close) -> None:
    """Red on grey of the same brightness is not vouched for."""
    number = learn(room, 480)
    room.store.pictures.clear()
    for later in range(number, number + 60):
        told(room, later, dressed(street(later), (-40, -18, 50)))
    left = list(shown(room))
    assert len(left) >= 8
    assert not any(differs(one, street(0), 15) for one in left)


def test_a_surprise_does_not_end_what_the_ground_is_for(room: Room, watcher: Watcher) -> None:
    """Much is found at once where the ground vouched; who comes afterwards unseen is masked as before."""
    number = learn(room, 480)
    watcher.said = [("person", (100.0, 10.0, 155.0, 80.0), 0.5)]
    told(room, number, with_block(street(number), (2, 2, 10, 10)))
    watcher.said = []
    ground = scene_of(room).ground
    assert ground is not None
    assert (ground.doubt_min > 0).mean() > 0.1
    assert ground.is_valid
    room.detector.flush("cam")
    room.store.pictures.clear()
    for later in range(number + 1, number + 40):
        told(room, later, with_block(street(later)))
    assert list(shown(room))
    assert not any(is_red(one) for one in shown(room))


@pytest.mark.parametrize("before", [2, 3])
@pytest.mark.parametrize("face", [(20, 20, 140), (250, 250, 250)])
def test_who_only_turns_round_has_not_left(
    room: Room, watcher: Watcher, before: int, face: tuple[int, int, int]
) -> None:
    """Found as they come, missed as they sit down; then their coat or a lit screen shows another brightness."""
    number = learn(room, before)
    watcher.said = [("person", BOX, 0.5)]
    for later in range(number, number + 4):
        told(room, later, with_block(street(later)))
    watcher.said = []
    for later in range(number + 4, number + 40):
        sat = with_block(street(later))
        told(room, later, with_block(sat, (64, 60, 76, 72), face) if later > number + 5 else sat)
    assert len(list(shown(room))) >= 6
    assert not any(is_red(one) for one in shown(room))


def test_who_walks_up_and_turns_round_has_not_left(room: Room, watcher: Watcher) -> None:
    """Each cell that they come into lay in the margin of the box that they had in the picture before."""
    number = learn(room, 2)
    for step in range(8):
        left = 32 + 4 * step
        watcher.said = [("person", (float(left), 40.0, left + 20.0, 90.0), 0.5)]
        told(room, number + step, with_block(street(number + step), (left, 40, left + 20, 90)))
    watcher.said = []
    for later in range(number + 8, number + 44):
        sat = with_block(street(later))
        told(room, later, with_block(sat, (64, 60, 80, 76), (20, 20, 140)) if later > number + 9 else sat)
    assert len(list(shown(room))) >= 6
    assert not any(is_red(one) for one in shown(room))


@pytest.mark.parametrize("pictures", [30, 480])
@pytest.mark.parametrize("gap_s", [4, 12, 30])
def test_a_source_that_repeats_its_picture_shows_nobody(
    room: Room, watcher: Watcher, pictures: int, gap_s: int
) -> None:
    """Who stands masked in it, of whom no model knows, is masked each time that it comes again."""
    number = learn(room, pictures)
    watcher.said = [("person", BOX, 0.5)]
    told(room, number, with_block(street(number)))
    watcher.said = []
    told(room, number + 1, with_block(street(number + 1)))
    room.detector.flush("cam")
    room.store.pictures.clear()
    for again in range(20):
        one = frame(number + 2 + again, with_block(street(number + 2)))
        one.at_ns = START + ((number + 2) * 4 + again * gap_s) * NS
        one.same_as_before = again > 0
        room.detector.handle(one, CAMERA)
    assert len(list(shown(room))) >= 3
    assert not any(is_red(one) for one in shown(room))


def test_what_ran_through_a_picture_is_masked_when_it_comes_again(room: Room, watcher: Watcher) -> None:
    """Motion alone showed somebody in the picture that the source then repeats."""
    number = learn(room, 30)
    room.detector.flush("cam")
    room.store.pictures.clear()
    for again in range(30):
        one = frame(number + again, with_block(street(number)))
        one.same_as_before = again > 0
        room.detector.handle(one, CAMERA)
    assert len(list(shown(room))) >= 3
    assert not any(is_red(one) for one in shown(room))
    assert len(room.detector.cameras["cam"].known.recent.samples) < 8


def test_lamps_in_a_dark_picture_do_not_make_it_day(room: Room, close: Close) -> None:
    """By night a lit window is a tenth of the picture; a dark coat differs by a few levels from a dark wall."""

    def night(number: int) -> Street:
        dim = (street(number) * (0.25, 0.32, 0.4)).astype(np.uint8)
        dim[:, :16] = 200 + street(number)[:, :16] // 8
        return dim

    for number in (*range(0, 480, 7), *range(480, 490)):
        told(room, number, night(number))
    assert scene_of(room).is_valid
    room.store.pictures.clear()
    for later in range(490, 540):
        told(room, later, dressed(night(later), (-7, -7, -7)))
    left = list(shown(room))
    assert len(left) >= 6
    assert not any(differs(one, night(0), 3) for one in left)


def test_a_ground_follows_what_has_been_so_for_half_an_hour() -> None:
    """A wall that is nearly as it was, and stays so, is the ground by then; not before."""
    ground = Ground.empty(small_luma(street(0)), HW, START)
    everywhere = np.ones(HW, np.bool_)

    def learnt(ground: Ground, minutes: range, by: int) -> Ground:
        for minute in minutes:
            picture = street(minute % 7)
            picture[40:90, 60:100] = np.clip(picture[40:90, 60:100].astype(int) + by, 0, 255)
            ground = ground.learnt(picture, small_luma(picture), everywhere, START + minute * 60 * NS)
        return ground

    def vouches(ground: Ground) -> bool:
        picture = street(3)
        picture[40:90, 60:100] += 13
        return bool(ground.compared(picture, small_luma(picture))[1][45:85, 65:95].all())

    ground = learnt(ground, range(40), 0)
    assert ground.is_valid
    soon = learnt(ground, range(40, 68), 13)
    assert soon.is_valid
    assert not vouches(soon)
    assert vouches(learnt(soon, range(68, 100), 13))
    assert PERSON[0] < HW[1]
