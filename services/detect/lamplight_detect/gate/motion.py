"""What moves in live video, from small grey copies of the last pictures, and the memory that holds masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lamplight_detect.change import Luma, differences
from lamplight_detect.gate.policy import Policy
from lamplight_detect.gate.poses import Turns

Mask = NDArray[np.bool_]
"""Which pixels [H, W] are masked."""

NS_PER_S = 1_000_000_000
CELL_PX: Final = 8
MAX_SHARE = 0.6
"""Where more than this has changed, the camera moved, switched or re-exposed: that says nothing about people."""
STEP = 18
SAME_PROPORTION = 0.05


def moving(now: Luma, before: Sequence[Luma]) -> Mask:
    """Return which pixels of `now` differ from any picture `before`, closed and widened; nothing at a scene cut."""
    found = np.zeros(now.shape, np.uint8)
    for one in before:
        if one.shape == now.shape:
            over = differences(now, one, STEP)
            if over.mean() <= MAX_SHARE:
                found |= over.astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)).astype(np.uint8, copy=False)
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)).astype(np.uint8, copy=False)
    return cv2.dilate(found, np.ones((5, 5), np.uint8)).astype(np.bool_)


def come(moved: Mask, vouched: Mask) -> Mask:
    """Return what of `moved` is not `vouched` for, closed and widened within it: who has come, not what they uncover.

    Who walks on uncovers the ground that was behind them; it differs from the pictures before, and shows nobody.
    """
    found = (moved & ~vouched).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)).astype(np.uint8, copy=False)
    near: Mask = moved & cv2.dilate(found, np.ones((5, 5), np.uint8)).astype(np.bool_)
    return near


def coarse(mask: Mask) -> Mask:
    """Return `mask` on a grid of 8-pixel cells; a cell is masked where any of its pixels is."""
    return gridded(mask, CELL_PX)


def gridded(mask: Mask, side: Literal[4, 8]) -> Mask:
    """Return `mask` [H, W] on a grid of cells of `side` pixels; a cell is masked where any of its pixels is."""
    height, width = mask.shape
    rows, columns = -(-height // side), -(-width // side)
    whole = np.zeros((rows * side, columns * side), np.bool_)
    whole[:height, :width] = mask
    lines = whole.view(np.uint64 if side == CELL_PX else np.uint32)  # a cell's pixels of one line, as one number
    found: Mask = np.any(lines.reshape(rows, side, columns), axis=1)
    return found


def fine(grid: Mask, frame_hw: tuple[int, int]) -> Mask:
    """Return the grid's cells as pixels of a picture of `frame_hw`."""
    spread = np.repeat(np.repeat(grid, CELL_PX, axis=0), CELL_PX, axis=1)
    return spread[: frame_hw[0], : frame_hw[1]]


def fitted(grid: Mask, from_hw: tuple[int, int], to_hw: tuple[int, int]) -> Mask:
    """Return the grid of a picture of `from_hw` on the grid of one of `to_hw`; all of it where the proportions differ.

    A picture of another proportion shows another part of the scene, where nobody knows who was masked.
    """
    if from_hw == to_hw:
        return grid
    if abs(from_hw[0] * to_hw[1] / (from_hw[1] * to_hw[0]) - 1) > SAME_PROPORTION:
        return coarse(np.ones(to_hw, np.bool_))
    shown = fine(grid, from_hw).astype(np.float32)
    return coarse(cv2.resize(shown, to_hw[::-1], interpolation=cv2.INTER_AREA) > 0)


def enlarged(mask: Mask, frame_hw: tuple[int, int]) -> Mask:
    """Return a small mask in `frame_hw`."""
    height, width = frame_hw
    return cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).astype(np.bool_)


@dataclass(frozen=True)
class Sample:
    """What one picture leaves behind: its small grey copy, the masks found in it on the coarse grid, and its turn.

    `people` is the part of the grid that was masked as somebody; `turns` is None where it was searched upright alone.
    """

    at_ns: int
    frame_hw: tuple[int, int]
    luma: Luma
    grid: Mask
    turns: Turns | None = None
    people: Mask | None = None


def follows(after: Sample, at_ns: int, frame_hw: tuple[int, int], policy: Policy) -> bool:
    """Tell whether `after` is a picture of the same size, so shortly after `at_ns` that its masks tell of then."""
    return after.frame_hw == frame_hw and 0 <= after.at_ns - at_ns <= policy.live_gap_s * NS_PER_S


@dataclass(frozen=True)
class Recent:
    """The last pictures of a live camera, newest last: kept in memory only, for the longest hold.

    `unexplained` [h, w] is what has moved in and stays, in the small copy of the picture that is about to be searched;
    `vouched` [h, w], where a ground vouches for that picture, are the pixels of the small copy that show nothing but
    that ground; `is_spared`: these are not searched closely.
    """

    samples: tuple[Sample, ...] = field(default=())
    turns: Turns = field(default=Turns())
    unexplained: Mask | None = field(default=None, repr=False)
    vouched: Mask | None = field(default=None, repr=False)
    is_spared: bool = False

    def with_sample(self, sample: Sample, policy: Policy) -> Recent:
        """Return it with `sample`, without what no hold reaches any more."""
        kept = self._held(sample.at_ns, policy)
        return Recent((*kept, sample), sample.turns or self.turns)

    def repeated(self, at_ns: int) -> Recent:
        """Return it for the last picture shown again at `at_ns`: all that was masked in it is still held."""
        return self.moved(at_ns - self.samples[-1].at_ns) if self.samples else self

    def with_again(self, sample: Sample, policy: Policy) -> Recent:
        """Return it with what a search found in the last picture, which came again: beside what was masked in it."""
        if not self.samples or self.samples[-1].frame_hw != sample.frame_hw:
            return self.with_sample(sample, policy)
        last = self.samples[-1]
        people = [one.people for one in (last, sample) if one.people is not None]
        both = replace(
            sample,
            grid=last.grid | sample.grid,
            people=np.logical_or.reduce(people) if people else None,
            turns=sample.turns or last.turns,
        )
        return Recent((*self.samples[:-1], both), sample.turns or self.turns)

    def lumas(self, at_ns: int, frame_hw: tuple[int, int], policy: Policy) -> list[Luma]:
        """Return the grey copies that a picture of `at_ns` is compared with: live, of the same size, a few of them."""
        reach_ns = int(policy.live_gap_s * NS_PER_S)
        live = [one.luma for one in self.samples if one.frame_hw == frame_hw and 0 <= at_ns - one.at_ns <= reach_ns]
        return [live[at] for at in sorted({0, len(live) // 2, len(live) - 1})] if live else []

    def motion(self, luma: Luma, at_ns: int, frame_hw: tuple[int, int], policy: Policy) -> Mask | None:
        """Return what moves in a picture, or stands in it unexplained, in its own pixels; None where nothing tells."""
        before = self.lumas(at_ns, frame_hw, policy)
        moved = moving(luma, before) if before else None
        if moved is not None and self.vouched is not None and self.vouched.shape == moved.shape:
            moved = come(moved, self.vouched)
        if self.unexplained is not None and self.unexplained.shape == luma.shape:
            moved = self.unexplained if moved is None else moved | self.unexplained
        return None if moved is None else enlarged(moved, frame_hw)

    def held(self, at_ns: int, frame_hw: tuple[int, int], policy: Policy, after: Sample | None = None) -> Mask | None:
        """Return the union of the masks still held at `at_ns` (max of 1 s and 2 samples), or None where none is.

        `after`, the next sample, counts too where the source is live: who is found late was there before.
        """
        grids = [fitted(sample.grid, sample.frame_hw, frame_hw) for sample in self._held(at_ns, policy)]
        if after is not None and follows(after, at_ns, frame_hw, policy):
            grids.append(after.grid)
        return fine(np.logical_or.reduce(grids), frame_hw) if grids else None

    def people(self, at_ns: int, frame_hw: tuple[int, int], policy: Policy, after: Sample | None = None) -> Mask:
        """Return the part of what is `held` that was masked as somebody."""
        near = [one for one in self._held(at_ns, policy) if one.frame_hw == frame_hw]
        if after is not None and follows(after, at_ns, frame_hw, policy):
            near.append(after)
        found = [one.people for one in near if one.people is not None]
        return fine(np.logical_or.reduce(found), frame_hw) if found else np.zeros(frame_hw, np.bool_)

    def is_live(self, at_ns: int, policy: Policy) -> bool:
        """Tell whether a picture was searched so shortly before `at_ns` that motion and masks reach on from it."""
        return any(0 <= at_ns - one.at_ns <= policy.live_gap_s * NS_PER_S for one in self.samples)

    def moved(self, by_ns: int) -> Recent:
        """Return it on a clock that was set by `by_ns`."""
        return replace(self, samples=tuple(replace(one, at_ns=one.at_ns + by_ns) for one in self.samples))

    def _held(self, at_ns: int, policy: Policy) -> tuple[Sample, ...]:
        live = [one for one in self.samples if self._is_live(one, at_ns, policy)]
        recent = [one for one in live if at_ns - one.at_ns <= policy.hold_s * NS_PER_S]
        longest = recent if len(recent) >= policy.hold_samples else live[-policy.hold_samples :]
        return tuple(longest)

    def _is_live(self, sample: Sample, at_ns: int, policy: Policy) -> bool:
        return 0 <= at_ns - sample.at_ns <= policy.live_gap_s * policy.hold_samples * NS_PER_S
