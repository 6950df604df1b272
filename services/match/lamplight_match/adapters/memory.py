"""Vectors and tables in this process's memory: for `lamplight watch`, and for tests."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from google.protobuf.message import Message

from lamplight_match.model import HistoryRow, ReferenceVector


class MemoryStore:
    """A `VectorStore` that lasts as long as the process; `history` by region and encoder."""

    def __init__(self, *, keeps_history: bool = True) -> None:
        """Start empty; without `keeps_history` live vectors are dropped at once."""
        self._keeps_history = keeps_history
        self._references: dict[tuple[str, str, str], ReferenceVector] = {}
        self.history: dict[tuple[str, str], HistoryRow] = {}

    def put_references(self, references: Sequence[ReferenceVector]) -> None:
        """Keep `references`, in place of those of the same situation, reference and encoder."""
        for one in references:
            self._references[one.situation_id, one.reference_id, one.model_sha256] = one

    def references(self, situation_id: str) -> Sequence[ReferenceVector]:
        """Return all that is kept of a situation, of every encoder."""
        return [one for one in self._references.values() if one.situation_id == situation_id]

    def drop_references(self, situation_id: str, reference_ids: Collection[str] | None = None) -> None:
        """Forget some references of a situation; all of them where `reference_ids` is None."""
        self._references = {
            key: one
            for key, one in self._references.items()
            if one.situation_id != situation_id or (reference_ids is not None and one.reference_id not in reference_ids)
        }

    def all_references(self) -> Sequence[tuple[str, str, int]]:
        """Return (situation id, reference id, stored_ns) of everything kept."""
        return [(one.situation_id, one.reference_id, one.stored_ns) for one in self._references.values()]

    def put_history(self, rows: Sequence[HistoryRow]) -> None:
        """Keep `rows`, in place of those of the same region and encoder."""
        if self._keeps_history:
            self.history.update({(row.region_id, row.model_sha256): row for row in rows})

    def drop_history(self, now_ns: int) -> None:
        """Forget the rows that have expired by `now_ns`."""
        self.history = {key: row for key, row in self.history.items() if row.expires_ns >= now_ns}


class MemoryTable:
    """A `TableView` over a mapping that its owner may change."""

    def __init__(self, values: Mapping[str, Message]) -> None:
        """Show `values`, live."""
        self._values = values

    def get(self, key: str) -> Message | None:
        """Return the latest value of `key`, or None."""
        return self._values.get(key)

    def items(self) -> Mapping[str, Message]:
        """Return a copy of every key and value."""
        return dict(self._values)

    def wait_ready(self, timeout_s: float) -> bool:  # noqa: ARG002 - as a table that is read takes it
        """Return True: there is nothing to read."""
        return True
