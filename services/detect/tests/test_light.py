"""Dark pictures: what the models are shown of them, and that nothing but that is lightened."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lamplight_detect.change import small_luma
from lamplight_detect.detections import Detections
from lamplight_detect.gate import Backdrop, Policy, Recent, View
from lamplight_detect.gate.fill import filled
from lamplight_detect.gate.lightened import Lightening, lightening_of
from lamplight_detect.testing import Room, SaidFinder, noise
from numpy.typing import NDArray

POLICY = Policy()
DIM = Lightening(4.0, POLICY.light_knee)
PERSON = ("person", (40.0, 30.0, 60.0, 90.0), 0.5)


def dusk(seed: int = 0) -> NDArray[np.uint8]:
    """Return a picture with a quarter of its light."""
    return noise(seed) // 4


def view(bgr: NDArray[np.uint8]) -> View:
    """Return the picture as the gate takes it."""
    return View(bgr, small_luma(bgr), 0)


@dataclass
class Seeing(SaidFinder):
    """A finder that keeps all that it was shown."""

    shown: list[NDArray[np.uint8]] = field(default_factory=list)

    def find(self, picture: NDArray[np.uint8], at_least: float) -> Detections:
        """Keep it and say what it says."""
        self.shown.append(picture)
        return super().find(picture, at_least)


def watched(room: Room, policy: Policy) -> tuple[Seeing, Seeing]:
    """Let the room's gate show its pictures to finders that keep them."""
    things, faces = Seeing(room.things.manifest), Seeing(room.faces.manifest)
    room.gate.things, room.gate.faces, room.gate.policy = things, faces, policy
    return things, faces


@given(st.floats(1.0, 6.0), st.floats(100.0, 250.0))
def test_levels_stay_apart_in_their_order(gain: float, knee: float) -> None:
    """Black stays black, white stays white, nothing that is brighter becomes darker, nothing wraps around."""
    levels = Lightening(gain, knee).levels().astype(int)
    assert levels[0] == 0
    assert levels[255] == 255
    assert (np.diff(levels) >= 0).all()
    assert (levels >= np.arange(256) - 1).all()


def test_a_lamp_does_not_burn_out() -> None:
    """Bright levels of a dark picture still differ: somebody may stand there."""
    levels = DIM.levels().astype(int)
    assert len(set(levels[60:])) > 50


def test_the_light_is_told_by_the_picture() -> None:
    """It is brought to the level that it should have; as bright as day is left as it is, to the very array."""
    luma = np.full((90, 120), 35, np.uint8)
    assert lightening_of(luma, POLICY).gain == pytest.approx(POLICY.light_to / 35)
    assert lightening_of(np.zeros((90, 120), np.uint8), POLICY).gain == POLICY.light_most
    bright = np.full((90, 120), round(POLICY.dark_below), np.uint8)
    picture = noise()
    assert lightening_of(bright, POLICY).shown(picture) is picture


def test_one_lamp_makes_no_day() -> None:
    """Few bright pixels do not hide that the rest is dark; half of a picture in the sun is day."""
    luma = np.full((100, 100), 30, np.uint8)
    luma[:4] = 250
    assert lightening_of(luma, POLICY).gain > 4
    luma[:50] = 250
    assert lightening_of(luma, POLICY) == Lightening()


def test_noise_is_not_raised_with_the_light() -> None:
    """What gain does to a sensor's noise is less than the gain."""
    grain = np.clip(np.random.default_rng(0).normal(30, 6, (100, 100, 3)).round(), 0, 255).astype(np.uint8)
    assert DIM.shown(grain).std() < 0.5 * 4 * grain.std()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1)])
def test_any_size_is_lightened(size: tuple[int, int]) -> None:
    """A picture of a pixel, a row or a column too."""
    assert DIM.shown(np.full((*size, 3), 20, np.uint8)).tolist() == np.full((*size, 3), 80).tolist()


def test_every_pass_is_shown_a_dark_picture_lightened(room: Room) -> None:
    """Whole, tiles, mirrored, turned and faces; what leaves is as dark as it came."""
    things, faces = watched(room, replace(POLICY, turned_first=8))
    picture = dusk()
    lit = lightening_of(small_luma(picture), POLICY).shown(picture)
    things.said = [PERSON]
    seen = view(picture.copy())
    released = room.gate.release(seen, room.gate.look(seen), Recent())
    whole, mirrored = (one for one in things.shown if one.shape == picture.shape and _is_of(one, lit))
    assert np.array_equal(whole, lit)
    assert np.array_equal(mirrored, lit[:, ::-1])
    assert len(things.shown) > 8
    assert all(one.mean() > 3 * picture.mean() for one in [*things.shown, *faces.shown])
    shows = ~released.picture.mask
    assert np.array_equal(released.picture.bgr[shows], picture[shows])
    assert released.picture.mask[30:90, 40:60].all()


def _is_of(shown: NDArray[np.uint8], lit: NDArray[np.uint8]) -> bool:
    """Tell whether it is `lit`, or `lit` mirrored."""
    return np.array_equal(shown, lit) or np.array_equal(shown, lit[:, ::-1])


def test_a_bright_picture_is_shown_as_it_is(room: Room) -> None:
    """By day not a copy is made."""
    things, faces = watched(room, POLICY)
    seen = view(noise())
    room.gate.look(seen)
    assert things.shown[0] is seen.bgr
    room.gate.release(seen, room.gate.look(seen), Recent())
    assert faces.shown[0].base is seen.bgr or np.array_equal(faces.shown[0], seen.bgr)


def test_the_first_pass_of_a_dark_picture_is_bound_to_the_picture(room: Room) -> None:
    """What was seen in the lightened picture counts for the one that came, and for no other."""
    seen = view(dusk())
    assert room.gate.look(seen).seen_in is seen.bgr


def test_a_closer_look_is_lightened(room: Room) -> None:
    """Whether somebody may be in what has stopped is asked of the lightened picture."""
    things, _ = watched(room, POLICY)
    seen = view(dusk())
    room.gate.is_anyone(seen, np.array([[40, 30, 60, 90]], np.float32))
    dark_mean = seen.bgr[20:100, 30:70].mean()
    assert all(one[:80, :40].mean() > 3 * dark_mean for one in things.shown)


def test_what_fills_a_dark_picture_is_searched_lightened(room: Room) -> None:
    """The filled picture and the place that fills it are both shown in the place's light."""
    things, _ = watched(room, POLICY)
    place, redacted = dusk(1), dusk(1)
    holes = np.zeros(place.shape[:2], np.bool_)
    holes[30:90, 40:60] = True
    redacted[holes] = 127
    backdrop = Backdrop(place, np.ones(place.shape[:2], np.bool_))
    assert np.array_equal(filled(things, redacted, holes, backdrop, 0.05, POLICY), holes)
    assert np.array_equal(things.shown[0], lightening_of(small_luma(place), POLICY).shown(place))
    assert all(one[:60, :40].mean() > 3 * place.mean() for one in things.shown[1:])


def test_lightening_is_the_same_each_time_and_of_its_mirror() -> None:
    """The same picture gives the same bytes; mirrored before or after makes no difference."""
    picture = cv2.resize(dusk(3), (77, 51))
    assert np.array_equal(DIM.shown(picture), DIM.shown(picture.copy()))
    assert np.array_equal(DIM.shown(np.ascontiguousarray(picture[:, ::-1])), DIM.shown(picture)[:, ::-1])


def test_the_numbers_are_attested() -> None:
    """Whoever reads a seal can tell how dark pictures were shown."""
    assert {"dark_percentile", "dark_below", "light_to", "light_most", "light_knee"} <= POLICY.numbers().keys()
