"""Enrolling situations: each example picture through detect's gate, then the situation to match."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import grpc
from lamplight.frame.v1 import frame_pb2, frame_pb2_grpc
from lamplight.situation.v1 import situation_pb2, situation_pb2_grpc
from lamplight_kit.errors import BadInput, Problem

from lamplight_cli.adapters.calls import call, calling
from lamplight_cli.files.situations import Example, SituationFolder
from lamplight_cli.where import Where


def enrol(folder: SituationFolder, where: Where, progress: Callable[[str], None]) -> situation_pb2.Situation:
    """Return the situation as it is once enrolled: ready, or refused with its reason.

    Raises `BadInput` naming every picture that the gate released nothing of, with its reason; nothing is enrolled then.
    """
    situation = situation_pb2.Situation()
    situation.CopyFrom(folder.situation)
    _check_threshold(situation)
    with calling("detect", where.service("detect"), where.token) as channel:
        situation.references.extend(_references(folder, channel, progress))
    with calling("match", where.service("match"), where.token) as channel:
        stub = situation_pb2_grpc.SituationServiceStub(channel)
        answer = call(stub.EnrolSituation, situation_pb2.EnrolSituationRequest(situation=situation))
    enrolled: situation_pb2.Situation = answer.situation
    return enrolled


def still_request(situation_id: str, example: Example) -> frame_pb2.RedactStillRequest:
    """Return the call that has an example redacted, kept and embedded."""
    return frame_pb2.RedactStillRequest(
        frame=frame_pb2.Frame(codec=example.codec, data=example.path.read_bytes(), is_key=True, examine=True),
        enrolment=frame_pb2.Enrolment(
            situation_id=situation_id,
            reference_id=example.reference_id,
            is_counter_example=example.is_counter_example,
        ),
    )


def _check_threshold(situation: situation_pb2.Situation) -> None:
    """Raise `BadInput` for what match would refuse too, but only after every picture went through the gate."""
    if situation.HasField("threshold") and not 0 < situation.threshold <= 1:
        found, cure = f"{situation.threshold:g}", "leave it out, so that it is calibrated from the examples"
        path = f"{situation.id}/situation.yaml"
        raise BadInput((Problem("threshold", found, "a cosine above 0 and up to 1", cure, path, 1),))


def _references(
    folder: SituationFolder, channel: grpc.Channel, progress: Callable[[str], None]
) -> Sequence[situation_pb2.Reference]:
    stub = frame_pb2_grpc.FrameServiceStub(channel)
    references = []
    problems = []
    for number, example in enumerate(folder.examples, 1):
        progress(f"{folder.situation.id}: picture {number} of {len(folder.examples)} through the privacy gate")
        answer = call(stub.RedactStill, still_request(folder.situation.id, example))
        if answer.refused:
            cure = "choose another picture, or crop what hides the scene"
            problems.append(Problem("", answer.refused, "a picture that the gate releases", cure, str(example.path), 1))
        references.append(
            situation_pb2.Reference(
                reference_id=example.reference_id,
                picture_key=answer.picture_key,
                is_counter_example=example.is_counter_example,
            )
        )
    if problems:
        raise BadInput(tuple(problems))
    return references
