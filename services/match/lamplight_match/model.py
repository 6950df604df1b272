"""The values that match works on; numpy and the standard library only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
"""[dimension], of length 1."""
Vectors = NDArray[np.float32]
"""[count, dimension], each row of length 1."""


@dataclass(frozen=True)
class ReferenceVector:
    """The vector of one example or counter-example of a situation, by one encoder.

    Where the picture could not be embedded, `refused` says why and the vector means nothing. `stored_ns` is Unix time.
    """

    situation_id: str
    reference_id: str
    is_counter_example: bool
    model_sha256: str
    vector: Vector = field(compare=False)
    stored_ns: int = 0
    refused: str = ""


@dataclass(frozen=True)
class HistoryRow:
    """The vector of one live region, kept until `expires_ns` so that it can be searched; times are Unix nanoseconds."""

    region_id: str
    camera_id: str
    at_ns: int
    expires_ns: int
    kind: str
    class_name: str
    zone_ids: tuple[str, ...]
    place_id: str
    picture_key: str
    model_sha256: str
    vector: Vector = field(compare=False)


@dataclass(frozen=True)
class Gallery:
    """All that a region is compared with for one situation: examples [N, D], N > 0, and counter-examples [M, D]."""

    example_ids: tuple[str, ...]
    examples: Vectors
    counter_examples: Vectors
    threshold: float
    least_margin: float
    model_sha256: str


class VectorStore(Protocol):
    """The keeper of vectors. Every call raises `Retry` while it is away; writing the same again is harmless."""

    def put_references(self, references: Sequence[ReferenceVector]) -> None:
        """Keep `references`, in place of those of the same situation, reference and encoder."""
        ...

    def references(self, situation_id: str) -> Sequence[ReferenceVector]:
        """Return all that is kept of a situation, of every encoder."""
        ...

    def drop_references(self, situation_id: str, reference_ids: Collection[str] | None = None) -> None:
        """Forget some references of a situation; all of them where `reference_ids` is None."""
        ...

    def all_references(self) -> Sequence[tuple[str, str, int]]:
        """Return (situation id, reference id, stored_ns) of everything kept."""
        ...

    def put_history(self, rows: Sequence[HistoryRow]) -> None:
        """Keep `rows`, in place of those of the same region and encoder."""
        ...

    def drop_history(self, now_ns: int) -> None:
        """Forget the rows that have expired by `now_ns`."""
        ...
