"""What models are shown besides of a picture that a moving camera took: the same one, sharpened along the motion.

What leaves is as it came.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lamplight_detect.gate.policy import Policy

Plane = NDArray[np.float32]
WINDOW_PX = 256
MOST_ROWS, MOST_COLUMNS = 4, 6
"""So many windows are looked at, spread over the picture."""
LEAST_SIDE_PX = 64
"""Too little is to be seen in a smaller picture to tell how it was blurred."""
NEAR_PX, FAR_PX = 4, 60
"""What a cepstrum holds from so far to so far from its middle is what its dips are measured by."""
FLOOR = 1e-3
"""Of a window's mean power: what is weaker is rounding, whatever its logarithm says."""
STEPS_PER_PX = 16


@dataclass(frozen=True)
class Blur:
    """How far the picture moved while it was taken, in pixels: evenly, to the right and down."""

    right_px: int
    down_px: int

    def spread(self, side_px: int) -> Plane:
        """Return the kernel [side_px, side_px], about its middle, that such a motion blurs with."""
        kernel = np.zeros((side_px, side_px), np.float64)
        steps = STEPS_PER_PX * max(abs(self.right_px), abs(self.down_px)) + 1
        along = np.linspace(-0.5, 0.5, steps)
        x, y = side_px // 2 + along * self.right_px, side_px // 2 + along * self.down_px
        left, top = np.floor(x).astype(int), np.floor(y).astype(int)
        for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
            share = np.abs(1 - down - (y - top)) * np.abs(1 - right - (x - left))
            np.add.at(kernel, (top + down, left + right), share)
        spread: Plane = (kernel / kernel.sum()).astype(np.float32)
        return spread


def blur_of(bgr: NDArray[np.uint8], policy: Policy) -> Blur | None:
    """Return how `bgr` [H, W, 3] was blurred by a camera that moved; None where nothing tells that it was.

    An even motion leaves zeros in the spectrum, and so two dips in the cepstrum, as far from its middle as it went
    (M. Cannon, Blind deconvolution of spatially invariant image blurs with phase, IEEE Trans. ASSP 24 (1976) 58).
    It is one where the deepest dip is `blur_sure` standard deviations deep.
    """
    if min(bgr.shape[:2]) < LEAST_SIDE_PX:
        return None
    grey = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY).astype(np.float32)
    cepstrum = np.fft.irfft2(np.median([_log_power(part) for part in _windows(grey)], axis=0), (WINDOW_PX, WINDOW_PX))
    depth = np.fft.fftshift(cepstrum)
    middle = WINDOW_PX // 2
    down, right = np.mgrid[-middle:middle, -middle:middle]
    far = np.hypot(down, right)
    is_half = (down > 0) | ((down == 0) & (right > 0))
    is_motion = is_half & (far >= policy.blur_least_px) & (far <= policy.blur_most_px)
    at = int(np.argmin(np.where(is_motion, depth, np.inf)))
    usual = float(np.std(depth[(far >= NEAR_PX) & (far <= FAR_PX)]))
    if -float(depth.flat[at]) <= policy.blur_sure * usual:
        return None
    return Blur(int(right.flat[at]), int(down.flat[at]))


def sharpened(bgr: NDArray[np.uint8], blur: Blur, policy: Policy) -> NDArray[np.uint8]:
    """Return `bgr` [H, W, 3] with its `blur` undone as far as `blur_noise` lets it be (Wiener's filter)."""
    side = 8 * max(abs(blur.right_px), abs(blur.down_px)) + 16
    spectrum = np.fft.rfft2(np.fft.ifftshift(blur.spread(side)))
    inverse = np.conj(spectrum) / (np.abs(spectrum) ** 2 + policy.blur_noise)
    filter_ = np.fft.fftshift(np.fft.irfft2(inverse, (side, side)))[1:, 1:]
    kernel = (filter_ / filter_.sum()).astype(np.float32)
    sharp = cv2.filter2D(bgr, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT)
    return np.clip(np.rint(sharp), 0, 255).astype(np.uint8)


def _windows(grey: Plane) -> Iterator[Plane]:
    """Yield parts [WINDOW_PX, WINDOW_PX] spread over `grey`, which is mirrored at its edges where it is smaller."""
    height, width = grey.shape
    more = max(0, WINDOW_PX - height), max(0, WINDOW_PX - width)
    whole = np.pad(grey, ((0, more[0]), (0, more[1])), mode="symmetric")
    for top in _starts(whole.shape[0], MOST_ROWS):
        for left in _starts(whole.shape[1], MOST_COLUMNS):
            yield whole[top : top + WINDOW_PX, left : left + WINDOW_PX]


def _starts(length: int, most: int) -> list[int]:
    count = min(most, -(-length // WINDOW_PX))
    return [round(start) for start in np.linspace(0, length - WINDOW_PX, count)]


def _log_power(part: Plane) -> Plane:
    """Return the logarithm of a window's power at each frequency [WINDOW_PX, WINDOW_PX / 2 + 1]."""
    fading = np.hanning(WINDOW_PX).astype(np.float32)
    power = np.abs(np.fft.rfft2((part - part.mean()) * fading[:, None] * fading)) ** 2
    logs: Plane = np.log(power + FLOOR * power.mean() + 1).astype(np.float32)
    return logs
