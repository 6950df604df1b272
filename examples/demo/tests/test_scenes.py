"""What is drawn looks as it should, the same at every run, and leaves what it is drawn from as it was."""

from __future__ import annotations

import numpy as np
import pytest
from lamplight_demo import scenes
from lamplight_demo.scenes import Picture

HW = (60, 80)
OUTLINE = [(10, 10), (30, 10), (30, 25), (10, 25)]


def street(grey: int = 120) -> Picture:
    """Return a street that is dark above and of one grey below."""
    picture = np.full((*HW, 3), grey, np.uint8)
    picture[:20] = 30
    return picture


def test_what_passes_is_gone_from_the_empty_street() -> None:
    """Something seen in one picture of three is not part of the place."""
    with_car = street()
    with_car[30:40, 20:40] = 250
    assert np.array_equal(scenes.empty_street([street(), with_car, street()]), street())


@pytest.mark.parametrize(("left_px", "top_px"), [(20, 30), (0, 0), (70, 50), (-15, 30), (79, 59)])
def test_a_cut_shows_where_it_is_put_and_is_clipped_at_the_edges(left_px: int, top_px: int) -> None:
    """The cut's middle has its own colour in the scene, and nothing else changes far from it."""
    source = np.full((*HW, 3), 240, np.uint8)
    scene = street()
    made = scenes.paste(scene, scenes.cut_out(source, OUTLINE, feather_px=0.5), left_px, top_px)
    changed = np.abs(made.astype(int) - scene).max(axis=2) > 20
    rows, columns = np.nonzero(changed)
    assert made.shape == scene.shape
    assert len(rows)
    assert rows.min() >= max(0, top_px)
    assert rows.max() <= top_px + 15
    assert columns.min() >= max(0, left_px)
    assert columns.max() <= left_px + 20
    assert np.array_equal(scene, street())


def test_a_cut_wholly_outside_is_not_seen() -> None:
    """A car that has not come yet, or is gone, changes nothing."""
    cut = scenes.cut_out(np.full((*HW, 3), 240, np.uint8), OUTLINE)
    for left_px in (-400, -20, 80, 500):
        assert np.array_equal(scenes.paste(street(), cut, left_px, 30), street())


def test_water_stands_below_its_level_and_mirrors_what_is_above() -> None:
    """The scene above the line is untouched; below it is another at every seed and the same at the same one."""
    scene = street()
    wet = scenes.flooded(scene, 0.5, seed=1)
    assert np.array_equal(wet[:30], scene[:30])
    assert np.abs(wet[45:].astype(int) - scene[45:]).mean() > 5
    assert np.array_equal(wet, scenes.flooded(scene, 0.5, seed=1))
    assert not np.array_equal(wet, scenes.flooded(scene, 0.5, seed=2))


def test_a_covered_lens_is_dark_and_noise_is_small() -> None:
    """Darkness leaves nearly nothing; noise leaves the scene."""
    bright = np.full((*HW, 3), 255, np.uint8)
    assert scenes.dark(bright).max() < 20
    noise = np.abs(scenes.noisy(street(), 3).astype(int) - street())
    assert 0 < noise.mean() < 4
