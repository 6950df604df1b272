"""Vectors: made comparable, and as they lie on the topic `embeddings`."""

from __future__ import annotations

import numpy as np
from lamplight_kit.errors import Refuse
from numpy.typing import NDArray

from lamplight_embed.model import Vector

_LEAST_LENGTH = 1e-6


def normalised(pooled: NDArray[np.float32]) -> Vector:
    """Scale `pooled` [dimension] to length 1, so that dot products are cosines; `Refuse` where it has no direction."""
    length = float(np.linalg.norm(pooled.astype(np.float64)))
    if not np.isfinite(length) or length < _LEAST_LENGTH:
        message = f"a vector of length {length:g} found, one with a direction expected; the picture shows nothing"
        raise Refuse(message)
    return (pooled / length).astype(np.float32)


def packed(vector: Vector) -> bytes:
    """Return little-endian float32, as `Embedding.vectors` holds them."""
    return vector.astype("<f4").tobytes()
