"""Vectors as they lie on the topic `embeddings`, read with care."""

from __future__ import annotations

import numpy as np
from lamplight.embedding.v1 import embedding_pb2
from lamplight_kit.errors import Refuse

from lamplight_match.model import Vector

_LENGTH_TOLERANCE = 1e-3


def pooled(embedding: embedding_pb2.Embedding) -> Vector:
    """Return the one vector of a pooled embedding; `Refuse` where it is none, or not of length 1."""
    name = embedding.source.region_id
    if embedding.kind != embedding_pb2.VECTOR_KIND_POOLED or embedding.grid_rows * embedding.grid_columns != 1:
        kind = embedding_pb2.VectorKind.Name(embedding.kind)
        message = f"embedding of region {name!r}: {kind} found, one pooled vector expected; roll out match first"
        raise Refuse(message)
    if len(embedding.vectors) != 4 * embedding.dimension or not embedding.dimension:
        found = f"{len(embedding.vectors)} bytes for dimension {embedding.dimension}"
        message = f"embedding of region {name!r}: {found} found, 4 bytes a number expected; its writer is broken"
        raise Refuse(message)
    vector = np.frombuffer(embedding.vectors, "<f4").astype(np.float32)
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not abs(length - 1) <= _LENGTH_TOLERANCE:
        message = f"embedding of region {name!r}: a vector of length {length:g} found, length 1 expected"
        raise Refuse(message)
    return vector
