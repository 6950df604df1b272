"""What models are shown of a dark picture: the same one, lightened. They learnt from pictures taken by day.

What leaves, masks, motion and the ground are of the picture as it came.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lamplight_detect.change import Luma
from lamplight_detect.gate.policy import Policy

LEVELS = 256
SMOOTHED_PX = 3
"""Side of the Gaussian that takes a sensor's noise, which gain would raise with the light."""


@dataclass(frozen=True)
class Lightening:
    """By how much a picture is lightened, at least 1: up to the grey level `knee` by `gain`, then slower, up to 255."""

    gain: float = 1.0
    knee: float = 255.0

    def shown(self, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return `bgr` [H, W, 3] lightened and smoothed; itself where nothing is to be lightened."""
        if self.gain <= 1:
            return bgr
        smooth = cv2.GaussianBlur(bgr, (SMOOTHED_PX, SMOOTHED_PX), 0)
        return cv2.LUT(smooth, self.levels()).astype(np.uint8, copy=False)

    def levels(self) -> NDArray[np.uint8]:
        """Return what each of the 256 levels becomes: nothing is clipped, so that whoever stands in a lamp shows."""
        level = np.arange(LEVELS, dtype=np.float64)
        bend, white = self.knee / self.gain, LEVELS - 1
        above = self.knee + (level - bend) * (white - self.knee) / (white - bend)
        return np.rint(np.where(level <= bend, level * self.gain, above)).astype(np.uint8)


def lightening_of(luma: Luma, policy: Policy) -> Lightening:
    """Return how a picture with the small grey copy [h, w] is lightened; as it is from `dark_below` on.

    The grey level below which 95 % of it lie is brought to `light_to`, at most `light_most` times as bright.
    """
    tally = np.cumsum(np.bincount(luma.ravel(), minlength=LEVELS))
    bright = float(np.searchsorted(tally, policy.dark_percentile / 100 * luma.size))
    if bright >= policy.dark_below:
        return Lightening()
    return Lightening(min(policy.light_most, policy.light_to / max(bright, 1.0)), policy.light_knee)
