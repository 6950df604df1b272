"""What leaves is bound to what was searched: whoever is too small for the tiles is too small to be told."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lamplight_detect.change import small_luma
from lamplight_detect.gate import Gate, GateClosed, Policy, Recent, Source, View, cut
from lamplight_detect.gate.masks import FILL, leaving, redact
from lamplight_detect.gate.tiling import planned
from lamplight_detect.testing import Room, SaidFinder, noise
from lamplight_kit.seal import verify
from lamplight_models import manifest

INPUT_HW = 416, 416
SIZES = [
    (288, 352),
    (360, 640),
    (480, 640),
    (576, 768),
    (720, 1280),
    (1080, 1920),
    (2160, 3840),
    (4000, 6000),
    (6000, 4000),
    (240, 4000),
]


def smallest_found_px(frame_hw: tuple[int, int], policy: Policy, most_tiles: int) -> float:
    """Return from which height on somebody is `least_model_px` tall in the finest tiles, taken from the tiles alone."""
    plan = planned(frame_hw, INPUT_HW, policy, most_tiles)
    rows, columns = plan.grids[0].tiles()[0]
    tile_hw = rows.stop - rows.start, columns.stop - columns.start
    return policy.least_model_px / min(INPUT_HW[0] / tile_hw[0], INPUT_HW[1] / tile_hw[1])


@pytest.mark.parametrize("frame_hw", SIZES, ids=[f"{width}x{height}" for height, width in SIZES])
@pytest.mark.parametrize("most_tiles", [Policy().most_tiles, Policy().most_still_tiles], ids=["live", "still"])
def test_whoever_is_too_small_to_be_found_is_too_small_to_be_told(frame_hw: tuple[int, int], most_tiles: int) -> None:
    """At each size, live and still: the tallest person whom the tiles may miss is at most 16 px tall in what leaves."""
    policy = Policy()
    plan = planned(frame_hw, INPUT_HW, policy, most_tiles)
    scale = plan.leaving(policy)
    assert 0 < scale <= 1
    assert smallest_found_px(frame_hw, policy, most_tiles) * scale <= 16.0001
    assert plan.grids[0].rows * plan.grids[0].columns <= most_tiles


@pytest.mark.parametrize(
    ("frame_hw", "grid", "is_whole"),
    [
        ((288, 352), (2, 2), True),
        ((360, 640), (2, 3), True),
        ((480, 640), (3, 3), True),
        ((576, 768), (3, 4), True),
        ((1080, 1920), (3, 4), False),
    ],
)
def test_usual_cameras_leave_whole_in_as_few_tiles_as_that_takes(
    frame_hw: tuple[int, int], grid: tuple[int, int], *, is_whole: bool
) -> None:
    """Up to 768x576 a live picture leaves as large as it came."""
    policy = Policy()
    plan = planned(frame_hw, INPUT_HW, policy, policy.most_tiles)
    assert (plan.grids[0].rows, plan.grids[0].columns) == grid
    assert (plan.leaving(policy) == 1) == is_whole


@settings(max_examples=200, deadline=None)
@given(st.integers(16, 6000), st.integers(16, 6000), st.integers(4, 48))
def test_any_picture_is_covered_by_its_tiles(height: int, width: int, most_tiles: int) -> None:
    """Tiles of each grid cover the picture, overlap, and keep the bound, whatever the size and the number."""
    policy = Policy()
    plan = planned((height, width), INPUT_HW, policy, most_tiles)
    assert policy.least_model_px / plan.grids[0].scale(INPUT_HW) * plan.leaving(policy) <= 16.0001
    for grid in plan.grids:
        for side, length in (("row", height), ("column", width)):
            parts = sorted({(part[side == "column"].start, part[side == "column"].stop) for part in grid.tiles()})
            assert parts[0][0] == 0
            assert parts[-1][1] == length
            assert all(before[1] > after[0] for before, after in pairwise(parts))


def test_many_tiles_have_large_ones_besides() -> None:
    """Somebody larger than the overlap of fine tiles, and small in the whole picture, is seen whole in one of 2x2."""
    policy = Policy()
    assert len(planned((4000, 6000), INPUT_HW, policy, policy.most_still_tiles).grids) == 2
    assert len(planned((576, 768), INPUT_HW, policy, policy.most_tiles).grids) == 1


def large(room: Room) -> tuple[Gate, View]:
    """Return a gate and a view of 1600x1200 with somebody in it."""
    finder = SaidFinder(manifest("nanodet"), (1200, 1600))
    finder.said = [("person", (400, 300, 600, 900), 0.6)]
    bgr = noise(3, (1200, 1600))
    return Gate(finder, room.faces, room.gate.policy), View(bgr, small_luma(bgr), 0)


def test_what_leaves_is_as_small_as_the_search_was_coarse(room: Room) -> None:
    """The JPEG, its seal and each region are at the bound size; masks stay solid, the gate's own coordinates whole."""
    gate, view = large(room)
    released = gate.release(view, gate.look(view), Recent())
    picture = released.picture
    assert picture.frame_hw == (1200, 1600)
    assert picture.scale < 1
    sealed = verify(room.sealer.sealed(picture, Source("cam", 5)), room.keys)
    said = sealed.attestation
    shown = cv2.imdecode(np.frombuffer(sealed.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape[:2] == picture.leaving_hw == (said.height_px, said.width_px)
    assert (said.grid_rows, said.grid_columns) == (-(-said.height_px // 16), -(-said.width_px // 16))
    small = leaving(picture)
    left, top, right, bottom = (round(side * picture.scale) for side in (400, 300, 600, 900))
    assert (small.bgr[top:bottom, left:right] == FILL).all()
    assert small.mask[top:bottom, left:right].all()
    assert said.thresholds["least_model_px"] == 24
    assert said.thresholds["most_legible_px"] == 16
    part = cut(picture, np.array([[0, 0, 320, 320]], np.float32), np.zeros((0, 4), np.float32), 320)
    assert max(leaving(part).frame_hw) <= 320 * picture.scale + 1
    shrunk = cut(picture, None, np.zeros((0, 4), np.float32), 100)
    assert leaving(shrunk).frame_hw == shrunk.frame_hw == (75, 100)


def test_a_single_picture_is_searched_finer_and_leaves_larger(room: Room) -> None:
    """Where nobody waits for the next picture, more tiles are searched."""
    gate, view = large(room)
    whole = gate.look(view)
    still, live = gate.release_still(view, whole).picture, gate.release(view, whole, Recent()).picture
    assert still.leaving_hw > live.leaving_hw


@pytest.mark.parametrize("scale", [0.0, -1.0, 1.1, float("nan")])
def test_no_picture_leaves_larger_than_it_came(scale: float) -> None:
    """A scale that is none closes the gate."""
    with pytest.raises(GateClosed, match="size"):
        redact(noise(), {}, None, None, scale)


def test_a_policy_of_one_number_is_the_bound() -> None:
    """A model that finds smaller people lets more leave: the bound follows the number, not the code."""
    frame_hw, most = (1080, 1920), Policy().most_tiles
    coarse, fine = (
        planned(frame_hw, INPUT_HW, policy, most).leaving(policy)
        for policy in (Policy(), replace(Policy(), least_model_px=12.0))
    )
    assert fine == pytest.approx(2 * coarse, rel=0.02)
