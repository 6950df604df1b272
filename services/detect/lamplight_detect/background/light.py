"""Light modes: a camera has one background by day, one by lamplight, one in infrared."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from lamplight_detect.change import Luma

GREY_SHARE = 0.05
"""Mean spread of a pixel's three colours, as a share of the mean level, below which a picture has none: infrared."""
DIM_LUMA = 60.0
"""Median grey level below which lamps light the scene."""
SLACK = 1.25
"""A mode is left only where its bound is passed by so much, so that dusk does not flicker."""
SPARSE = 8


class Light(StrEnum):
    """How a scene is lit."""

    DAY = "day"
    LAMPS = "lamps"
    INFRARED = "infrared"


def light_of(bgr: NDArray[np.uint8], luma: Luma, before: Light | None = None) -> Light:
    """Return how `bgr` [H, W, 3] is lit; `before` is how the picture before it was, which holds near the bounds."""
    part = bgr[::SPARSE, ::SPARSE].astype(np.int16)
    spread = float((part.max(axis=2) - part.min(axis=2)).mean()) / max(1.0, float(part.mean()))
    if spread < GREY_SHARE * (SLACK if before is Light.INFRARED else 1 / SLACK):
        return Light.INFRARED
    dim = DIM_LUMA * (SLACK if before is Light.LAMPS else 1 / SLACK)
    return Light.LAMPS if float(np.median(luma)) < dim else Light.DAY
