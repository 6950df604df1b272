"""What an operator writes is checked whole, and what nobody needs any more is forgotten."""

from __future__ import annotations

import numpy as np
import pytest
from lamplight.situation.v1 import situation_pb2
from lamplight_match.adapters.memory import MemoryStore, MemoryTable
from lamplight_match.checks import problems_in
from lamplight_match.keeping import sweep
from lamplight_match.model import ReferenceVector
from lamplight_match.testing import a_situation

DAY_NS = 86_400 * 10**9


def test_a_good_situation_has_no_problem() -> None:
    """Ids, selectors, zones and a threshold as they should be."""
    good = a_situation(cameras=("canal-*", "label:underpass", "!canal-9"), zone_ids=("bus_lane",), threshold=0.8)
    assert problems_in(good) == ()


@pytest.mark.parametrize(
    ("situation", "paths"),
    [
        (a_situation(situation_id="Flood!"), ["id"]),
        (a_situation(()), ["references"]),
        (a_situation(("a.jpg", "a.jpg")), ["references[1].reference_id"]),
        (a_situation(("a.jpg", "../b.jpg")), ["references[1].reference_id"]),
        (a_situation(tuple(f"{number}.jpg" for number in range(201))), ["references"]),
        (a_situation(cameras=("a b", "label:", "!!x")), ["cameras[0]", "cameras[1]", "cameras[2]"]),
        (a_situation(zone_ids=("Lane 1",)), ["zones[0]"]),
        (a_situation(threshold=1.5), ["threshold"]),
        (a_situation(threshold=0.0), ["threshold"]),
        (a_situation(("x",), situation_id="", zone_ids=("",)), ["id", "zones[0]"]),
        (situation_pb2.Situation(id="a", name="n" * 3_000), ["name", "references"]),
    ],
)
def test_every_problem_is_found(situation: situation_pb2.Situation, paths: list[str]) -> None:
    """Each with its path, the value and a cure."""
    problems = problems_in(situation)
    assert [problem.path for problem in problems] == paths
    assert all(problem.cure and problem.expected for problem in problems)


def test_uploads_that_nobody_enrolled_are_forgotten_after_a_day() -> None:
    """References that a situation lists stay, and so do fresh ones: their command may still come."""
    store = MemoryStore()
    vector = np.array([1, 0], np.float32)
    for name, stored_ns in (("one.jpg", 1), ("orphan.jpg", 1), ("fresh.jpg", 2 * DAY_NS)):
        store.put_references([ReferenceVector("flood", name, False, "m", vector, stored_ns)])
    sweep(store, MemoryTable({"flood": a_situation(("one.jpg",))}), 2 * DAY_NS)
    assert {one.reference_id for one in store.references("flood")} == {"one.jpg", "fresh.jpg"}
