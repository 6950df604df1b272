"""The change filter sees what changed, and no noise."""

from __future__ import annotations

import numpy as np
import pytest
from lamplight_detect.change import is_changed, small_luma
from numpy.typing import NDArray

Bgr = NDArray[np.uint8]


def street(seed: int) -> Bgr:
    """Draw a scene of blocks and gradients, another for each seed."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 255, (12, 16, 3)).astype(np.uint8)
    return np.kron(blocks, np.ones((30, 40, 1), np.uint8))


def noisy(picture: Bgr, sigma: float, seed: int) -> Bgr:
    """Add a sensor's noise."""
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def changed(now: Bgr, before: Bgr) -> bool:
    """Ask the filter."""
    return is_changed(small_luma(now), small_luma(before))


@pytest.mark.parametrize("sigma", [0.0, 2.0, 6.0, 12.0])
def test_noise_is_no_change(sigma: float) -> None:
    """The same scene with new noise, as strong as a camera's at night, is the same."""
    assert not changed(noisy(street(1), sigma, 1), noisy(street(1), sigma, 2))


def test_a_common_brightening_is_no_change() -> None:
    """Automatic exposure that lifts all pixels alike is no change."""
    dim = (street(1) * 0.5 + 20).astype(np.uint8)
    assert not changed((dim + 12).astype(np.uint8), dim)


@pytest.mark.parametrize("share", [0.0, 0.04, 0.3])
def test_a_covered_lens_is_a_change(share: float) -> None:
    """A picture that goes dark has changed, however dark it goes."""
    assert changed((street(1) * share).astype(np.uint8), street(1))


@pytest.mark.parametrize("seed", range(2, 6))
def test_another_scene_is_a_change(seed: int) -> None:
    """Where everything differs, everything has changed: nothing is noise then."""
    assert changed(street(seed), street(1))


def test_a_small_person_is_a_change() -> None:
    """Something 20 pixels tall and 8 wide that was not there is seen."""
    with_it = street(1)
    with_it[200:220, 300:308] = 255 - with_it[200:220, 300:308]
    assert changed(with_it, street(1))


def test_the_first_picture_and_another_size_are_changes() -> None:
    """Without anything to compare with, a picture is worth a look."""
    assert is_changed(small_luma(street(1)), None)
    assert changed(street(1)[:-40], street(1))
