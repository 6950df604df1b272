"""`RedactedPicture`: what the gate alone can make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field

import cv2
import numpy as np
from lamplight_kit.errors import Refuse
from numpy.typing import NDArray

from lamplight_detect.detections import Boxes
from lamplight_detect.gate.motion import Mask

KINDS = ("person", "face", "motion", "plate")
GRID_PX = 16
_DOOR = object()


class GateClosed(Refuse):
    """The gate releases nothing: the text says why."""


@dataclass(frozen=True)
class RedactedPicture:
    """A picture with its masks burnt in: `bgr` [H, W, 3] read-only, `mask` [H, W], masks by kind.

    Of the masked pixels those of `filled` [H, W] (None: none) show the place without people, the others are solid.
    It leaves at `scale` (at most 1) of its size: as large as it was searched for people, see `masks.leaving`.
    `boxes` holds the masks' boxes by kind, for benches on the same machine; they never leave with the picture.
    """

    bgr: NDArray[np.uint8]
    mask: Mask
    masks: Mapping[str, int]
    boxes: Mapping[str, Boxes] = field(repr=False)
    scale: float
    door: InitVar[object]
    filled: Mask | None = None

    def __post_init__(self, door: object) -> None:
        """Refuse to be made anywhere but in the gate."""
        if door is not _DOOR:
            message = "a RedactedPicture made by hand found; only the privacy gate makes one"
            raise TypeError(message)
        if not 0 < self.scale <= 1:
            message = f"a picture that leaves at {self.scale} of its size found, above 0 and at most 1 expected"
            raise GateClosed(message)
        self.bgr.flags.writeable = False

    @property
    def frame_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.bgr.shape[0], self.bgr.shape[1]

    @property
    def leaving_hw(self) -> tuple[int, int]:
        """Height and width in pixels of what leaves, rounded down."""
        height, width = self.frame_hw
        return max(1, int(height * self.scale)), max(1, int(width * self.scale))

    @property
    def masked_share(self) -> float:
        """Share of the picture under masks, 0 to 1."""
        return float(self.mask.mean())

    @property
    def filled_share(self) -> float:
        """Share of the picture that is filled, 0 to 1."""
        return 0.0 if self.filled is None else float(self.filled.mean())

    @property
    def filled_holes(self) -> int:
        """How many holes are filled."""
        if self.filled is None:
            return 0
        count, _ = cv2.connectedComponents(self.filled.astype(np.uint8))
        return int(count) - 1

    def grid(self) -> Mask:
        """Return the merged mask on a 16-pixel grid; a cell is masked where any of its pixels is."""
        height, width = self.mask.shape
        rows, columns = -(-height // GRID_PX), -(-width // GRID_PX)
        whole = np.zeros((rows * GRID_PX, columns * GRID_PX), np.bool_)
        whole[:height, :width] = self.mask
        found: Mask = np.any(whole.reshape(rows, GRID_PX, columns, GRID_PX), axis=(1, 3))
        return found
