"""Filling masks with the place as it is without people, and making sure that nobody is in what was filled."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from lamplight_kit.onnx import Kind
from numpy.typing import NDArray

from lamplight_detect.change import small_luma
from lamplight_detect.detections import Boxes, area, intersection
from lamplight_detect.gate.closeup import is_anyone, is_at
from lamplight_detect.gate.lightened import Lightening, lightening_of
from lamplight_detect.gate.masks import painted, rectangle
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
SOLID_SHARE = 0.5
Snapped = tuple[int, ...]
"""A box on a grid of SNAP_PX: left, top, right, bottom."""


@dataclass(frozen=True)
class Backdrop:
    """The place without people, `bgr` [H, W, 3], and which pixels `may` [H, W] fill; made of a `Ground` alone.

    `looked` remembers in which boxes somebody was found, so that a video's pictures share their looks. Holes largely in
    `solid` boxes are not filled, nor looked into: somebody was found there of late. `found` takes the boxes in which
    somebody is found now.
    """

    bgr: NDArray[np.uint8] = field(repr=False)
    may: Mask = field(repr=False)
    looked: dict[Snapped, bool] = field(default_factory=dict, repr=False, compare=False)
    solid: frozenset[Snapped] = field(default=frozenset(), repr=False, compare=False)
    found: set[Snapped] = field(default_factory=set, repr=False, compare=False)

    def light(self, policy: Policy) -> Lightening:
        """Return in which light models are shown it."""
        return lightening_of(small_luma(self.bgr), policy)

    def is_solid(self, box_xyxy: Boxes) -> bool:
        """Tell whether SOLID_SHARE of the box [1, 4] lies where somebody was found of late."""
        box = np.array([snapped(box_xyxy)], np.float32)
        solid = np.array(sorted(self.solid), np.float32).reshape(-1, 4)
        return bool((intersection(solid, box) >= SOLID_SHARE * area(box)).any())

    def is_anyone(self, things: Finder, box_xyxy: Boxes, at_least: float, light: Lightening | None = None) -> bool:
        """Tell whether anybody may be in the box [1, 4], on a grid of SNAP_PX, in four turns and at two scales.

        It is looked at in `light`: a `looked` that is shared stands for one light.
        """
        key = snapped(box_xyxy)
        if key not in self.looked:
            shown = self.bgr if light is None else light.shown(self.bgr)
            self.looked[key] = is_anyone(things, shown, np.array([key], np.float32) * SNAP_PX, at_least)
        return self.looked[key]


@dataclass(frozen=True)
class Hole:
    """A hole that hangs together: its pixels `mask` [h, w] within `part` of the picture, and its box [1, 4]."""

    part: tuple[slice, slice]
    mask: Mask
    box_xyxy: Boxes


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
    parts = [one for one in _parts(holes & backdrop.may) if not backdrop.is_solid(one.box_xyxy)]
    shown, stands = redacted.copy(), np.zeros(hw, np.bool_)
    for one in parts:
        np.copyto(shown[one.part], backdrop.bgr[one.part], where=one.mask[..., None])
    if not parts:
        return stands
    light = backdrop.light(policy)
    found = believable(things.find(light.shown(shown), at_least), hw)
    people = found.of(things.manifest.indices(Kind.PERSON))
    plates = painted(hw, bands(found, things.manifest, hw, policy))
    for one in parts:
        is_free = not (one.mask & plates[one.part]).any() and not is_at(people, one.box_xyxy)
        if is_free and not backdrop.is_anyone(things, one.box_xyxy, at_least, light):
            stands[one.part] |= one.mask
        else:
            backdrop.found.add(snapped(one.box_xyxy))
    return stands


def snapped(box_xyxy: Boxes) -> Snapped:
    """Return the box on a grid of SNAP_PX that holds a box [1, 4]."""
    low, high = np.floor(box_xyxy[0, :2] / SNAP_PX), np.ceil(box_xyxy[0, 2:] / SNAP_PX)
    return tuple(int(side) for side in (*low, *high))


def _parts(holes: Mask) -> list[Hole]:
    """Return the largest parts of `holes` that hang together."""
    at = rectangle(holes)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(holes[at].astype(np.uint8))
    down, across = at[0].start, at[1].start
    ranked = sorted(range(1, count), key=lambda label: (-int(stats[label, cv2.CC_STAT_AREA]), label))
    found = []
    for label in ranked[:MOST_HOLES]:
        left, top, width, height, pixels = (int(value) for value in stats[label])
        if pixels >= LEAST_PX:
            mask = labels[top : top + height, left : left + width] == label
            left, top = left + across, top + down
            box = np.array([[left, top, left + width, top + height]], np.float32)
            found.append(Hole((slice(top, top + height), slice(left, left + width)), mask, box))
    return found
