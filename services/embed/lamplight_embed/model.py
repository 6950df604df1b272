"""What embed needs of an encoder, and the vector that it makes."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
"""[dimension], of length 1."""


class Encoder(Protocol):
    """Makes one vector of one redacted picture."""

    model_sha256: str
    dimension: int

    def encode(self, picture_bgr: NDArray[np.uint8]) -> Vector:
        """Return the pooled vector of a picture [H, W, 3]; raises `Refuse` where there is none."""
        ...
