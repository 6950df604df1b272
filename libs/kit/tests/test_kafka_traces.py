"""Every record goes on with a trace: through the outbox, and through a stage by batches of one and of many."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.wrappers_pb2 import StringValue
from lamplight_kit import trace
from lamplight_kit.kafka.codec import Wire
from lamplight_kit.kafka.effects import Effects
from lamplight_kit.kafka.outbox import KafkaOutbox
from lamplight_kit.kafka.settings import BusSettings
from lamplight_kit.kafka.topics import topics_of
from lamplight_kit.kafka.types import HEADER_TRACE, Outgoing, Record

BUS = BusSettings("127.0.0.1:1", "t", "m")
MESSAGE = StringValue(value="x")


class Says:
    """Answers every batch with one record of each key, and one with a trace of its own."""

    def __init__(self, *keys: str) -> None:
        """Answer with `keys`."""
        self._keys = keys

    def restore(self, partition: int, records: Sequence[Record]) -> None: ...

    def forget(self, partition: int) -> None: ...

    def handle(self, batch: Sequence[Record]) -> Sequence[Outgoing]:
        own = Outgoing("cameras", "own", MESSAGE, headers={HEADER_TRACE: "own"})
        return [*(Outgoing("cameras", key, MESSAGE) for key in self._keys), own]


def trace_of(wire: Wire) -> str:
    """Return the one traceparent of a record."""
    (found,) = [text.decode() for name, text in wire.headers if name == HEADER_TRACE]
    return found


def trace_ids(keys: Sequence[str], *records: tuple[str, str]) -> list[str]:
    """Return the trace ids of the effects `keys` of a batch of `records` (key, traceparent or "")."""
    batch = [
        Record("commands", 0, offset, key, MESSAGE, headers={HEADER_TRACE: parent} if parent else {})
        for offset, (key, parent) in enumerate(records)
    ]
    *wires, own = Effects(Says(*keys), topics_of(BUS)).of(batch)
    assert trace_of(own) == "own"
    assert not {trace_of(wire) for wire in wires} & {parent for _, parent in records}, "a span of its own"
    return [trace_of(wire).split("-")[1] for wire in wires]


def test_an_effect_goes_on_with_the_trace_of_its_key() -> None:
    """Of its key's last record that has one, else of the batch's last."""
    a, b, newer, last = parents = [trace.new() for _ in range(4)]
    ids = [parent.split("-")[1] for parent in parents]
    records = [("a", a), ("b", b), ("b", newer), ("b", ""), ("c", last), ("d", "")]
    assert trace_ids(["a", "b", "c", "other", "d"], *records) == [ids[0], ids[2], ids[3], ids[3], ids[3]]
    assert trace_ids(["other"], ("a", a)) == [ids[0]]


def test_a_batch_without_a_trace_begins_one() -> None:
    """One for the whole batch."""
    first, second = trace_ids(["a", "b"], ("a", ""), ("b", ""))
    assert first == second
    assert len(first) == 32


def test_the_outbox_goes_on_with_the_work_at_hand() -> None:
    """What is put within a call has the call's trace, what is put outside begins one, what has one keeps it."""
    box = KafkaOutbox(BUS, "feeder", ["observations"])
    parent = trace.new()
    with trace.within(parent):
        box.put([Outgoing("observations", "k", MESSAGE)])
    box.put(
        [Outgoing("observations", "k", MESSAGE), Outgoing("observations", "k", MESSAGE, headers={HEADER_TRACE: "own"})]
    )
    within, outside, own = (trace_of(waiting.wire) for waiting in box._queue)
    assert within.split("-")[1] == parent.split("-")[1]
    assert within != parent
    assert outside.split("-")[1] not in (parent.split("-")[1], "0" * 32)
    assert own == "own"
