"""The change filter: whether a picture is worth a model, told from small grey copies."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]
"""A small grey copy of a picture [h, w]."""

LUMA_WIDTH_PX = 320
STEP = 14
"""A grey level must differ by this much to count: above the noise of cameras and of JPEG on a smoothed copy."""
NOISE_TIMES = 6.0
NOISE_MOST = 4.0
"""Grey levels of median difference that noise can explain on a smoothed copy; more is another picture, not noise."""
SPARSE = 3
"""Medians are taken of every third pixel each way: they are as good, and cost a ninth."""
CHANGED_PX = 10
"""Pixels of the small copy that must differ: a person 20 pixels tall in a picture 640 wide covers about 40."""


def small_luma(bgr: NDArray[np.uint8]) -> Luma:
    """Return the grey copy of `bgr`, 320 pixels wide (or as wide as the picture), smoothed against noise."""
    height, width = bgr.shape[:2]
    if width > LUMA_WIDTH_PX:
        size = LUMA_WIDTH_PX, max(1, round(height * LUMA_WIDTH_PX / width))
        bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    grey = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    return cv2.GaussianBlur(grey, (3, 3), 0).astype(np.uint8, copy=False)


def differences(now: Luma, before: Luma, step: int = STEP) -> NDArray[np.bool_]:
    """Return which pixels [h, w] differ by more than noise, a common brightening or darkening set aside.

    The step is at least `step` and NOISE_TIMES the median difference, so that a noisy night does not count as change;
    a median difference above NOISE_MOST is no noise, so that a scene that changed altogether does.
    """
    delta = now.astype(np.int16) - before.astype(np.int16)
    off = np.abs(delta - np.int16(np.median(delta[::SPARSE, ::SPARSE])))
    noise = min(float(np.median(off[::SPARSE, ::SPARSE])), NOISE_MOST)
    over: NDArray[np.bool_] = off > max(step, NOISE_TIMES * noise)
    return over


def is_changed(now: Luma, before: Luma | None) -> bool:
    """Tell whether `now` shows something else than `before`; a picture of another size, or the first one, does."""
    if before is None or before.shape != now.shape:
        return True
    return int(differences(now, before).sum()) >= CHANGED_PX
