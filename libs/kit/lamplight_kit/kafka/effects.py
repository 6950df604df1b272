"""What a handler makes of a batch, as it goes to the bus: encoded, of a size its topic takes, each in its trace."""

from __future__ import annotations

from collections.abc import Sequence

from lamplight_contracts.topics import Topics

from lamplight_kit import trace
from lamplight_kit.errors import Refuse
from lamplight_kit.kafka.codec import Wire, encode
from lamplight_kit.kafka.types import HEADER_TRACE, Handler, Outgoing, Record


class Effects:
    """Runs a handler; no broker is asked."""

    def __init__(self, handler: Handler, topics: Topics) -> None:
        """Run `handler`, whose effects go to `topics`."""
        self._handler, self._topics = handler, topics
        self._max_bytes = {name: topic.max_bytes for name, topic in topics.by_name.items()}

    def of(self, records: Sequence[Record]) -> Sequence[Wire]:
        """Return the effects of a batch. Raises what the handler raises, and `Refuse` for one that is too large."""
        if not records:
            return []
        if len(records) > 1:
            spans = _Spans(records)
            return [self._encoded(out, spans.of(out.key)) for out in self._handler.handle(records)]
        with trace.within(records[0].headers.get(HEADER_TRACE, "")) as own:
            made = self._handler.handle(records)
        return [self._encoded(out, own) for out in made]

    def _encoded(self, out: Outgoing, traceparent: str) -> Wire:
        wire = encode(out)
        size, most = len(wire.value or b""), self._max_bytes.get(out.topic) or self._topics.named(out.topic).max_bytes
        if size > most:
            text = (
                f"what comes of it for {out.topic} is {size} bytes, at most {most} expected; make the message smaller"
            )
            raise Refuse(text)
        if HEADER_TRACE not in out.headers:
            wire.headers.append((HEADER_TRACE, traceparent.encode()))
        return wire


class _Spans:
    """The traces of a batch of several records: an effect goes on with the one of its own key's last record.

    An effect of a key that no record of the batch has goes on with the batch's last record. A span a trace: effects
    of one trace share it. Records without a trace count for none; where no record has one, the batch begins one.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self._parents = {record.key: parent for record in records if (parent := record.headers.get(HEADER_TRACE))}
        self._last = next((parent for record in reversed(records) if (parent := record.headers.get(HEADER_TRACE))), "")
        self._own: dict[str, str] = {}

    def of(self, key: str) -> str:
        """Return the traceparent of an effect with this key."""
        parent = self._parents.get(key, self._last)
        own = self._own.get(parent)
        if own is None:
            own = self._own[parent] = trace.child(parent)
        return own
