"""A threshold comes from the situation's own pictures, or there is none and a reason with its cure."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lamplight_match.calibration import FLOOR, MARGIN_CAP, Calibration, References, Uncalibrated, calibrate
from lamplight_match.model import Gallery, Vectors
from lamplight_match.similarity import likeness

DIMENSION = 8


def unit(rows: np.typing.NDArray[np.float64]) -> Vectors:
    """Scale every row to length 1."""
    made: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return made


def references(examples: Vectors, counters: Vectors) -> References:
    """Name the rows."""
    return References(
        tuple(f"e{number}" for number in range(len(examples))),
        examples.reshape(-1, DIMENSION),
        tuple(f"c{number}" for number in range(len(counters))),
        counters.reshape(-1, DIMENSION),
    )


def drawn(seed: int, count: int, spread: float) -> Vectors:
    """Draw vectors [count, DIMENSION] around a common direction, the wider the larger `spread` is."""
    normal = np.random.default_rng(seed).normal(size=(count, DIMENSION))
    return unit(np.eye(DIMENSION)[0] + spread * normal).reshape(-1, DIMENSION)


def rows(least: int, most: int) -> st.SearchStrategy[Vectors]:
    """Vectors of length 1 [least..most, DIMENSION], from nearly one picture to all sorts."""
    return st.builds(drawn, st.integers(0, 10_000), st.integers(least, most), st.floats(0.01, 2))


@given(examples=rows(1, 6), counters=rows(0, 6))
def test_every_outcome_is_a_threshold_within_bounds_or_a_reason(examples: Vectors, counters: Vectors) -> None:
    """Whatever the pictures: a usable threshold, or words with a cure."""
    made = calibrate(references(examples, counters))
    if isinstance(made, Uncalibrated):
        assert "expected" in made.reason or "remove one" in made.reason
    else:
        assert FLOOR <= made.threshold <= 1 + 1e-6
        assert 0 <= made.least_margin <= MARGIN_CAP


@given(examples=rows(2, 6), counters=rows(0, 6))
def test_an_example_is_found_again_by_the_others(examples: Vectors, counters: Vectors) -> None:
    """The threshold admits each example when it is left out, so that pictures like the examples match."""
    made = calibrate(references(examples, counters))
    if isinstance(made, Calibration):
        for number, example in enumerate(examples):
            others = np.delete(examples, number, axis=0)
            assert float((others @ example).max()) >= made.threshold - 1e-5


@given(examples=rows(2, 6), counters=rows(1, 6))
def test_a_counter_example_never_matches(examples: Vectors, counters: Vectors) -> None:
    """A live picture that is a counter-example has no margin left, however similar it is to an example."""
    made = calibrate(references(examples, counters))
    if isinstance(made, Calibration):
        ids = tuple(f"e{number}" for number in range(len(examples)))
        gallery = Gallery(ids, examples, counters, made.threshold, max(made.least_margin, 1e-6), "m")
        assert not any(likeness(counter, gallery).is_match for counter in counters)


@given(examples=rows(2, 6), counters=rows(1, 6), order=st.randoms(use_true_random=False))
def test_the_order_of_pictures_does_not_matter(examples: Vectors, counters: Vectors, order: random.Random) -> None:
    """The same pictures in another order give the same threshold."""
    numbers = list(range(len(examples)))
    order.shuffle(numbers)
    first, second = calibrate(references(examples, counters)), calibrate(references(examples[numbers], counters))
    assert type(first) is type(second)
    if isinstance(first, Calibration) and isinstance(second, Calibration):
        assert first.threshold == pytest.approx(second.threshold, abs=1e-5)
        assert first.least_margin == pytest.approx(second.least_margin, abs=1e-5)


@given(examples=rows(1, 4), counters=rows(0, 4), own=st.floats(0.01, 1))
def test_the_operators_threshold_wins(examples: Vectors, counters: Vectors, own: float) -> None:
    """A threshold that the operator set is taken as it is, over every objection."""
    made = calibrate(references(examples, counters), own)
    assert isinstance(made, Calibration)
    assert made.threshold == own


def at(cosine: float) -> Vectors:
    """Return a vector [1, DIMENSION] with that cosine to the first axis."""
    return np.array([[cosine, np.sqrt(1 - cosine**2), *[0.0] * (DIMENSION - 2)]], np.float32)


NONE = np.zeros((0, DIMENSION), np.float32)
FIRST = at(1.0)


def test_counter_examples_let_the_threshold_give_more() -> None:
    """Alone s - (1 - s) / 4, with counter-examples s - (1 - s): the margin does the rest."""
    examples = np.vstack([FIRST, at(0.9)])
    alone = calibrate(references(examples, NONE))
    counted = calibrate(references(examples, -FIRST))
    assert isinstance(alone, Calibration)
    assert isinstance(counted, Calibration)
    assert alone.threshold == pytest.approx(0.875, abs=1e-4)
    assert counted.threshold == pytest.approx(0.8, abs=1e-4)
    assert "counter-examples" in alone.advice
    assert counted.advice == ""


@pytest.mark.parametrize(
    ("examples", "counters", "words"),
    [
        (NONE, NONE, "no example"),
        (FIRST, NONE, "set a threshold of your own"),
        (FIRST, at(0.98), "e0 resembles counter-example c0"),
        (np.vstack([FIRST, at(0.9), at(0.1)]), NONE, "e2 resembles no other example"),
        (np.vstack([FIRST, at(0.9)]), at(0.97), "remove one of the two"),
        (np.vstack([FIRST, at(0.999)]), np.vstack([-FIRST, at(0.9985)]), "counter-example c1"),
    ],
)
def test_too_few_or_contradictory_pictures_are_refused(examples: Vectors, counters: Vectors, words: str) -> None:
    """The reason names the pictures at fault and what to do."""
    made = calibrate(references(examples, counters))
    assert isinstance(made, Uncalibrated)
    assert words in made.reason


def test_one_example_and_a_counter_example_suffice() -> None:
    """The threshold then lies beyond the counter-example."""
    made = calibrate(references(FIRST, at(0.8)))
    assert isinstance(made, Calibration)
    assert made.threshold == pytest.approx(0.7, abs=1e-4)
    assert "one example only" in made.advice
