"""A picture as the gate takes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class View:
    """A picture as the gate takes it: `bgr` [H, W, 3], its small grey copy, and when it was taken."""

    bgr: NDArray[np.uint8]
    luma: NDArray[np.uint8]
    at_ns: int

    @property
    def frame_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.bgr.shape[0], self.bgr.shape[1]
