"""What is told of a picture as a whole: change, darkness, cards."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from lamplight_detect.change import differences, is_changed, small_luma
from lamplight_detect.health import is_card, is_dark, looks_of
from numpy.typing import NDArray


def scene(seed: int = 0, sigma: float = 0) -> NDArray[np.uint8]:
    """Return a made-up scene 360x640, with sensor noise of `sigma` grey levels."""
    coarse = np.random.default_rng(9).integers(60, 190, (45, 80, 3), np.uint8)
    picture = cv2.resize(coarse, (640, 360), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    noisy = picture + np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def card() -> NDArray[np.uint8]:
    """Return an operator's card: one colour and a line of writing."""
    picture = np.full((360, 640, 3), 230, np.uint8)
    cv2.putText(picture, "CAMERA OFFLINE", (90, 190), cv2.FONT_HERSHEY_SIMPLEX, 1.8, (20, 20, 20), 6)
    return picture


@pytest.mark.parametrize("sigma", [0, 4, 10])
def test_noise_is_no_change(sigma: float) -> None:
    """Two pictures of one scene that differ by noise alone count as the same."""
    assert not is_changed(small_luma(scene(1, sigma)), small_luma(scene(2, sigma)))


@pytest.mark.parametrize("step", [-25, 25])
def test_a_change_of_exposure_is_no_change(step: int) -> None:
    """A picture that is brighter or darker all over shows the same scene."""
    brighter = np.clip(scene().astype(int) + step, 0, 255).astype(np.uint8)
    assert not is_changed(small_luma(brighter), small_luma(scene()))


@pytest.mark.parametrize("sigma", [0, 4])
def test_a_small_person_is_a_change(sigma: float) -> None:
    """Somebody 24 pixels tall who steps into a picture 640 wide changes it."""
    before, after = scene(1, sigma), scene(2, sigma)
    after[200:224, 300:309] = 10
    assert is_changed(small_luma(after), small_luma(before))


def test_the_first_picture_and_another_size_are_changes() -> None:
    """Where there is nothing to compare with, the picture is examined."""
    luma = small_luma(scene())
    assert is_changed(luma, None)
    assert is_changed(luma, small_luma(scene()[:180]))
    assert differences(luma, luma).sum() == 0


def test_a_scene_is_neither_dark_nor_a_card() -> None:
    """A scene by day is in good health, in colour and in grey."""
    looks = looks_of(small_luma(scene(1, 2)))
    assert (is_dark(looks), is_card(looks)) == (False, False)


def test_a_card_is_seen() -> None:
    """A drawing, or a picture of one colour, is a card."""
    assert is_card(looks_of(small_luma(card())))
    assert is_card(looks_of(small_luma(np.full((360, 640, 3), 200, np.uint8))))


def test_darkness_is_dark_and_no_card() -> None:
    """A black picture is dark, and not a card as well."""
    looks = looks_of(small_luma((scene(1, 2) // 8).astype(np.uint8)))
    assert (is_dark(looks), is_card(looks)) == (True, False)
