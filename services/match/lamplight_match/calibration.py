"""A situation's threshold, from its own examples and counter-examples; see docs/situations.md.

Each example is compared with the others as if it were a live picture (leave one out). With s the similarity of the
example that resembles the others least:

    threshold = max(FLOOR, s - slack * (1 - s))    slack: 1 with counter-examples, 1/4 without
    least margin = half of the smallest margin that an example has over the counter-examples, from 0 to MARGIN_CAP

With counter-examples the margin tells ordinary views of the same place apart, so that the threshold only has to keep
other places out; without them it has to do both. The constants were chosen on the dev sites of bench/sites.tsv.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lamplight_match.model import Vectors

FLOOR = 0.6
"""Views of different streets resemble each other by up to 0.56 (EfficientNet-Lite0)."""
SLACK_WITH_COUNTERS = 1.0
SLACK_ALONE = 0.25
MARGIN_CAP = 0.02
CONTRADICTION = -0.05
"""An example with a smaller margin than this is one of what the situation is not."""
SAME_PICTURE = 0.995
ONE_EXAMPLE_LIMIT = 0.97
ONE_EXAMPLE_RANGE = (0.65, 0.9)


@dataclass(frozen=True)
class Calibration:
    """What a live region needs to match; `advice` is for the operator, empty where there is nothing to better."""

    threshold: float
    least_margin: float
    advice: str = ""


@dataclass(frozen=True)
class Uncalibrated:
    """Why no threshold can be had, with the cure."""

    reason: str


@dataclass(frozen=True)
class References:
    """Examples [N, D] and counter-examples [M, D] of one encoder, rows of length 1, with their ids."""

    example_ids: tuple[str, ...]
    examples: Vectors
    counter_ids: tuple[str, ...]
    counter_examples: Vectors


def calibrate(references: References, own_threshold: float | None = None) -> Calibration | Uncalibrated:
    """Return what live regions need to match; `own_threshold` is the operator's, and wins over everything."""
    count = len(references.example_ids)
    if count == 0:
        return Uncalibrated("no example found, at least 2 expected; add pictures of the situation")
    if own_threshold is not None:
        return Calibration(own_threshold, _least_margin(references) if count > 1 else 0.0)
    if count == 1:
        return _of_one(references)
    return _of_several(references)


def _of_several(references: References) -> Calibration | Uncalibrated:
    similarities = _others(references.examples)
    weakest = int(similarities.argmin())
    least, name = float(similarities[weakest]), references.example_ids[weakest]
    if least < FLOOR:
        return Uncalibrated(
            f"example {name} resembles no other example (similarity {least:.2f} found, at least {FLOOR} expected); "
            "add more pictures like it, leave it out, or enrol it as a situation of its own"
        )
    contradiction = _contradiction(references, similarities)
    if contradiction is not None:
        return contradiction
    has_counters = len(references.counter_ids) > 0
    slack = SLACK_WITH_COUNTERS if has_counters else SLACK_ALONE
    threshold = max(FLOOR, least - slack * (1 - least))
    return Calibration(threshold, _least_margin(references), "" if has_counters else _NO_COUNTERS)


def _of_one(references: References) -> Calibration | Uncalibrated:
    """Place the threshold beyond the counter-examples, by half the example's distance from them."""
    name = references.example_ids[0]
    if not references.counter_ids:
        return Uncalibrated(
            f"1 example ({name}) and no counter-example found, at least 2 examples, or 1 and a counter-example, "
            "expected; add pictures, or set a threshold of your own"
        )
    to_counters = references.counter_examples @ references.examples[0]
    nearest = int(to_counters.argmax())
    likeness = float(to_counters[nearest])
    if likeness >= ONE_EXAMPLE_LIMIT:
        return _alike(name, references.counter_ids[nearest], likeness)
    threshold = float(np.clip(1 - 1.5 * (1 - likeness), *ONE_EXAMPLE_RANGE))
    margin = min(MARGIN_CAP, (1 - likeness) / 8)
    return Calibration(threshold, margin, "calibrated from one example only: add more, in other light")


def _contradiction(references: References, similarities: NDArray[np.float32]) -> Uncalibrated | None:
    if not references.counter_ids:
        return None
    to_counters = references.examples @ references.counter_examples.T
    nearest = to_counters.max(axis=1)
    margins = similarities - nearest
    worst = int(margins.argmin())
    if nearest.max() >= SAME_PICTURE:
        worst = int(nearest.argmax())
    elif margins[worst] > CONTRADICTION:
        return None
    counter = references.counter_ids[int(to_counters[worst].argmax())]
    return _alike(references.example_ids[worst], counter, float(nearest[worst]))


def _alike(example_id: str, counter_id: str, likeness: float) -> Uncalibrated:
    return Uncalibrated(
        f"example {example_id} resembles counter-example {counter_id} (similarity {likeness:.2f}) more than other "
        "examples; remove one of the two, add more pictures like it, or enrol a zone that shows less around it"
    )


def _least_margin(references: References) -> float:
    if not references.counter_ids:
        return 0.0
    nearest = (references.examples @ references.counter_examples.T).max(axis=1)
    smallest = float((_others(references.examples) - nearest).min())
    return float(np.clip(smallest / 2, 0.0, MARGIN_CAP))


def _others(examples: Vectors) -> NDArray[np.float32]:
    """Return each example's similarity to the nearest other one [N]; N > 1."""
    similarities = examples @ examples.T
    np.fill_diagonal(similarities, -1.0)
    nearest: NDArray[np.float32] = similarities.max(axis=1)
    return nearest


_NO_COUNTERS = "there are no counter-examples: add pictures of the same views without the situation"
