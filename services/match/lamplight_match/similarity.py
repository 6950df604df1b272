"""How much a region resembles a situation."""

from __future__ import annotations

from dataclasses import dataclass

from lamplight_match.model import Gallery, Vector


@dataclass(frozen=True)
class Likeness:
    """`score`: cosine to the nearest example; `margin`: less that to the nearest counter-example, if there is one."""

    score: float
    margin: float
    reference_id: str
    is_match: bool


def likeness(vector: Vector, gallery: Gallery) -> Likeness:
    """Compare a vector of length 1 with a gallery of the same encoder."""
    similarities = gallery.examples @ vector
    nearest = int(similarities.argmax())
    score = float(similarities[nearest])
    has_counter = len(gallery.counter_examples) > 0
    margin = score - float((gallery.counter_examples @ vector).max()) if has_counter else score
    is_match = score >= gallery.threshold and margin >= gallery.least_margin
    return Likeness(score, margin, gallery.example_ids[nearest], is_match)
