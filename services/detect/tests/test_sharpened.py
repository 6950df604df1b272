"""Pictures that a moving camera blurred: what is told of the motion, and that people in them are found."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lamplight_detect.bootstrap import local
from lamplight_detect.canary.expected import expected
from lamplight_detect.change import small_luma
from lamplight_detect.decode import decode_still
from lamplight_detect.detections import Detections
from lamplight_detect.gate import Policy, Recent, View
from lamplight_detect.gate.poses import MOST_PX, Turns, reduced
from lamplight_detect.gate.sharpened import Blur, blur_of, sharpened
from lamplight_detect.testing import Room, SaidFinder
from lamplight_models import default_folder, missing
from numpy.typing import NDArray

POLICY = Policy()
SIDE = 65
NO_MODELS = bool(missing(default_folder(os.environ)))


def moved(bgr: NDArray[np.uint8], blur: Blur) -> NDArray[np.uint8]:
    """Return the picture as a camera takes it that moves so."""
    return cv2.filter2D(bgr, -1, blur.spread(SIDE), borderType=cv2.BORDER_REFLECT).astype(np.uint8, copy=False)


def day() -> NDArray[np.uint8]:
    """Return the canary's street [480, 640, 3]."""
    return decode_still(expected()[0].data)


@settings(max_examples=20, deadline=None)
@given(st.integers(6, 24), st.floats(0, np.pi, exclude_max=True))
def test_how_the_camera_moved_is_told(length: int, angle: float) -> None:
    """To the pixel, whatever its direction; and the sharpened picture is nearer to the one before the motion."""
    blur = Blur(round(length * np.cos(angle)), round(length * np.sin(angle)))
    taken = moved(day(), blur)
    told = blur_of(taken, POLICY)
    assert told is not None
    assert told in {blur, Blur(-blur.right_px, -blur.down_px)}
    assert _far(sharpened(taken, told, POLICY), day()) < 0.9 * _far(taken, day())


def _far(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    inner = slice(2 * SIDE, -2 * SIDE)
    return float(np.abs(one.astype(float) - other)[inner, inner].mean())


def test_a_picture_that_did_not_move_is_left_as_it_is() -> None:
    """Neither are those of one level or too small to tell."""
    assert blur_of(day(), POLICY) is None
    assert blur_of(np.full((240, 320, 3), 90, np.uint8), POLICY) is None
    assert blur_of(moved(day(), Blur(9, 0))[:60], POLICY) is None


@dataclass
class Counting(SaidFinder):
    """A finder that keeps the sizes of what it was shown."""

    shown_hw: list[tuple[int, ...]] = field(default_factory=list)

    def find(self, picture: NDArray[np.uint8], at_least: float) -> Detections:
        """Keep the size and say what it says."""
        self.shown_hw.append(picture.shape[:2])
        return super().find(picture, at_least)


def test_what_moved_is_searched_once_more(room: Room) -> None:
    """As a whole and in tiles; what came as it was is not."""
    things = Counting(room.things.manifest)
    room.gate.things = things
    calls = []
    for bgr in (day(), moved(day(), Blur(9, 0))):
        things.shown_hw.clear()
        view = View(bgr, small_luma(bgr), 0)
        room.gate.release_still(view, room.gate.look(view))
        calls.append(len(things.shown_hw))
    assert calls[1] >= calls[0] + 5


@pytest.mark.parametrize(("share", "is_sharpened"), [(0.0, True), (0.4, True), (0.6, False), (1.0, False)])
def test_what_moved_is_sharpened_unless_the_ground_vouches_for_half_of_it(
    room: Room, monkeypatch: pytest.MonkeyPatch, share: float, *, is_sharpened: bool
) -> None:
    """A camera that shakes has a valid ground, which vouches for little of what it shows then."""
    asked: list[int] = []
    monkeypatch.setattr("lamplight_detect.gate.searcher.blur_of", lambda *_: asked.append(1))
    bgr = day()
    view = View(bgr, small_luma(bgr), 0)
    vouched = np.zeros(view.luma.shape, np.bool_)
    vouched[: round(share * len(vouched))] = True
    recent = Recent(unexplained=~vouched, vouched=vouched, is_spared=True, turns=Turns(pictures=1))
    room.gate.search(view, room.gate.look(view), recent)
    assert bool(asked) == is_sharpened


@pytest.mark.parametrize("turns", [0, 1])
def test_a_large_picture_is_sharpened_smaller(turns: int) -> None:
    """What is found in it comes back in the pixels of the picture."""
    hw = 3000, 4000
    pose = reduced(turns, hw)
    assert pose.size_hw is not None
    assert pose.size_hw[0] * pose.size_hw[1] == pytest.approx(MOST_PX, rel=0.01)
    whole = np.array([[0, 0, pose.size_hw[1], pose.size_hw[0]]], np.float32)
    assert pose.back(whole, hw) == pytest.approx(np.array([[0, 0, 4000, 3000]]), abs=1)


@pytest.mark.models
@pytest.mark.skipif(NO_MODELS, reason="the models are not ready: run `make models`")
@pytest.mark.parametrize("blur", [Blur(9, 0), Blur(9, 6)])
def test_somebody_of_16_px_in_motion_is_masked(blur: Blur) -> None:
    """The canary's people, by the default models; without the sharpened look the smallest is missed."""
    gate = local().redactor.gate
    bgr = moved(day(), blur)
    view = View(bgr, small_luma(bgr), 0)
    shares = []
    for policy in (POLICY, replace(POLICY, blur_sure=np.inf)):
        gate.policy = policy
        mask = gate.release_still(view, gate.look(view)).picture.mask
        boxes = [np.rint(one.box_xyxy).astype(int) for one in expected()[0].people]
        shares.append([mask[top:bottom, left:right].mean() for left, top, right, bottom in boxes])
    assert min(shares[0]) > 0.9
    assert min(shares[1]) < 0.9
