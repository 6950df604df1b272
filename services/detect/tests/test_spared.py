"""What a valid ground spares: no closer look where nobody can have come, all of it where anything has."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lamplight_detect.background import Scene
from lamplight_detect.background.cells import surprises
from lamplight_detect.change import small_luma
from lamplight_detect.detections import Detections
from lamplight_detect.gate import Policy, Recent, View
from lamplight_detect.gate.motion import come, moving
from lamplight_detect.gate.poses import UPRIGHT, Pose
from lamplight_detect.gate.spared import needed, spared, windows
from lamplight_detect.gate.tiling import planned
from lamplight_detect.testing import Room, detections, noise
from numpy.typing import NDArray
from test_background import BOX, HW, PERSON, Watcher, learn, scene_of, shown, street, told, watcher, with_block

__all__ = ["watcher"]
FRAME_HW, SMALL_HW = (360, 640), (180, 320)
POLICY = Policy()
PATCH = st.tuples(st.integers(0, 178), st.integers(0, 318), st.integers(2, 60), st.integers(2, 60))


def vouched_but(top: int, left: int, height: int, width: int) -> NDArray[np.bool_]:
    """Return a small copy that is vouched for but in one box."""
    vouched = np.ones(SMALL_HW, np.bool_)
    vouched[top : top + height, left : left + width] = False
    return vouched


@settings(max_examples=200, deadline=None)
@given(PATCH)
def test_every_tile_that_touches_what_has_come_is_searched(patch: tuple[int, int, int, int]) -> None:
    """The tiles that stay cover all that is not vouched for; they are as large as those of a full search."""
    vouched = vouched_but(*patch)
    plan = planned(FRAME_HW, (416, 416), POLICY, POLICY.most_tiles)
    tiles, stay = plan.tiles(), needed(plan, vouched, POLICY)
    doubted = np.kron(~vouched, np.ones((2, 2), np.bool_))
    covered = np.zeros(FRAME_HW, np.bool_)
    for tile in stay:
        covered[tile] = True
    assert covered[doubted].all()
    assert len(stay) <= sum(bool(doubted[tile].any()) for tile in tiles)
    assert {(tile[0].stop - tile[0].start, tile[1].stop - tile[1].start) for tile in stay} == {
        (tile[0].stop - tile[0].start, tile[1].stop - tile[1].start) for tile in tiles[:1]
    }
    assert needed(plan, None, POLICY) == tiles


def test_who_comes_alone_is_searched_in_one_tile() -> None:
    """Wherever they are, also where the tiles of a full search overlap; two far apart in two."""
    plan = planned(FRAME_HW, (416, 416), POLICY, POLICY.most_tiles)
    for top, left in ((0, 0), (80, 150), (85, 100), (150, 290)):
        assert len(needed(plan, vouched_but(top, left, 30, 20), POLICY)) == 1
    assert len(needed(plan, vouched_but(0, 0, 30, 20) & vouched_but(150, 290, 30, 20), POLICY)) == 2


@settings(max_examples=200, deadline=None)
@given(st.lists(PATCH, max_size=3), st.sampled_from([FRAME_HW, (361, 637), (720, 1280), (100, 320)]))
def test_faces_are_looked_for_around_all_that_has_come(
    patches: list[tuple[int, int, int, int]], frame_hw: tuple[int, int]
) -> None:
    """The windows hold all that is not vouched for with its margin, and are not larger together than half a picture."""
    vouched = np.logical_and.reduce([np.ones(SMALL_HW, np.bool_), *(vouched_but(*patch) for patch in patches)])
    parts = windows(vouched, frame_hw, POLICY)
    if parts is None:
        return
    held = np.zeros(frame_hw, np.bool_)
    for part in parts:
        assert part[0].stop <= frame_hw[0]
        assert part[1].stop <= frame_hw[1]
        held[part] = True
    rows, columns = np.nonzero(~vouched)
    for row, column in zip(rows, columns, strict=True):
        for by in (-POLICY.window_margin_px, 0, POLICY.window_margin_px):
            down = min(max(row + by, 0), SMALL_HW[0] - 1) * frame_hw[0] // SMALL_HW[0]
            across = min(max(column + by, 0), SMALL_HW[1] - 1) * frame_hw[1] // SMALL_HW[1]
            assert held[down, across]
    assert held.mean() <= POLICY.windows_most_share


def test_what_costs_as_much_in_parts_is_searched_whole() -> None:
    """Where something has come nearly everywhere, the picture is searched for faces as a whole; nowhere, not at all."""
    assert windows(~vouched_but(0, 0, 20, 20), FRAME_HW, POLICY) is None
    assert windows(np.ones(SMALL_HW, np.bool_), FRAME_HW, POLICY) == []


def test_only_pictures_that_a_ground_vouches_for_are_spared() -> None:
    """None without a valid ground, of another size, in large pictures, and in one of sixteen."""
    vouched = np.ones(SMALL_HW, np.bool_)
    recent = Recent(turns=UPRIGHT, vouched=vouched, is_spared=True)
    assert spared(recent, FRAME_HW, SMALL_HW, POLICY) is vouched
    assert spared(recent, (1080, 1920), SMALL_HW, POLICY) is None
    assert spared(recent, FRAME_HW, (90, 160), POLICY) is None
    assert spared(Recent(turns=UPRIGHT, vouched=vouched), FRAME_HW, SMALL_HW, POLICY) is None
    assert spared(Recent(turns=UPRIGHT), FRAME_HW, SMALL_HW, POLICY) is None
    turns, full = UPRIGHT, 0
    for _ in range(64):
        turns = turns.after({0: 0.0})
        full += spared(Recent(turns=turns, vouched=vouched, is_spared=True), FRAME_HW, SMALL_HW, POLICY) is None
    assert full == 64 // POLICY.full_every


@pytest.mark.parametrize("light", [1.0, 0.4])
def test_nothing_is_spared_in_the_dark(room: Room, light: float) -> None:
    """There 8 grey levels are much of what somebody differs by."""
    bgr = (noise(1, FRAME_HW) * light).astype(np.uint8)
    view = View(bgr, small_luma(bgr), 0)
    recent = Recent(turns=UPRIGHT, vouched=np.ones(view.luma.shape, np.bool_), is_spared=True)
    room.gate.search(view, room.gate.look(view), recent)
    assert bool(room.faces.calls) == (light < 1)


@pytest.mark.parametrize("turns", range(4))
def test_a_small_mask_turns_as_its_picture_does(turns: int) -> None:
    """What is vouched for in a camera that hangs on its side lies where its picture shows it."""
    mask = np.random.default_rng(turns).random((45, 80)) < 0.5
    picture = np.repeat(mask[..., None], 3, axis=2).astype(np.uint8)
    turned = Pose(turns).turned(mask)
    assert turned is not None
    assert np.array_equal(turned, Pose(turns).shown(picture)[..., 0] > 0)


def test_a_surprise_is_somebody_where_nothing_has_come() -> None:
    """Only those parts of what was found hang together of which nearly all is vouched for."""
    people = np.zeros((40, 60), np.bool_)
    people[5:15, 5:12] = people[20:35, 30:40] = True
    vouched = np.ones_like(people)
    vouched[22:30, 32:36] = False
    found = surprises(people, vouched)
    assert found[5:15, 5:12].all()
    assert found.sum() == 70


class Tiled(Watcher):
    """Finds in tiles alone whoever `is_there`: who is too small for the whole picture."""

    margin_px: ClassVar[float] = 0.0

    def is_there(self, picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return which pixels are somebody's: what is red."""
        found: NDArray[np.bool_] = (picture[..., 2] > 200) & (picture[..., 0] < 90)
        return found

    def find(self, picture: NDArray[np.uint8], at_least: float) -> Detections:
        """Say it."""
        if picture.shape[:2] in {HW, (416, 416)}:
            return super().find(picture, at_least)
        self.calls.append(picture.shape)
        rows, columns = np.nonzero(self.is_there(picture))
        if not len(rows):
            return Detections.none()
        low, high = -self.margin_px, 1 + self.margin_px
        box = columns.min() + low, rows.min() + low, columns.max() + high, rows.max() + high
        return detections(self.manifest, [("person", box, 0.5)]).at_least(at_least)


@pytest.fixture
def tiled(room: Room) -> Tiled:
    """A room whose tiles find whom the whole picture misses."""
    finder = Tiled(room.things.manifest, HW)
    room.looks_with(finder)
    return finder


def test_an_empty_street_is_searched_as_a_whole_alone(room: Room, watcher: Watcher) -> None:
    """Once its ground is valid, no tile and no face is searched but in one picture of sixteen that leave."""
    number = learn(room, 480)
    watcher.calls.clear()
    room.faces.calls.clear()
    room.store.pictures.clear()
    learn(room, 80, number)
    pictures = len(list(shown(room)))
    assert pictures > 12
    assert 0 < len([shape for shape in watcher.calls if shape[:2] != HW]) <= 4 * (1 + pictures // 16)
    assert len(room.faces.calls) <= 1 + pictures // 16


def test_who_comes_is_searched_closely(room: Room, tiled: Tiled) -> None:
    """From the picture on that they come in, and filled as somebody whom a tile found."""
    number = learn(room, 480)
    room.store.pictures.clear()
    tiled.calls.clear()
    for later in range(number, number + 12):
        left = 20 + 5 * (later - number)
        told(room, later, with_block(street(later), (left, 40, left + 12, 70)))
    assert any(shape[:2] not in {HW, (416, 416)} for shape in tiled.calls)
    ground = street(0).astype(int)
    assert len(room.store.pictures) >= 2
    for picture in shown(room):
        assert not ((picture[..., 2] > 160) & (picture[..., 0] < 120)).any()
        assert np.abs(picture[44:66, 20:90].astype(int) - ground[44:66, 20:90]).mean() < 12


def test_who_was_learnt_into_the_ground_is_not_filled_with_themselves(room: Room, watcher: Watcher) -> None:
    """Found at last where the ground vouches that nobody has come: it fills nothing there for half an hour."""
    for number in range(0, 480, 7):  # in half an hour, at gaps that count as watched
        told(room, number, with_block(street(number)))
    ground = scene_of(room).ground
    assert ground is not None
    left, top, right, bottom = PERSON
    assert ground.ripe[top:bottom, left:right].all()
    watcher.said = [("person", BOX, 0.5)]
    told(room, number + 1, with_block(street(number + 1)))
    ground = scene_of(room).ground
    assert ground is not None
    assert not ground.may_fill[top:bottom, left:right].any()
    assert ground.ripe[top:bottom, left:right].all()
    assert ground.may_fill.mean() > 0.8
    now = street(number + 2)
    assert not ground.compared(now, small_luma(now))[1][top:bottom, left:right].any()


def test_a_fault_in_a_part_closes_the_gate_as_in_the_whole(room: Room) -> None:
    """Boxes beyond the picture, found in a window, are no faces."""
    bgr = noise(1, FRAME_HW)
    view = View(bgr, np.zeros(SMALL_HW, np.uint8), 0)
    recent = Recent(turns=UPRIGHT, vouched=vouched_but(50, 50, 20, 20), is_spared=True)
    room.faces.fault = lambda: (_ for _ in ()).throw(RuntimeError("no"))
    with pytest.raises(Exception, match="RuntimeError in a model"):
        room.gate.search(view, room.gate.look(view), recent)


def walked(scene: Scene) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return what moves as somebody in red walks on, and the part of it that has come."""
    lumas = [small_luma(with_block(street(n), (20 + 30 * n, 40, 40 + 30 * n, 90))) for n in range(3)]
    moved = moving(lumas[2], lumas[:2])
    ground = scene.ground
    assert ground is not None
    return moved, come(moved, ground.compared(with_block(street(2), (80, 40, 100, 90)), lumas[2])[1])


def test_what_somebody_uncovers_is_not_masked_where_a_ground_vouches(room: Room, watcher: Watcher) -> None:
    """Where they were is the ground again; they themselves are masked, whatever of them looks like it."""
    learn(room, 480)
    moved, has_come = walked(scene_of(room))
    assert moved[45:85, 25:35].all()
    assert not has_come[45:85, 25:35].any()
    assert has_come[40:90, 80:100].all()
    assert not (has_come & ~moved).any()
    assert not watcher.said


def test_holes_in_somebody_are_closed() -> None:
    """A coat that looks like the ground behind it, between a head and legs that do not, is masked all the same."""
    moved = np.zeros((60, 80), np.bool_)
    moved[10:40, 20:34] = True
    vouched = np.ones_like(moved)
    vouched[10:18, 20:34] = vouched[25:40, 20:34] = False
    assert np.array_equal(come(moved, vouched), moved)
