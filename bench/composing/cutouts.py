"""People cut out of labelled pictures along their outline, and how they are sized, turned and lit for a place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from composing.media import Bgr, picture

Plane = NDArray[np.float32]
TABLE = Path(__file__).with_name("people.tsv")
WORK_PX = 240
"""A person is cut out at about this height, whatever theirs is: outlines of a few pixels are too coarse to find."""
MARGIN = 0.12
ROUNDS = 5
SEED = 1
NO_BOX = (0, 0, 0, 0)
"""A guess of every pixel needs none."""
UPRIGHT = "0.5,0.08 0.5,0.45"
HEAD_SHARE = 0.14
DARKER_LEVELS, SHADE_LEVELS = 12.0, 8.0
FOLDS, MOST_FOLD = 0.5, 15.0
"""Grey clothes: how much darker than the ground, how much lighter and darker their sides, how deep their folds."""
LEVELS_AT = (2, 98)
"""Percentiles of grey by which the light of two pictures is matched."""
MOST_DARK, LEAST_LIGHT = 35.0, 170.0
"""A bare road has neither black nor white in it; who comes there has."""


@dataclass(frozen=True)
class Cutout:
    """Somebody: pixels [H, W, 3] in grey levels, how much of each shows [H, W], and their picture's dark and light."""

    bgr: Plane
    alpha: Plane
    levels: tuple[float, float]

    def sized(self, height_px: float) -> Cutout:
        """Return them `height_px` tall."""
        scale = height_px / self.alpha.shape[0]
        size = max(1, round(self.alpha.shape[1] * scale)), max(1, round(height_px))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        weighed = cv2.resize(self.bgr * self.alpha[..., None], size, interpolation=way)
        alpha = cv2.resize(self.alpha, size, interpolation=way)
        bgr = weighed / np.maximum(alpha, 1e-3)[..., None]
        return replace(self, bgr=np.asarray(bgr, np.float32), alpha=np.asarray(alpha, np.float32))

    def lying(self) -> Cutout:
        """Return them turned on their side."""
        bgr, alpha = (np.ascontiguousarray(np.rot90(one, -1)) for one in (self.bgr, self.alpha))
        return replace(self, bgr=bgr, alpha=alpha)

    def lit(self, levels: tuple[float, float]) -> Cutout:
        """Return them in the light of a place whose dark and light grey levels are `levels`."""
        (dark, light), (to_dark, to_light) = self.levels, levels
        gain = (to_light - to_dark) / max(1.0, light - dark)
        return replace(self, bgr=np.asarray((self.bgr - dark) * gain + to_dark, np.float32), levels=levels)

    def in_grey(self, level: float) -> Cutout:
        """Return them, upright, in grey clothes a little darker than `level`; the head and the folds are theirs.

        A body is round: light comes from one side, so that its other side is darker.
        """
        body = slice(round(HEAD_SHARE * self.bgr.shape[0]), None)
        grey, shows = self.bgr[body].mean(axis=2), self.alpha[body] + 1e-6
        folds = np.clip(FOLDS * (grey - np.average(grey, weights=shows)), -MOST_FOLD, MOST_FOLD)
        shade = np.linspace(SHADE_LEVELS, -SHADE_LEVELS, grey.shape[1], dtype=np.float32)
        bgr = self.bgr.copy()
        bgr[body] = (level - DARKER_LEVELS + folds + shade)[..., None]
        return replace(self, bgr=bgr)


def levels_of(bgr: Bgr) -> tuple[float, float]:
    """Return the dark and the light grey level of a picture."""
    dark, light = np.percentile(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), LEVELS_AT)
    return min(float(dark), MOST_DARK), max(float(light), LEAST_LIGHT)


def people(media: Path) -> Mapping[str, Cutout]:
    """Return everybody of people.tsv by name, cut out of the pictures in the folder `media`."""
    return {name: cut(picture(media / file, number), box, strokes) for name, file, number, box, strokes in _rows()}


def cut(bgr: Bgr, box_xywh: Sequence[float], strokes: str = UPRIGHT) -> Cutout:
    """Return who is in the box, along their outline (C. Rother and others, GrabCut, doi:10.1145/1015706.1015720).

    `strokes` are lines that surely lie on them, in shares of the box: `x,y x,y`, several of them parted by `;`.
    """
    left, top, width, height = box_xywh
    pad = max(8.0, MARGIN * max(width, height))
    x0, y0 = max(0, round(left - pad)), max(0, round(top - pad))
    x1, y1 = min(bgr.shape[1], round(left + width + pad)), min(bgr.shape[0], round(top + height + pad))
    part = bgr[y0:y1, x0:x1]
    scale = WORK_PX / part.shape[0]
    way = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    large = np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=way), np.uint8)
    inner = [round(side * scale) for side in (left - x0, top - y0, width, height)]
    alpha = _outlined(large, _seeded(large.shape[:2], inner, strokes))
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    near = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    soft = cv2.GaussianBlur(cv2.erode(alpha, np.ones((3, 3), np.uint8)).astype(np.float32), (0, 0), 1.5)
    return Cutout(large[near].astype(np.float32), np.asarray(soft[near], np.float32), levels_of(bgr))


def _seeded(hw: tuple[int, ...], inner_xywh: Sequence[int], strokes: str) -> NDArray[np.uint8]:
    """Return GrabCut's first guess: nobody outside the box, a head, a trunk and legs likely, the strokes surely."""
    left, top, width, height = inner_xywh
    lines = [[tuple(map(float, point.split(","))) for point in stroke.split()] for stroke in strokes.split(";")]
    points = [np.array([(left + x * width, top + y * height) for x, y in line], np.int32) for line in lines]
    head, middle = points[0][0], (left + width // 2, top + round(0.4 * height))
    guess = np.full(hw[:2], cv2.GC_BGD, np.uint8)
    guess[top : top + height, left : left + width] = cv2.GC_PR_BGD
    trunk = max(1, round(0.38 * width)), round(0.3 * height)
    cv2.ellipse(guess, middle, trunk, 0, 0, 360, cv2.GC_PR_FGD, -1)
    legs = slice(top + height // 2, top + height - 2), slice(left + round(0.2 * width), left + round(0.8 * width))
    guess[legs] = cv2.GC_PR_FGD
    skull = round(0.075 * height), round(0.08 * height)
    cv2.ellipse(guess, (int(head[0]), int(head[1])), skull, 0, 0, 360, cv2.GC_PR_FGD, -1)
    for line in points:
        cv2.polylines(guess, [line], isClosed=False, color=cv2.GC_FGD, thickness=max(3, round(0.12 * width)))
    return guess


def _outlined(bgr: Bgr, guess: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return which pixels show somebody, 0 or 1: the largest part that hangs together."""
    cv2.setRNGSeed(SEED)
    found, _, _ = cv2.grabCut(bgr, guess, NO_BOX, np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    shown = np.isin(found, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(shown)
    largest = labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return np.asarray(cv2.medianBlur(largest.astype(np.uint8), 7), np.uint8)


def _rows() -> Iterator[tuple[str, str, int | None, tuple[float, ...], str]]:
    for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]:
        name, file, number, box, strokes = line.split("\t")
        yield name, file, int(number) if number else None, tuple(map(float, box.split(","))), strokes or UPRIGHT
