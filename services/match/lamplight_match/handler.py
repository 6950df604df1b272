"""Match's work: situations are enrolled from commands and examples' vectors; live vectors are compared with them."""

from __future__ import annotations

from collections.abc import Sequence

from lamplight.command.v1 import command_pb2
from lamplight.embedding.v1 import embedding_pb2
from lamplight_kit.errors import Refuse
from lamplight_kit.kafka.types import Outgoing, Record

from lamplight_match.enrolling import Enroller
from lamplight_match.live import Comparer

INPUTS = ("commands", "embeddings")
STATE = ("situations",)


class MatchHandler:
    """The handler of stage `match`: commands and examples' vectors go to `Enroller`, live vectors to `Comparer`."""

    def __init__(self, enroller: Enroller, comparer: Comparer) -> None:
        """Keep the two halves of the work."""
        self._enroller = enroller
        self._comparer = comparer

    def restore(self, partition: int, records: Sequence[Record]) -> None:
        """Take back the situations of `partition`; vectors are read from the store again."""
        self._enroller.restore(partition, records)
        self._comparer.reread()

    def forget(self, partition: int) -> None:
        """Drop the situations of `partition`."""
        self._enroller.forget(partition)

    def handle(self, batch: Sequence[Record]) -> Sequence[Outgoing]:
        """Return the situations that changed and the matches of live regions, in the order of their causes.

        Raises `Retry` while the vector store is away or the tables are still being read, `Refuse` for a message that
        is broken.
        """
        written: list[Outgoing] = []
        self._comparer.begin(self._enroller.overlaid)
        for record in batch:
            written += self._one(record)
        written += self._enroller.recheck(self._comparer.finish())
        return written

    def _one(self, record: Record) -> Sequence[Outgoing]:
        message = record.message
        if isinstance(message, command_pb2.Command):
            changed = self._enroller.command(record.partition, message)
        elif isinstance(message, embedding_pb2.Embedding) and message.source.HasField("enrolment"):
            changed = self._enroller.example(record.partition, message)
        elif isinstance(message, embedding_pb2.Embedding):
            return self._comparer.live(record.key, message)
        else:
            kind = type(message).__name__
            text = f"{record.topic}@{record.offset}: {kind} found, a Command or an Embedding expected"
            raise Refuse(text)
        if changed:
            self._comparer.look(self._enroller.overlaid)
        return changed
