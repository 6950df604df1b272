"""Enrolment: what a situation is, from what its operator asked for and the vectors that are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from lamplight.situation.v1 import situation_pb2

from lamplight_match.calibration import References, Uncalibrated, calibrate
from lamplight_match.model import Gallery, ReferenceVector

Situation = situation_pb2.Situation


def begun(asked: Situation, command_id: str, previous: Situation | None) -> Situation:
    """Return the next version of a situation, as `asked` for by a command and still without vectors."""
    situation = Situation()
    situation.CopyFrom(asked)
    for reference in situation.references:
        reference.is_embedded = False
    situation.state = Situation.STATE_ENROLLING
    situation.reason = situation.model_sha256 = ""
    situation.effective_threshold = 0.0
    situation.version = 0 if previous is None else previous.version
    situation.last_command_id = command_id
    return situation


def settled(situation: Situation, vectors: Sequence[ReferenceVector]) -> Situation:
    """Return `situation` as `vectors` make it: enrolling, ready with a threshold, or refused with a reason.

    The version stays; who publishes the change counts it up.
    """
    found = by_reference(situation, vectors)
    result = Situation()
    result.CopyFrom(situation)
    for reference in result.references:
        reference.is_embedded = reference.reference_id in found and not found[reference.reference_id].refused
    refused = [f"{name}: {vector.refused}" for name, vector in found.items() if vector.refused]
    missing = len(result.references) - len(found)
    if refused:
        return _refuse(result, f"no vector of {'; '.join(refused)}")
    if missing:
        result.state = Situation.STATE_ENROLLING
        result.reason = (
            f"{len(found)} of {len(result.references)} pictures have their vectors; the others are waited for, "
            "add the situation again if none comes"
        )
        result.effective_threshold = 0.0
        result.model_sha256 = ""
        return result
    return _calibrated(result, found)


def by_reference(situation: Situation, vectors: Iterable[ReferenceVector]) -> Mapping[str, ReferenceVector]:
    """Return the listed references that have vectors, all of one encoder: the one that knows most, then the newest."""
    counter_of = {reference.reference_id: reference.is_counter_example for reference in situation.references}
    of_model: dict[str, dict[str, ReferenceVector]] = {}
    for vector in vectors:
        if counter_of.get(vector.reference_id) is vector.is_counter_example:
            of_model.setdefault(vector.model_sha256, {})[vector.reference_id] = vector
    if not of_model:
        return {}
    return max(of_model.values(), key=lambda known: (len(known), max(one.stored_ns for one in known.values())))


def gallery(situation: Situation, vectors: Sequence[ReferenceVector]) -> Gallery | None:
    """Return what live regions are compared with, or None where vectors of a ready situation are missing."""
    listed = {reference.reference_id: reference.is_counter_example for reference in situation.references}
    found = {
        vector.reference_id: vector
        for vector in vectors
        if vector.model_sha256 == situation.model_sha256
        and listed.get(vector.reference_id) is vector.is_counter_example
        and not vector.refused
    }
    if not found or len(found) != len(listed):
        return None
    references = _references(found)
    calibration = calibrate(references, _own_threshold(situation))
    if isinstance(calibration, Uncalibrated):
        return None
    return Gallery(
        example_ids=references.example_ids,
        examples=references.examples,
        counter_examples=references.counter_examples,
        threshold=situation.effective_threshold,
        least_margin=calibration.least_margin,
        model_sha256=situation.model_sha256,
    )


def _calibrated(result: Situation, found: Mapping[str, ReferenceVector]) -> Situation:
    calibration = calibrate(_references(found), _own_threshold(result))
    if isinstance(calibration, Uncalibrated):
        return _refuse(result, calibration.reason)
    result.state = Situation.STATE_READY
    result.effective_threshold = calibration.threshold
    result.model_sha256 = next(iter(found.values())).model_sha256
    result.reason = calibration.advice
    return result


def _own_threshold(situation: Situation) -> float | None:
    return situation.threshold if situation.HasField("threshold") else None


def _refuse(result: Situation, reason: str) -> Situation:
    result.state = Situation.STATE_REFUSED
    result.reason = reason
    result.effective_threshold = 0.0
    result.model_sha256 = ""
    return result


def _references(found: Mapping[str, ReferenceVector]) -> References:
    examples = [vector for vector in found.values() if not vector.is_counter_example]
    counters = [vector for vector in found.values() if vector.is_counter_example]
    dimension = len(next(iter(found.values())).vector)
    return References(
        tuple(one.reference_id for one in examples),
        np.array([one.vector for one in examples], np.float32).reshape(-1, dimension),
        tuple(one.reference_id for one in counters),
        np.array([one.vector for one in counters], np.float32).reshape(-1, dimension),
    )
