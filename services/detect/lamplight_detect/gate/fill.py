"""Filling masks with the place as it is without people, and making sure that nobody is in what was filled."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from lamplight_kit.onnx import Kind
from numpy.typing import NDArray

from lamplight_detect.change import small_luma
from lamplight_detect.detections import Boxes
from lamplight_detect.gate.closeup import is_anyone, is_at
from lamplight_detect.gate.lightened import Lightening, lightening_of
from lamplight_detect.gate.masks import painted
from lamplight_detect.gate.motion import Mask
from lamplight_detect.gate.picture import GateClosed
from lamplight_detect.gate.plates import bands
from lamplight_detect.gate.policy import Policy
from lamplight_detect.models.finder import Finder, believable

SNAP_PX = 32
MOST_HOLES = 8
"""Holes that are filled in a picture, the largest first: each is looked into twice. The others stay solid."""
LEAST_PX = 16
"""A sliver of fewer pixels is not worth a look."""


@dataclass(frozen=True)
class Backdrop:
    """The place without people, `bgr` [H, W, 3], and which pixels `may` [H, W] fill; made of a `Ground` alone.

    `looked` remembers in which boxes somebody was found, so that a video's pictures share their looks.
    """

    bgr: NDArray[np.uint8] = field(repr=False)
    may: Mask = field(repr=False)
    looked: dict[tuple[int, ...], bool] = field(default_factory=dict, repr=False, compare=False)

    def light(self, policy: Policy) -> Lightening:
        """Return in which light models are shown it."""
        return lightening_of(small_luma(self.bgr), policy)

    def is_anyone(self, things: Finder, box_xyxy: Boxes, at_least: float, light: Lightening | None = None) -> bool:
        """Tell whether anybody may be in the box [1, 4], on a grid of SNAP_PX, in four turns and at two scales.

        It is looked at in `light`: a `looked` that is shared stands for one light.
        """
        low, high = np.floor(box_xyxy[:, :2] / SNAP_PX), np.ceil(box_xyxy[:, 2:] / SNAP_PX)
        box = np.concatenate([low, high], axis=1)
        key = tuple(int(side) for side in box[0])
        if key not in self.looked:
            shown = self.bgr if light is None else light.shown(self.bgr)
            self.looked[key] = is_anyone(things, shown, (box * SNAP_PX).astype(np.float32), at_least)
        return self.looked[key]


def filled(
    things: Finder,
    redacted: NDArray[np.uint8],
    holes: Mask,
    backdrop: Backdrop,
    at_least: float,
    policy: Policy,
) -> Mask:
    """Return which pixels of `holes` [H, W] may be filled from `backdrop` in `redacted` [H, W, 3].

    The filled picture is searched again, and what fills each hole looked into in four turns and at two scales: where
    anybody may be, from score `at_least` on, or a vehicle's plate, the hole stays solid.
    """
    hw = redacted.shape[0], redacted.shape[1]
    if backdrop.may.shape != hw or backdrop.bgr.shape != redacted.shape:
        message = f"a backdrop of {backdrop.bgr.shape} for a picture of {hw} found, one of its size expected"
        raise GateClosed(message)
    parts = _parts(holes & backdrop.may)
    shown = redacted.copy()
    for part, _ in parts:
        shown[part] = backdrop.bgr[part]
    stands = np.zeros(hw, np.bool_)
    if parts:
        light = backdrop.light(policy)
        found = believable(things.find(light.shown(shown), at_least), hw)
        people = found.of(things.manifest.indices(Kind.PERSON))
        plates = painted(hw, bands(found, things.manifest, hw, policy))
        for part, box in parts:
            is_free = not (part & plates).any() and not is_at(people, box)
            if is_free and not backdrop.is_anyone(things, box, at_least, light):
                stands |= part
    return stands


def _parts(holes: Mask) -> list[tuple[Mask, Boxes]]:
    """Return the largest parts of `holes` that hang together, each with its box [1, 4]."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(holes.astype(np.uint8))
    ranked = sorted(range(1, count), key=lambda label: (-int(stats[label, cv2.CC_STAT_AREA]), label))
    found = []
    for label in ranked[:MOST_HOLES]:
        left, top, width, height, pixels = (int(value) for value in stats[label])
        if pixels >= LEAST_PX:
            found.append((labels == label, np.array([[left, top, left + width, top + height]], np.float32)))
    return found
