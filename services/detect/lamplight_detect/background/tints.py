"""Small colour copies: who is as bright as the ground may be of another colour."""

from __future__ import annotations

from dataclasses import dataclass, field
from weakref import ReferenceType, ref

import cv2
import numpy as np
from numpy.typing import NDArray

Made = tuple[ReferenceType[NDArray[np.uint8]], NDArray[np.uint8]]
"""The picture that a copy is of, and the copy."""


def small_tints(bgr: NDArray[np.uint8], small_hw: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return both colour differences [2, h, w] (ITU-R BT.601) of `bgr` on its small copy, smoothed against noise."""
    small = cv2.resize(bgr, (small_hw[1], small_hw[0]), interpolation=cv2.INTER_AREA)
    differences = cv2.split(cv2.cvtColor(small, cv2.COLOR_BGR2YCrCb))[1:]
    return np.stack([cv2.GaussianBlur(one, (3, 3), 0) for one in differences]).astype(np.uint8, copy=False)


@dataclass
class Tints:
    """The small colour copies that were made last, by what they are for: a picture is asked for more than once.

    They are known by the picture itself, which nobody changes. It is not kept, and its copy goes with it.
    """

    last: dict[str, Made] = field(default_factory=dict)

    def of(self, use: str, bgr: NDArray[np.uint8], small_hw: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return the `small_tints` of `bgr`."""
        known = self.last.get(use)
        if known is not None and known[0]() is bgr and known[1].shape[1:] == small_hw:
            return known[1]
        made = small_tints(bgr, small_hw)
        self.last[use] = ref(bgr, lambda gone: self._forget(use, gone)), made
        return made

    def _forget(self, use: str, gone: ReferenceType[NDArray[np.uint8]]) -> None:
        """Let go of the copy of a picture that is gone."""
        if use in self.last and self.last[use][0] is gone:
            del self.last[use]
