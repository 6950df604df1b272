"""Six conditions that a picture is measured in, and what they make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

Bgr = NDArray[np.uint8]
Plane = NDArray[np.float32]
DARK_GAIN, NOISE_LEVELS = 0.25, 6.0
BLUR_PX = 9
JPEG_QUALITY = 15
HALF = 0.5
BLOCK = 8
_SEED = 1
_LUMA = (
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 "
    "18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"
)
_CHROMA = (
    "17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99 "
    "99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99"
)
"""The example tables of ITU-T T.81, annex K, which libjpeg scales by quality."""


def clean(bgr: Bgr) -> Bgr:
    """Return the picture as it is."""
    return bgr


def dark(bgr: Bgr) -> Bgr:
    """Return it with a quarter of its light and a sensor's noise, the same each time."""
    noise = np.random.default_rng(_SEED).normal(0, NOISE_LEVELS, bgr.shape).astype(np.float32)
    return _levels(bgr.astype(np.float32) * np.float32(DARK_GAIN) + noise)


def half(bgr: Bgr) -> Bgr:
    """Return it with half its sides."""
    return cv2.resize(bgr, None, fx=HALF, fy=HALF, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def jpeg_loss(bgr: Bgr) -> Bgr:
    """Return it with what a JPEG of quality 15 loses: colours at half size, coefficients rounded; no file is made."""
    height, width = bgr.shape[:2]
    ycc = cv2.cvtColor(bgr, cv2.COLOR_BGR2YCrCb).astype(np.float32)
    luma = _rounded(ycc[..., 0], _LUMA)
    small = -(-width // 2), -(-height // 2)
    planes = [luma]
    for channel in (1, 2):
        coarse = cv2.resize(ycc[..., channel], small, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)
        fine = cv2.resize(_rounded(coarse, _CHROMA), (width, height), interpolation=cv2.INTER_LINEAR)
        planes.append(fine.astype(np.float32, copy=False))
    return cv2.cvtColor(_levels(np.stack(planes, axis=2)), cv2.COLOR_YCrCb2BGR).astype(np.uint8, copy=False)


def blurred(bgr: Bgr) -> Bgr:
    """Return it as a camera sees it that moves sideways by nine pixels."""
    kernel = np.full((1, BLUR_PX), 1 / BLUR_PX, np.float32)
    return cv2.filter2D(bgr, -1, kernel).astype(np.uint8, copy=False)


def grey(bgr: Bgr) -> Bgr:
    """Return it without colour."""
    return cv2.merge([cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)] * 3).astype(np.uint8, copy=False)


CONDITIONS: Mapping[str, Callable[[Bgr], Bgr]] = {
    "clean": clean,
    "dark and noisy": dark,
    "half size": half,
    "JPEG 15": jpeg_loss,
    "motion blur": blurred,
    "grey": grey,
}


def _levels(values: Plane) -> Bgr:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _rounded(plane: Plane, table: str) -> Plane:
    """Return `plane` after its blocks' cosine coefficients were rounded to multiples of the table."""
    height, width = plane.shape
    whole = np.pad(plane - 128, ((0, -height % BLOCK), (0, -width % BLOCK)), mode="edge")
    rows, columns = whole.shape[0] // BLOCK, whole.shape[1] // BLOCK
    blocks = whole.reshape(rows, BLOCK, columns, BLOCK).transpose(0, 2, 1, 3)
    cosines, steps = _cosines(), _steps(table)
    back = cosines.T @ (np.rint(cosines @ blocks @ cosines.T / steps) * steps) @ cosines
    found = back.transpose(0, 2, 1, 3).reshape(whole.shape)[:height, :width] + 128
    clipped: Plane = np.clip(found, 0, 255).astype(np.float32)
    return clipped


def _steps(table: str) -> Plane:
    """Return the table [8, 8] scaled as libjpeg does below quality 50."""
    base = np.array([int(step) for step in table.split()], np.float32).reshape(BLOCK, BLOCK)
    steps: Plane = np.clip(np.floor((base * (5000 // JPEG_QUALITY) + 50) / 100), 1, 255).astype(np.float32)
    return steps


def _cosines() -> Plane:
    """Return the orthonormal cosine transform [8, 8] (ITU-T T.81, A.3.3)."""
    at = np.arange(BLOCK)
    basis = np.cos((2 * at[None, :] + 1) * at[:, None] * np.pi / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
    basis[0] /= np.sqrt(2)
    cosines: Plane = basis.astype(np.float32)
    return cosines
