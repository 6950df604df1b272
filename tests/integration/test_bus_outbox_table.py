"""The outbox and the tables on a real broker, with the broker away for a while."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from types import ModuleType

import pytest
from google.protobuf.wrappers_pb2 import Int64Value, StringValue
from lamplight_kafka_local import LocalKafka
from lamplight_kit.clock import ManualClock
from lamplight_kit.kafka import BusSettings, KafkaOutbox, Outgoing, Record, Table, Tables, Tail, create_topics, outbox
from lamplight_kit.kafka.codec import Wire
from lamplight_kit.kafka.producer import TransactionalProducer, UncleanError
from waits import until

pytestmark = pytest.mark.integration


def _holds(found: list[Outgoing], count: int) -> bool:
    return len(found) == count


def said(text: str) -> Outgoing:
    """Make one record."""
    return Outgoing("effects", "key", StringValue(value=text), partition=0)


def test_what_waits_while_the_broker_is_away_is_bounded_and_then_told_once(
    own_kafka: LocalKafka, counting: ModuleType
) -> None:
    """Of what was put in the outage the oldest drop past the bound and are counted; the rest arrives once, in order."""
    bus = BusSettings(own_kafka.start(), "away", "one")
    create_topics(bus, counting.topics())
    clock = ManualClock()
    dropped: list[Outgoing] = []
    committed: list[Outgoing] = []
    box = KafkaOutbox(
        bus,
        "source",
        ["effects"],
        all_topics=counting.topics(),
        clock=clock,
        on_dropped=dropped.extend,
        on_committed=committed.extend,
    )
    box.start()
    box.put([said("first")])
    until(lambda: committed, "the first")
    own_kafka.kill()
    box.put([said("in hand")])
    until(lambda: not box._queue, "one in hand")
    box.put([said(f"old {number}") for number in range(5)])
    clock.turn(outbox.MAX_AGE_S + 1)
    box.put([said("new")])
    assert [record.message for record in dropped] == [StringValue(value=f"old {number}") for number in range(5)]
    own_kafka.start()
    until(lambda: len(committed) == 3, "what was left")
    box.stop(10)
    reader = counting.Reader(bus, "effects")
    until(lambda: reader.read() >= 3, "three records")
    reader.close()
    assert [text for _, text in reader.found] == ["first", "in hand", "new"]


def test_a_commit_of_unknown_outcome_is_settled(
    kafka: str, namespace: str, counting: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that committed although its answer was lost is not written again; one that did not is."""
    bus = BusSettings(kafka, namespace, "one")
    create_topics(bus, counting.topics())
    real, calls = TransactionalProducer.transact, []

    def lossy(self: TransactionalProducer, wires: Sequence[object], offsets: object, group: object) -> None:
        calls.append(len(wires))
        if len(calls) == 2:
            text = "lost on the way there"
            raise UncleanError(text)
        real(self, wires, offsets, group)  # type: ignore[arg-type] # passed on as it came
        if len(calls) == 1:
            text = "lost on the way back"
            raise UncleanError(text)

    monkeypatch.setattr(TransactionalProducer, "transact", lossy)
    committed: list[Outgoing] = []
    box = KafkaOutbox(bus, "source", ["effects"], all_topics=counting.topics(), on_committed=committed.extend)
    box.start()
    for count, text in enumerate(("a", "b", "c"), 1):
        box.put([said(text)])
        until(partial(_holds, committed, count), text)
    box.stop(10)
    reader = counting.Reader(bus, "effects")
    until(lambda: reader.read() >= 3, "three records")
    assert reader.read() == 3
    reader.close()
    assert [text for _, text in reader.found] == ["a", "b", "c"]


def test_too_much_drops_the_oldest(counting: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past its bytes the queue drops from the front, with no broker in sight; a record over its topic's size raises."""
    monkeypatch.setattr(outbox, "MAX_BYTES", 2_000)
    dropped: list[Outgoing] = []
    bus = BusSettings("127.0.0.1:1", "n", "m")
    box = KafkaOutbox(bus, "source", ["effects"], all_topics=counting.topics(), on_dropped=dropped.extend)
    for number in range(5):
        box.put([Outgoing("effects", str(number), b"x" * 400)])
    assert [record.key for record in dropped] == ["0", "1"]
    with pytest.raises(ValueError, match="at most 65536 expected"):
        box.put([Outgoing("effects", "big", b"x" * 70_000)])


def test_a_table_follows_its_topic_through_removal_and_a_broken_connection(
    own_kafka: LocalKafka, counting: ModuleType
) -> None:
    """A reader has all that was there, each change once, and goes on after the broker came back; a tail begins now."""
    bus = BusSettings(own_kafka.start(), "tables", "one")
    create_topics(bus, counting.topics())
    box = KafkaOutbox(bus, "source", ["counts", "effects"], all_topics=counting.topics())
    box.start()
    box.put([Outgoing("counts", key, Int64Value(value=1)) for key in "ab"] + [said("before")])
    box.stop(20)
    changes: list[tuple[str, object]] = []
    heard: list[Record] = []
    table = Table("counts", on_change=lambda key, message: changes.append((key, message)))
    tables = Tables(bus, [table, Tail("effects", heard.append)], topics=counting.topics())
    tables.start()
    assert table.wait_ready(30)
    assert table.items() == {"a": Int64Value(value=1), "b": Int64Value(value=1)}
    until(lambda: tables.unready() is None, "ready")
    own_kafka.stop()
    until(lambda: tables.unready() is not None, "an alarm")
    own_kafka.start()
    box = KafkaOutbox(bus, "source", ["counts", "effects"], all_topics=counting.topics())
    box.start()
    box.put([Outgoing("counts", "a", None), Outgoing("counts", "b", Int64Value(value=2)), said("after")])
    until(lambda: table.get("a") is None and table.get("b") == Int64Value(value=2), "the changes")
    until(lambda: heard, "what was said")
    box.stop(10)
    tables.stop(10)
    assert len(changes) == 4
    assert [record.message for record in heard] == [StringValue(value="after")]


def test_a_table_waits_at_an_unknown_major_with_what_it_knew(kafka: str, namespace: str, counting: ModuleType) -> None:
    """Its partition is paused with the alarm, others go on; a table that meets one at the start is not ready."""
    bus = BusSettings(kafka, namespace, "one")
    create_topics(bus, counting.topics())
    producer = TransactionalProducer(bus, "mixed")
    failed: list[BaseException] = []
    table, late = Table("counts"), Table("counts")
    early = Tables(bus, [table], topics=counting.topics(), on_failed=failed.append)
    after = Tables(bus, [late], topics=counting.topics(), on_failed=failed.append)

    def value(key: str, partition: int, major: bytes = b"1") -> Wire:
        return Wire(
            "counts", partition, key.encode(), b"\x08\x01", [("type", b"google.protobuf.Int64Value"), ("major", major)]
        )

    producer.transact([value("a", 0)], {}, None)
    try:
        early.start()
        assert table.wait_ready(30)
        producer.transact([value("a", 0, b"2"), value("b", 0), value("c", 1)], {}, None)
        until(lambda: table.get("c") and "counts[0]@" in str(early.unready()), "the other partition, and an alarm")
        assert table.is_ready
        assert set(table.items()) == {"a", "c"}
        after.start()
        until(lambda: late.get("a") and late.get("c") and "major '2'" in str(after.unready()), "what can be read")
        assert not late.is_ready
    finally:
        producer.discard()
        early.stop(10)
        after.stop(10)
    assert failed == []
