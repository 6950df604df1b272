"""Drawing people into a picture of a place, and the boxes of what shows of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from composing.cutouts import Cutout, Plane
from composing.media import Bgr

VISIBLE = 0.5
NOISE_LEVELS = 2.0
FLICKER = 0.008
HARDLY = 0.5
"""Of whom less than this share shows, behind others or an edge, is labelled as a crowd: they count for nothing."""


@dataclass(frozen=True)
class Figure:
    """Somebody to be drawn: their feet's middle, and between which columns they can be seen."""

    cutout: Cutout
    foot_xy: tuple[float, float]
    seen_x: tuple[float, float]


@dataclass(frozen=True)
class Drawn:
    """What shows of a figure: its box (left, top, width, height), or None where nothing does, and its share."""

    box_xywh: tuple[int, int, int, int] | None
    share: float


def drawn(place: Bgr, figures: Sequence[Figure]) -> tuple[Plane, list[Drawn]]:
    """Return the picture [H, W, 3] with all figures, in this order, the later before the earlier; and what shows."""
    scene = place.astype(np.float32)
    shows: list[tuple[Plane, float]] = []
    for figure in figures:
        layer, alpha = _layer(figure, (place.shape[0], place.shape[1]))
        scene = scene * (1 - alpha[..., None]) + layer * alpha[..., None]
        shows = [(one * (1 - alpha), whole) for one, whole in shows]
        shows.append((alpha, float(figure.cutout.alpha.sum())))
    return scene, [_told(alpha, whole) for alpha, whole in shows]


def sensed(scene: Plane, random: np.random.Generator) -> Bgr:
    """Return a scene as a sensor gives it: flickering slightly, with noise."""
    gain = 1 + random.normal(0, FLICKER)
    noisy = scene * gain + random.normal(0, NOISE_LEVELS, scene.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def ground_level(place: Bgr, foot_xy: tuple[float, float], reach_px: int) -> float:
    """Return the grey level of the place about somebody's feet."""
    x, y = (min(max(round(at), 0), side - 1) for at, side in zip(foot_xy, place.shape[1::-1], strict=True))
    near = place[max(0, y - reach_px) : y + reach_px, max(0, x - reach_px) : x + reach_px]
    return float(np.median(near.mean(axis=2)))


def _layer(figure: Figure, hw: tuple[int, int]) -> tuple[Plane, Plane]:
    """Return the figure's pixels and what shows of it, in the whole picture; what falls outside is not seen."""
    own_h, own_w = figure.cutout.alpha.shape
    left, top = round(figure.foot_xy[0] - own_w / 2), round(figure.foot_xy[1]) - own_h
    layer, alpha = np.zeros((*hw, 3), np.float32), np.zeros(hw, np.float32)
    y0, y1 = max(0, top), min(hw[0], top + own_h)
    x0 = max(0, left, round(figure.seen_x[0]))
    x1 = min(hw[1], left + own_w, round(figure.seen_x[1]))
    if y0 < y1 and x0 < x1:
        own = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
        layer[y0:y1, x0:x1] = figure.cutout.bgr[own]
        alpha[y0:y1, x0:x1] = figure.cutout.alpha[own]
    return layer, alpha


def _told(alpha: Plane, whole: float) -> Drawn:
    shown: NDArray[np.bool_] = alpha >= VISIBLE
    if not shown.any():
        return Drawn(None, 0.0)
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    box = left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top
    return Drawn(box, float(alpha.sum()) / max(whole, 1e-6))
