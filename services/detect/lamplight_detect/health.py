"""What is wrong with a picture as a whole: too dark, or an operator's card (a drawing) instead of a scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lamplight_detect.change import Luma

DARK_P95 = 40
"""Grey level below which 95 % of a dark picture lie."""
CARD_FLAT_SHARE = 0.65
"""Pixels that equal their right and lower neighbours: a card has 0.87, bare asphalt 0.42, any other scene less."""
CARD_EDGE_SHARE = 0.002
EDGE_STEP = 40
"""A card carries writing or a drawing, so some neighbours differ by this much."""
BLANK_FLAT_SHARE = 0.97
"""Nothing at all but one colour."""


@dataclass(frozen=True)
class Looks:
    """The figures that health is told from."""

    p95: float
    flat_share: float
    edge_share: float


def looks_of(luma: Luma) -> Looks:
    """Measure a small grey copy [h, w]."""
    grey = luma.astype(np.int16)
    across, down = np.abs(np.diff(grey, axis=1))[:-1], np.abs(np.diff(grey, axis=0))[:, :-1]
    if across.size == 0:
        return Looks(float(np.percentile(luma, 95)), 1.0, 0.0)
    steps = np.maximum(across, down)
    return Looks(float(np.percentile(luma, 95)), float((steps == 0).mean()), float((steps > EDGE_STEP).mean()))


def is_dark(looks: Looks) -> bool:
    """Tell whether the picture is too dark to tell anything."""
    return looks.p95 < DARK_P95


def is_card(looks: Looks) -> bool:
    """Tell whether the picture is a drawing, or one colour, and not dark."""
    if is_dark(looks):
        return False
    drawn = looks.flat_share >= CARD_FLAT_SHARE and looks.edge_share >= CARD_EDGE_SHARE
    return drawn or looks.flat_share >= BLANK_FLAT_SHARE
