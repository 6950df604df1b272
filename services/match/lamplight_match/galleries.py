"""The galleries of ready situations, in memory; the vector store keeps them, this remembers what it said."""

from __future__ import annotations

import structlog
from lamplight.situation.v1 import situation_pb2

from lamplight_match.enrolment import gallery
from lamplight_match.model import Gallery, VectorStore

_log = structlog.get_logger()


class Galleries:
    """Galleries by situation and version; a new version is read anew, whichever replica enrolled it."""

    def __init__(self, store: VectorStore) -> None:
        """Read from `store`."""
        self._store = store
        self._known: dict[str, tuple[int, Gallery | None]] = {}

    def of(self, situation: situation_pb2.Situation) -> Gallery | None:
        """Return the gallery of a ready situation, None where the store lacks vectors; raises `Retry`."""
        version, found = self._known.get(situation.id, (None, None))
        if version == situation.version:
            return found
        made = gallery(situation, self._store.references(situation.id))
        self._known[situation.id] = (situation.version, made)
        if made is None:
            _log.error(
                "situation without its vectors", situation_id=situation.id, cure="enrol it again: the store lost them"
            )
        return made

    def keep_only(self, situation_ids: frozenset[str]) -> None:
        """Forget every other situation."""
        for situation_id in self._known.keys() - situation_ids:
            del self._known[situation_id]

    def clear(self) -> None:
        """Forget all, so that the store is asked again."""
        self._known.clear()
