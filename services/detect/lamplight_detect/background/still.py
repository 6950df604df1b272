"""What has moved in and stays: unexplained, and so masked, until it is known to be nobody.

Kept on cells of 4x4 pixels of the small copy. A patch is explained when nobody was found in it and nothing moved in it
for EXPLAINED_S, and when no look into its crop finds anybody; until then it is a box and a time, no picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lamplight_detect.background.cells import SIDE, in_cells, mostly_in_cells, of_cells, widened
from lamplight_detect.change import Luma, differences
from lamplight_detect.detections import Boxes, clip
from lamplight_detect.gate.motion import Mask

NS_PER_S = 1_000_000_000
EXPLAINED_S = 60.0
AGAIN_S = 60.0
"""A patch in which a look found somebody is looked at again after this long."""
TOUCHED_SHARE = 0.3
MOST_PATCHES = 2
"""Patches that are looked into a picture: each costs model calls."""


@dataclass(frozen=True)
class Patch:
    """Cells that hang together: their mask [rows, columns], their box in cells, and since when they are calm."""

    cells: Mask
    box_cells: tuple[int, int, int, int]
    calm_ns: int


@dataclass(frozen=True)
class Still:
    """Which cells are unexplained, since when each is calm, and where somebody was found in the last picture.

    `luma` is the picture before, `looked_ns` when a cell was last looked into in vain; `carried` are cells that were
    unexplained when the ground was lost, and cannot be compared any more; `arrived` are cells into which somebody came
    whom no ground can be compared with, and `arrived_luma` what these showed when they were last found there;
    `before_luma` is what these showed in the picture before anybody had come into them.
    """

    unexplained: Mask
    calm_ns: NDArray[np.int64]
    looked_ns: NDArray[np.int64]
    people: Mask
    carried: Mask
    arrived: Mask
    arrived_luma: Luma
    before_luma: Luma
    luma: Luma

    @classmethod
    def empty(cls, luma: Luma, at_ns: int) -> Still:
        """Return one with nothing unexplained."""
        none = in_cells(np.zeros(luma.shape, np.bool_))
        calm_ns, looked_ns = np.full(none.shape, at_ns, np.int64), np.zeros(none.shape, np.int64)
        return cls(none, calm_ns, looked_ns, none, none, none, luma, luma, luma)

    def with_foreground(self, before_ground: Mask, known: Mask, *, is_valid: bool) -> Still:
        """Return it after a picture in which the pixels `before_ground` differ from the ground where it is `known`.

        Where the ground is valid all of it is unexplained; else what is largely somebody who was found, or was
        unexplained before: who stops after having walked in stays masked.
        """
        cells = in_cells(_solid(before_ground))
        if not is_valid:
            seeds = self.unexplained | self.people
            cells = _touching(cells, seeds) | (cells & seeds)
        known_cells = in_cells(known)
        carried, arrived = self.carried & ~known_cells, self.arrived & ~known_cells
        return replace(self, unexplained=cells | carried | arrived, carried=carried, arrived=arrived)

    def after(self, luma: Luma, people: Mask, unknown: Mask, at_ns: int) -> Still:
        """Return it after a searched picture in which the cells `people` were masked as somebody.

        Who comes into cells of which the ground is `unknown` is unexplained there until they look as nobody did then:
        who walks on leaves nothing behind, who sits down and is missed stays masked.
        """
        changed = in_cells(differences(luma, self.luma))
        gone = self._gone(luma, people)
        came = people & unknown & (changed | self.arrived)
        fresh = came & ~self.arrived
        before = of_cells(fresh, luma.shape)
        return replace(
            self,
            calm_ns=np.where(changed | people, at_ns, self.calm_ns),
            people=people,
            unexplained=self.unexplained & ~gone | came,
            arrived=self.arrived & ~gone | came,
            arrived_luma=np.where(of_cells(came, luma.shape), luma, self.arrived_luma)
            if came.any()
            else self.arrived_luma,
            before_luma=np.where(before, self.luma, self.before_luma) if fresh.any() else self.before_luma,
            luma=luma,
        )

    def _gone(self, luma: Luma, people: Mask) -> Mask:
        """Return the cells into which somebody came who is not there any more, as far as these tell.

        They look otherwise than with them, and as they did before them: who only turns round, or whose face a screen
        lights up, looks otherwise too. Before whom nobody knows the place, as who was there from the first picture on,
        leaves what is unexplained until it is looked into.
        """
        if not self.arrived.any():
            return self.arrived
        is_strange = mostly_in_cells(differences(luma, self.before_luma))
        free = self.arrived & ~people & ~is_strange
        left = mostly_in_cells(differences(luma, self.arrived_luma)) & free
        return widened(left, 1) & free  # their edge lies in a part of a cell

    def due(self, at_ns: int) -> list[Patch]:
        """Return the patches that may be looked into now: calm for EXPLAINED_S, the longest calm first."""
        label_count, labels = cv2.connectedComponents(self.unexplained.astype(np.uint8))
        found = [self._patch(labels == label) for label in range(1, label_count)]
        calm = [one for one in found if at_ns - one.calm_ns >= EXPLAINED_S * NS_PER_S]
        rested = [one for one in calm if at_ns - int(self.looked_ns[one.cells].max()) >= AGAIN_S * NS_PER_S]
        return sorted(rested, key=lambda one: (one.calm_ns, one.box_cells))[:MOST_PATCHES]

    def explained(self, patch: Patch) -> Still:
        """Return it without a patch that was found to be nobody."""
        others = ~patch.cells
        return replace(
            self,
            unexplained=self.unexplained & others,
            carried=self.carried & others,
            arrived=self.arrived & others,
        )

    def in_vain(self, patch: Patch, at_ns: int) -> Still:
        """Return it with a patch in which somebody may be: it stays masked."""
        return replace(self, looked_ns=np.where(patch.cells, at_ns, self.looked_ns))

    def resized(self, luma: Luma, at_ns: int) -> Still:
        """Return it for pictures of another size: what was unexplained stays so where it lies in them."""
        fresh = Still.empty(luma, at_ns)
        shape = fresh.unexplained.shape
        cells = cv2.resize(self.unexplained.astype(np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR) > 0
        return replace(fresh, unexplained=cells, carried=cells)

    def moved(self, by_ns: int) -> Still:
        """Return it on a clock that was set by `by_ns`."""
        return replace(
            self, calm_ns=self.calm_ns + by_ns, looked_ns=np.where(self.looked_ns, self.looked_ns + by_ns, 0)
        )

    def doubted(self, cells: Mask) -> Still:
        """Return it with `cells` of which nothing is known: unexplained until they are looked into."""
        return replace(self, unexplained=self.unexplained | cells, carried=self.carried | cells)

    def lost(self) -> Still:
        """Return it with the ground lost: what was unexplained stays so until it is looked into."""
        return replace(self, carried=self.unexplained)

    def _patch(self, cells: Mask) -> Patch:
        rows, columns = np.flatnonzero(cells.any(axis=1)), np.flatnonzero(cells.any(axis=0))
        box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
        return Patch(cells, box, int(self.calm_ns[cells].max()))


def box_px(patch: Patch, frame_hw: tuple[int, int], small_hw: tuple[int, int]) -> Boxes:
    """Return the patch's box [1, 4] in pixels of the picture."""
    scale = np.array([frame_hw[1] / small_hw[1], frame_hw[0] / small_hw[0]] * 2, np.float32)
    box = np.array([patch.box_cells], np.float32) * SIDE * scale
    return clip(box, frame_hw)


def _solid(mask: Mask) -> Mask:
    """Return `mask` without single pixels, its gaps closed and its edge widened."""
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    return cv2.dilate(closed, np.ones((5, 5), np.uint8)).astype(np.bool_)


def _touching(cells: Mask, seeds: Mask) -> Mask:
    """Return the patches of `cells` that `seeds` hold TOUCHED_SHARE of: a flood that somebody stands by is not they."""
    label_count, labels = cv2.connectedComponents(cells.astype(np.uint8))
    whole = np.bincount(labels.ravel(), minlength=label_count)
    held = np.bincount(labels[seeds], minlength=label_count)
    wanted = held >= TOUCHED_SHARE * whole
    wanted[0] = False
    found: Mask = wanted[labels]
    return found
