"""Looking at a picture in other poses: turned, since cameras hang on their side, and in another proportion.

A picture says nothing of how its camera hangs, nor whether its pixels are square; the models know upright, square
pictures alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from lamplight_kit.onnx import Kind, Manifest
from numpy.typing import NDArray

from lamplight_detect.detections import Boxes, Detections
from lamplight_detect.models.letterbox import resized

TURNS = (0, 1, 2, 3)
NARROW, WIDE = 1.15, 1.9
"""Proportions (width to height) from NARROW to WIDE are what cameras have; others may be squeezed pixels."""
USUAL = 4 / 3
MOST_PX = 4_000_000
VOTING_SCORE = 0.35
"""From this score on, what is seen speaks for the turn it is seen in."""
LEAST_VOTES, LEAST_LEAD = 0.5, 1.5
LEAST_UPRIGHT = 0.3
"""Cameras hang upright unless something tells otherwise, so that less tells that one does."""
FADING = 0.9


@dataclass(frozen=True)
class Pose:
    """Turned clockwise by `turns` quarters, then scaled to `size_hw` where that is given."""

    turns: int = 0
    size_hw: tuple[int, int] | None = None

    def shown(self, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return `bgr` [H, W, 3] in this pose."""
        turned = np.ascontiguousarray(np.rot90(bgr, -self.turns))
        return turned if self.size_hw is None else _stretched(turned, self.size_hw)

    def turned(self, small: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """Return a small mask [h, w] of the whole picture as it lies in this pose."""
        return None if small is None else np.rot90(small, -self.turns)

    def back(self, boxes_xyxy: Boxes, frame_hw: tuple[int, int]) -> Boxes:
        """Return boxes [N, 4] of the posed picture in pixels of the one of `frame_hw`."""
        height, width = frame_hw
        turned_hw = (height, width) if self.turns % 2 == 0 else (width, height)
        boxes = boxes_xyxy
        if self.size_hw is not None:
            scale = turned_hw[1] / self.size_hw[1], turned_hw[0] / self.size_hw[0]
            boxes = boxes * np.array([*scale, *scale], np.float32)
        left, top, right, bottom = boxes.T
        sides = {
            0: (left, top, right, bottom),
            1: (top, height - right, bottom, height - left),
            2: (width - right, height - bottom, width - left, height - top),
            3: (width - bottom, left, width - top, right),
        }[self.turns]
        return np.stack(sides, axis=1).astype(np.float32)


def proportioned(frame_hw: tuple[int, int]) -> tuple[Pose, ...]:
    """Return the poses in which a picture of an odd proportion is looked at besides: as 4:3, at most MOST_PX."""
    height, width = frame_hw
    if NARROW <= width / height <= WIDE:
        return ()
    tall = max(height, width / USUAL)
    tall *= min(1.0, (MOST_PX / (tall * tall * USUAL)) ** 0.5)
    return (Pose(0, (round(tall), round(tall * USUAL))),)


def reduced(turns: int, frame_hw: tuple[int, int]) -> Pose:
    """Return the pose of a picture of `frame_hw` turned by `turns` quarters, in at most MOST_PX."""
    height, width = frame_hw if turns % 2 == 0 else frame_hw[::-1]
    scale = (MOST_PX / (height * width)) ** 0.5
    return Pose(turns) if scale >= 1 else Pose(turns, (round(scale * height), round(scale * width)))


def votes(found: Detections, manifest: Manifest) -> float:
    """Return how much what is seen speaks for the turn it is seen in: the summed squares of sure scores."""
    upright = found.of(manifest.indices(Kind.PERSON, Kind.VEHICLE, Kind.ANIMAL)).at_least(VOTING_SCORE)
    return float((upright.scores**2).sum())


@dataclass(frozen=True)
class Turns:
    """How a camera hangs, as far as its pictures have told: votes for each turn, over `pictures` released."""

    votes: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    pictures: int = 0

    @property
    def sure(self) -> int | None:
        """The clockwise quarter turns that set the pictures upright, None while they do not tell."""
        best, second = sorted(self.votes, reverse=True)[:2]
        turn = self.votes.index(best)
        is_sure = best >= (LEAST_VOTES if turn else LEAST_UPRIGHT) and best >= LEAST_LEAD * second
        return turn if is_sure else None

    @property
    def likely(self) -> int | None:
        """The turn that more speaks for than for any other, None where nothing was heard at all."""
        best = max(self.votes)
        return self.votes.index(best) if best > 0 else None

    def wanted(self, first: int, every: int) -> tuple[int, ...]:
        """Return the turns besides upright in which the next picture is searched.

        All of them in the `first` pictures and in one of `every`; between, the sure one, or each of them in turn.
        """
        if self.pictures < first or (every and self.pictures % every == 0 and first):
            return TURNS[1:]
        if first == 0:
            return ()
        if self.sure is None:
            return (1 + self.pictures % 3,)
        return (self.sure,) if self.sure else ()

    def after(self, heard: dict[int, float]) -> Turns:
        """Return it with one more picture, and its votes where all turns were searched."""
        told = tuple(FADING * self.votes[turn] + heard[turn] for turn in TURNS) if len(heard) == 4 else self.votes
        return Turns(told, self.pictures + 1)


UPRIGHT = Turns((1e9, 0.0, 0.0, 0.0), 1_000_001)
"""What is known of a camera that hangs as it should, long since: its next picture is searched upright alone."""


def _stretched(bgr: NDArray[np.uint8], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    if size_hw[0] < bgr.shape[0] or size_hw[1] < bgr.shape[1]:
        return resized(bgr, size_hw)
    return cv2.resize(bgr, size_hw[::-1], interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
