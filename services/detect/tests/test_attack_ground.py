"""Attacks on what detect remembers of a scene: nobody who stood masked is shown because something was forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest
from lamplight_detect.background import Light, Scene
from lamplight_detect.change import small_luma
from lamplight_detect.detections import Detections
from lamplight_detect.gate import Recent, Source, View
from lamplight_detect.gate.search import InPose
from lamplight_detect.gate.searcher import Searcher
from lamplight_detect.keeper import Keeper
from lamplight_detect.testing import Room, detections
from numpy.typing import NDArray
from test_background import (
    BOX,
    CAMERA,
    HW,
    NS,
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
from test_keeper import CAMERA as KEPT_CAMERA
from test_keeper import KEY, Grounds, learnt, view
from test_keeper import START as KEPT_NS
from test_keeper import grounds as grounds  # noqa: PLC0414 - a fixture
from test_keeper import keeper as keeper  # noqa: PLC0414 - a fixture

LARGE, WHITE = (8, 8, 60, 116), (230, 230, 230)
PLATE, YELLOW = (64, 70, 76, 78), (0, 230, 230)


def sit(room: Room, watcher: Watcher, pictures: int) -> int:
    """Learn from so many pictures; somebody comes, is found once, and sits masked. Return the next number."""
    number = learn(room, pictures)
    watcher.said = [("person", BOX, 0.5)]
    told(room, number, with_block(street(number)))
    watcher.said = []
    for later in range(number + 1, number + 7):
        told(room, later, with_block(street(later)))
    room.detector.flush("cam")
    assert scene_of(room).stood.unexplained.any()
    room.store.pictures.clear()
    return number + 7


def doubled(picture: Street) -> Street:
    """Return it at twice its size."""
    big: Street = cv2.resize(picture, (HW[1] * 2, HW[0] * 2), interpolation=cv2.INTER_NEAREST).astype(np.uint8)
    return big


def yellow(pictures: Iterator[Street], box: tuple[int, int, int, int]) -> bool:
    """Tell whether a plate shows in `box` of any of them."""
    left, top, right, bottom = box
    parts = [one[top + 1 : bottom - 1, left + 2 : right - 2].astype(int) for one in pictures]
    return any(bool(((part[..., 2] > 180) & (part[..., 0] < 90)).any()) for part in parts)


@pytest.mark.parametrize("pictures", [30, 480])
def test_a_stream_that_changes_its_size_shows_nobody(room: Room, watcher: Watcher, pictures: int) -> None:
    """Adaptive bit rates are no reason to forget who sits there, with a valid ground and without."""
    number = sit(room, watcher, pictures)
    for later in range(number, number + 60):
        told(room, later, doubled(with_block(street(later))))
    large = [one for one in shown(room) if one.shape[0] == 2 * HW[0]]
    assert large
    assert not any(is_red(one, (130, 90, 150, 170)) for one in large)


@pytest.mark.parametrize("pictures", [30, 480])
def test_a_clock_that_is_set_back_shows_nobody(room: Room, watcher: Watcher, pictures: int) -> None:
    """An hour back, and on from there."""
    number = sit(room, watcher, pictures)
    for later in range(number, number + 60):
        one = frame(later, with_block(street(later)))
        one.at_ns -= 3600 * NS
        room.detector.handle(one, CAMERA)
    pictures_left = list(shown(room))
    assert pictures_left
    assert not any(is_red(one) for one in pictures_left)


def test_something_large_beside_them_shows_nobody(room: Room, watcher: Watcher) -> None:
    """A lorry stops beside somebody who sits masked, on a ground that is not valid yet."""
    number = sit(room, watcher, 60)
    for later in range(number, number + 30):
        told(room, later, with_block(with_block(street(later), LARGE, WHITE)))
    assert list(shown(room))
    assert not any(is_red(one) for one in shown(room))


@pytest.mark.parametrize("before", [1, 3])
def test_who_comes_before_anything_is_known_stays_masked(room: Room, watcher: Watcher, before: int) -> None:
    """Found for four pictures right after the start, then missed as they sit down."""
    number = learn(room, before)
    watcher.said = [("person", BOX, 0.5)]
    for later in range(number, number + 4):
        told(room, later, with_block(street(later)))
    watcher.said = []
    for later in range(number + 4, number + 40):
        told(room, later, with_block(street(later)))
    assert not any(is_red(one) for one in shown(room))


def test_who_walks_on_leaves_nothing_masked_behind(room: Room, watcher: Watcher) -> None:
    """A street that people cross from the first picture on is learnt all the same: their trails are not they."""
    learn(room, 2)
    for number in range(2, 40):
        left = 10 + 30 * (number % 5)
        watcher.said = [("person", (float(left), 40.0, left + 20.0, 90.0), 0.5)]
        told(room, number, with_block(street(number), (left, 40, left + 20, 90)))
    watcher.said = []
    for number in range(40, 44):
        told(room, number, street(number))
    scene = scene_of(room)
    assert scene.stood.unexplained.mean() < 0.03  # a corner that looks like them; one of them is 0.05
    assert scene.ground is not None
    assert scene.ground.known.mean() > 0.9


def test_who_comes_during_a_cut_stays_masked(room: Room, watcher: Watcher) -> None:
    """The camera was turned, somebody is found meanwhile, and sits down."""
    number = learn(room, 480)
    room.store.pictures.clear()
    for later in range(number, number + 60):
        watcher.said = [("person", BOX, 0.5)] if number < later < number + 4 else []
        other = np.ascontiguousarray(street(later)[::-1, ::-1])
        told(room, later, with_block(other) if later > number else other)
    assert not any(is_red(one) for one in shown(room))


def test_a_plate_that_the_ground_shows_does_not_fill(room: Room, watcher: Watcher) -> None:
    """A car that was missed while the ground was learnt is seen as soon as somebody before it is filled."""
    number = learn(room, 480)
    ground = scene_of(room).grounds[Light.DAY]
    colour = with_block(ground.colour.copy(), PLATE, YELLOW)
    memory = room.detector.cameras["cam"]
    scene = replace(scene_of(room), grounds={Light.DAY: replace(ground, colour=colour)})
    memory.known = replace(memory.known, scene=scene)
    said = watcher.find

    def find(picture: NDArray[np.uint8], at_least: float) -> Detections:
        if picture.shape[:2] == HW and ((picture[..., 2] > 200) & (picture[..., 1] > 200)).any():
            car = [("car", (50.0, 40.0, 90.0, 90.0), 0.8)]
            return detections(watcher.manifest, car).at_least(at_least)
        return said(picture, at_least)

    watcher.find = find  # type: ignore[method-assign] # sees the car once nobody stands before it
    watcher.said = [("person", BOX, 0.5)]
    room.store.pictures.clear()
    for later in range(number, number + 6):
        told(room, later, with_block(street(later)))
    assert list(shown(room))
    assert not yellow(shown(room), PLATE)


def test_the_band_of_a_standing_car_follows_the_size(room: Room, watcher: Watcher) -> None:
    """The stream doubles its size and the model misses the car in it: its plate stays solid."""
    plate = 118, 88, 132, 94
    watcher.said = [("car", (100.0, 60.0, 150.0, 100.0), 0.7)]

    def with_car(number: int) -> Street:
        return with_block(with_block(street(number), (100, 60, 150, 100), (60, 60, 60)), plate, YELLOW)

    for number in range(20):
        told(room, number, with_car(number))
    room.detector.flush("cam")
    room.store.pictures.clear()
    watcher.said = []
    for number in range(20, 30):
        told(room, number, doubled(with_car(number)))
    large = [one for one in shown(room) if one.shape[0] == 2 * HW[0]]
    assert large
    assert not yellow(iter(large), (236, 176, 264, 188))


def test_live_pictures_that_no_ground_vouches_for_are_searched_twice(
    room: Room, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mirrored as well, each that leaves."""
    mirrored: set[int] = set()
    look = Searcher._second

    def looked(searcher: Searcher, view: View) -> InPose:
        mirrored.add(view.at_ns)
        return look(searcher, view)

    monkeypatch.setattr(Searcher, "_second", looked)
    for number in range(40):
        told(room, number, street(number))
    left = {int(key.rsplit("/", 1)[1]) for key in room.store.pictures}
    assert left
    assert left <= mirrored


def test_nothing_ripens_while_nobody_watches(room: Room, watcher: Watcher) -> None:
    """A camera that was off, or a clock set forward, is no half an hour of sightings."""
    for number in range(24):
        one = frame(number, street(number))
        one.at_ns += 2400 * NS if number >= 12 else 0
        room.detector.handle(one, CAMERA)
    assert scene_of(room).valid_share < 0.9


def test_nobody_is_explained_by_a_silence(room: Room, watcher: Watcher) -> None:
    """Two minutes without pictures are no minute of calm."""
    number = learn(room, 480)
    watcher.close_score = 0.01
    for later in range(number, number + 6):
        one = frame(later, with_block(street(later)))
        one.at_ns += 120 * NS if later >= number + 2 else 0
        room.detector.handle(one, CAMERA)
        if later == number + 1:
            room.detector.flush("cam")
            room.store.pictures.clear()
    assert scene_of(room).stood.unexplained.any()
    assert not any(is_red(one) for one in shown(room))


def test_an_ordinary_picture_is_no_ground(keeper: Keeper, grounds: Grounds, room: Room) -> None:
    """Whoever may write to the store cannot make a picture in which somebody was missed the place without people."""
    sat = with_block(view(3, 0).bgr.copy())
    now = View(sat, small_luma(sat), KEPT_NS)
    released = room.gate.release(now, room.gate.look(now), Recent())
    grounds.held[KEY] = room.sealer.sealed(released.picture, Source("cam", KEPT_NS))
    assert not keeper.taken_up(Scene(), view(90, 200), KEPT_CAMERA).grounds


def test_a_ground_is_of_its_own_light_and_time(keeper: Keeper, grounds: Grounds) -> None:
    """Neither a day's ground under the lamps, nor one that is older than its retention."""
    keeper.keep(learnt(), KEPT_CAMERA, KEPT_NS + 100 * NS)
    kept = grounds.held[KEY]
    late = view(90, 200)
    dim = (late.bgr * 0.3).astype(np.uint8)
    grounds.held = {"7d/cam/lamps": kept}
    assert not keeper.taken_up(Scene(), View(dim, small_luma(dim), late.at_ns), KEPT_CAMERA).grounds
    grounds.held = {KEY: kept}
    assert keeper.taken_up(Scene(), late, KEPT_CAMERA).grounds
    assert not keeper.taken_up(Scene(), view(90, 8 * 86_400), KEPT_CAMERA).grounds


def test_where_a_kept_ground_knows_nothing_all_is_masked_after_a_restart(keeper: Keeper, grounds: Grounds) -> None:
    """A bench on which people are often found: who sat there before is not shown after."""
    scene = learnt()
    ground = scene.grounds[Light.DAY]
    found = ground.found.copy()
    found[50:90, 80:96] = 20
    keeper.keep(replace(scene, grounds={Light.DAY: replace(ground, found=found)}), KEPT_CAMERA, KEPT_NS + 100 * NS)
    now = view(90, 200)
    sat = with_block(now.bgr.copy(), (80, 50, 92, 90))
    seen = keeper.taken_up(Scene(), now, KEPT_CAMERA).seen(View(sat, small_luma(sat), now.at_ns))
    assert seen.scene.is_valid
    assert seen.unexplained is not None
    assert seen.unexplained[56:84, 82:90].all()
