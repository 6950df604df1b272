"""The enrolling half: each situation belongs to the member that holds its partition, and changes there alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import structlog
from lamplight.command.v1 import command_pb2
from lamplight.embedding.v1 import embedding_pb2
from lamplight.situation.v1 import situation_pb2
from lamplight_kit.clock import Clock
from lamplight_kit.errors import Refuse
from lamplight_kit.kafka.types import Outgoing, Record

from lamplight_match import meters
from lamplight_match.checks import ID, REFERENCE_ID, problems_in
from lamplight_match.enrolment import Situation, begun, settled
from lamplight_match.model import ReferenceVector, Vector, VectorStore
from lamplight_match.vectors import pooled

_log = structlog.get_logger()


class Enroller:
    """Keeps the situations of the partitions in hand; what it does to the store bears repetition."""

    def __init__(self, store: VectorStore, clock: Clock) -> None:
        """Keep vectors in `store`."""
        self._store = store
        self._clock = clock
        self._situations: dict[int, dict[str, Situation]] = {}
        self._removed: set[str] = set()

    def restore(self, partition: int, records: Sequence[Record]) -> None:
        """Take back the situations of `partition`, oldest first."""
        own: dict[str, Situation] = {}
        for record in records:
            if isinstance(record.message, situation_pb2.Situation):
                own[record.key] = record.message
            else:
                own.pop(record.key, None)
        self._situations[partition] = own

    def forget(self, partition: int) -> None:
        """Drop the situations of `partition`."""
        self._situations.pop(partition, None)

    def overlaid(self, table: Mapping[str, Situation]) -> Mapping[str, Situation]:
        """Return `table`, which lags, with what is in hand over it."""
        own = {key: situation for held in self._situations.values() for key, situation in held.items()}
        return {key: value for key, value in {**table, **own}.items() if key in own or key not in self._removed}

    def command(self, partition: int, command: command_pb2.Command) -> Sequence[Outgoing]:
        """Apply a command; those of other owners are passed over, and one that was applied before changes nothing."""
        own = self._situations.setdefault(partition, {})
        what = command.WhichOneof("what")
        if what == "enrol_situation":
            return self._enrol(own, command)
        if what == "remove_situation_id":
            return self._remove(own, command.remove_situation_id)
        return ()

    def example(self, partition: int, embedding: embedding_pb2.Embedding) -> Sequence[Outgoing]:
        """Keep the vector of an example; it may come before or after the command that lists it."""
        reference = self._reference(embedding)
        was_replaced = any(_replaces(reference, one) for one in self._store.references(reference.situation_id))
        self._store.put_references([reference])
        own = self._situations.setdefault(partition, {})
        situation = own.get(reference.situation_id)
        if situation is None or all(one.reference_id != reference.reference_id for one in situation.references):
            return ()
        return self._settle(own, situation, None if was_replaced else situation)

    def recheck(self, situation_ids: Iterable[str]) -> Sequence[Outgoing]:
        """Settle situations in hand again, whose vectors the store no longer has; others' owners see to theirs."""
        return [
            outgoing
            for situation_id in sorted(situation_ids)
            for own in self._situations.values()
            if situation_id in own
            for outgoing in self._settle(own, own[situation_id], own[situation_id])
        ]

    def _enrol(self, own: dict[str, Situation], command: command_pb2.Command) -> Sequence[Outgoing]:
        asked = command.enrol_situation
        problems = problems_in(asked)
        if problems:
            raise Refuse("; ".join(str(problem) for problem in problems))
        previous = own.get(asked.id)
        if previous is not None and previous.last_command_id == command.command_id:
            return ()
        self._removed.discard(asked.id)
        if previous is not None:
            kept = {reference.reference_id for reference in asked.references}
            gone = {reference.reference_id for reference in previous.references} - kept
            self._store.drop_references(asked.id, gone)
        return self._settle(own, begun(asked, command.command_id, previous), previous)

    def _remove(self, own: dict[str, Situation], situation_id: str) -> Sequence[Outgoing]:
        if own.pop(situation_id, None) is None:
            return ()
        self._removed.add(situation_id)
        self._store.drop_references(situation_id)
        _log.info("situation removed", situation_id=situation_id)
        return [Outgoing("situations", situation_id, None)]

    def _settle(
        self, own: dict[str, Situation], situation: Situation, previous: Situation | None
    ) -> Sequence[Outgoing]:
        result = settled(situation, self._store.references(situation.id))
        if result == previous:
            return ()
        result.version += 1
        own[result.id] = result
        state = Situation.State.Name(result.state).removeprefix("STATE_").lower()
        meters.SITUATIONS.labels(state).inc()
        _log.info("situation", situation_id=result.id, state=state, version=result.version, reason=result.reason)
        return [Outgoing("situations", result.id, result)]

    def _reference(self, embedding: embedding_pb2.Embedding) -> ReferenceVector:
        enrolment = embedding.source.enrolment
        if not ID.fullmatch(enrolment.situation_id) or not REFERENCE_ID.fullmatch(enrolment.reference_id):
            found = f"example {enrolment.reference_id!r} of situation {enrolment.situation_id!r}"
            text = f"{found} found, ids of a-z, 0-9, _ and - expected; its writer is broken"
            raise Refuse(text)
        return ReferenceVector(
            situation_id=enrolment.situation_id,
            reference_id=enrolment.reference_id,
            is_counter_example=enrolment.is_counter_example,
            model_sha256=embedding.model_sha256,
            vector=_stand_in(embedding.dimension) if embedding.refused else pooled(embedding),
            stored_ns=self._clock.now_ns(),
            refused=embedding.refused,
        )


def _replaces(new: ReferenceVector, old: ReferenceVector) -> bool:
    """Tell whether `new` is another picture under the id of `old`: every replica has to read it."""
    same_place = (new.reference_id, new.model_sha256) == (old.reference_id, old.model_sha256)
    return same_place and (new != replace(old, stored_ns=new.stored_ns) or not np.allclose(new.vector, old.vector))


def _stand_in(dimension: int) -> Vector:
    """Return a vector that stands where a picture has none: the store takes no row without one."""
    vector = np.zeros(max(dimension, 2), np.float32)
    vector[0] = 1
    return vector
