"""What tests of match make: vectors of made-up places, and the messages that carry them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from lamplight.command.v1 import command_pb2
from lamplight.embedding.v1 import embedding_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight.region.v1 import region_pb2
from lamplight.situation.v1 import situation_pb2
from lamplight_kit.kafka.types import Record
from numpy.typing import NDArray

from lamplight_match.model import Vector

DIMENSION = 16
MODEL = "a" * 64


@dataclass
class Bus:
    """Makes the records that match reads, as they come from its topics."""

    offsets: list[int] = field(default_factory=list)

    def place(self, seed: int, *, noise: float = 0.0, noise_seed: int = 0) -> Vector:
        """Return the vector of a view of the made-up place `seed`; `noise` is how far it is from the first view."""
        centre = _unit(np.random.default_rng(seed).normal(size=DIMENSION))
        around = _unit(np.random.default_rng(noise_seed + 1_000).normal(size=DIMENSION))
        return _unit(centre + noise * around)

    def example(
        self,
        situation_id: str,
        reference_id: str,
        vector: Vector,
        *,
        counter: bool = False,
        model: str = MODEL,
        refused: str = "",
    ) -> Record:
        """Return the embedding of an example."""
        enrolment = frame_pb2.Enrolment(
            situation_id=situation_id, reference_id=reference_id, is_counter_example=counter
        )
        source = region_pb2.RegionSource(
            region_id=f"{situation_id}/{reference_id}", kind=region_pb2.REGION_KIND_SCENE, enrolment=enrolment
        )
        return self._record("embeddings", situation_id, _embedding(source, vector, model, refused))

    def live(
        self,
        camera_id: str,
        vector: Vector,
        *,
        seq: int = 1,
        zones: tuple[str, ...] = (),
        kind: region_pb2.RegionKind.ValueType = region_pb2.REGION_KIND_SCENE,
        model: str = MODEL,
    ) -> Record:
        """Return the embedding of a live region."""
        source = region_pb2.RegionSource(
            region_id=f"{camera_id}-1-{seq}-{kind}", camera_id=camera_id, seq=seq, at_ns=seq, kind=kind, zone_ids=zones
        )
        return self._record("embeddings", camera_id, _embedding(source, vector, model, ""))

    def enrol(self, situation: situation_pb2.Situation, command_id: str = "c1") -> Record:
        """Return the command that enrols `situation`."""
        command = command_pb2.Command(command_id=command_id, actor="tests", enrol_situation=situation)
        return self._record("commands", situation.id, command)

    def remove(self, situation_id: str, command_id: str = "c9") -> Record:
        """Return the command that removes a situation."""
        command = command_pb2.Command(command_id=command_id, actor="tests", remove_situation_id=situation_id)
        return self._record("commands", situation_id, command)

    def _record(self, topic: str, key: str, message: command_pb2.Command | embedding_pb2.Embedding) -> Record:
        self.offsets.append(1)
        return Record(topic, 0, len(self.offsets), key, message)


def _embedding(source: region_pb2.RegionSource, vector: Vector, model: str, refused: str) -> embedding_pb2.Embedding:
    if refused:
        return embedding_pb2.Embedding(source=source, dimension=len(vector), model_sha256=model, refused=refused)
    return embedding_pb2.Embedding(
        source=source,
        kind=embedding_pb2.VECTOR_KIND_POOLED,
        grid_rows=1,
        grid_columns=1,
        dimension=len(vector),
        vectors=vector.astype("<f4").tobytes(),
        model_sha256=model,
    )


def _unit(values: NDArray[np.float64]) -> Vector:
    return (values / np.linalg.norm(values)).astype(np.float32)


def a_situation(
    examples: tuple[str, ...] = ("one.jpg", "two.jpg"),
    counters: tuple[str, ...] = (),
    *,
    situation_id: str = "flood",
    cameras: tuple[str, ...] = (),
    zone_ids: tuple[str, ...] = (),
    threshold: float | None = None,
) -> situation_pb2.Situation:
    """Return a situation as an operator asks for it."""
    made = situation_pb2.Situation(id=situation_id, name="Flooded underpass", cameras=cameras, zone_ids=zone_ids)
    for names, is_counter in ((examples, False), (counters, True)):
        for name in names:
            made.references.add(reference_id=name, is_counter_example=is_counter)
    if threshold is not None:
        made.threshold = threshold
    return made
