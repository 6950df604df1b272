"""Scenes of the demo that were never seen: composites of the committed pictures. Pure, and the same at every run."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""One picture, height x width x 3, BGR."""


@dataclass(frozen=True)
class Cut:
    """Something cut out of a picture: its pixels, and how much of each shows (0 to 1, height x width x 1)."""

    pixels: npt.NDArray[np.float32]
    alpha: npt.NDArray[np.float32]


def empty_street(pictures: list[Picture]) -> Picture:
    """Return what stays when all that passes is gone: each pixel's median over pictures of one place."""
    middle: Picture = np.median(np.stack(pictures), axis=0).astype(np.uint8)
    return middle


def cut_out(picture: Picture, outline_xy: list[tuple[int, int]], feather_px: float = 1.5) -> Cut:
    """Cut out what the outline (corners in pixels) encloses, with soft edges."""
    corners = np.array(outline_xy, np.int32)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    alpha = np.zeros((int(bottom - top), int(right - left)), np.float32)
    cv2.fillPoly(alpha, [corners - (left, top)], 1.0)
    soft = np.asarray(cv2.GaussianBlur(alpha, (0, 0), feather_px)[..., None], np.float32)
    return Cut(picture[top:bottom, left:right].astype(np.float32), soft)


def paste(scene: Picture, cut: Cut, left_px: int, top_px: int) -> Picture:
    """Return the scene with the cut in it; what falls outside the picture is not seen."""
    height, width = cut.pixels.shape[:2]
    canvas = np.pad(scene, ((height, height), (width, width), (0, 0)), mode="edge").astype(np.float32)
    part = canvas[top_px + height : top_px + 2 * height, left_px + width : left_px + 2 * width]
    if part.shape[:2] == (height, width):
        part[:] = part * (1 - cut.alpha) + cut.pixels * cut.alpha
    return canvas[height:-height, width:-width].astype(np.uint8)


def flooded(scene: Picture, level: float, seed: int) -> Picture:
    """Return the scene under water below `level` (a fraction of its height): its image mirrored, dim and rippled."""
    height, width = scene.shape[:2]
    line = round(level * height)
    depth = height - line
    rows, columns = np.mgrid[0:depth, 0:width].astype(np.float32)
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, 3)
    growth = rows / depth
    ripple = sum(np.sin(rows / (3 + 4 * k) * (2 - growth) + columns / (60 - 9 * k) + phase[k]) for k in range(3))
    map_x = columns + ripple * (1 + 5 * growth)
    map_y = np.clip(line - rows * line / depth * 0.9 + ripple * (1 + 3 * growth), 0, line - 1)
    mirror = cv2.remap(
        scene, map_x.astype(np.float32), map_y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    mud = np.array([88, 106, 118], np.float32)
    water = mirror.astype(np.float32) * 0.55 + mud * 0.4 + (ripple * 6)[..., None]
    under = scene.copy()
    edge = np.clip(rows[..., None] / 12, 0, 1)
    under[line:] = np.clip(scene[line:] * (1 - edge) + water * edge, 0, 255).astype(np.uint8)
    return under


def noisy(picture: Picture, seed: int, sigma: float = 2.0) -> Picture:
    """Return the picture as a sensor gives it: with a little noise, another at every seed."""
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def dark(picture: Picture) -> Picture:
    """Return the picture as through a covered lens."""
    return (picture.astype(np.float32) * 0.04).astype(np.uint8)
