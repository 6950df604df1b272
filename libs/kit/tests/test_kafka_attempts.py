"""What counts as an attempt that ended the process: a death, and nothing that the process lived through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from kafka import TopicPartition
from lamplight.command.v1 import command_pb2
from lamplight_kit.kafka.codec import Wire, encode
from lamplight_kit.kafka.marks import Mark
from lamplight_kit.kafka.producer import UncleanError
from lamplight_kit.kafka.settings import BusSettings
from lamplight_kit.kafka.stage import Stage
from lamplight_kit.kafka.types import Outgoing, Record

PLACE = TopicPartition("t.commands", 3)
BUS = BusSettings("127.0.0.1:1", "t", "m")


@dataclass
class Holding:
    """Keeps one place's mark as the broker would, and fails its first commits."""

    failures: int
    kept: Mark = field(default_factory=lambda: Mark(1))
    committed: list[Wire] = field(default_factory=list)

    def mark_of(self, place: TopicPartition) -> Mark | None:
        return self.kept

    def mark(self, marks: Mapping[TopicPartition, Mark]) -> bool:
        self.kept = marks[PLACE]
        return True

    def commit(self, wires: Sequence[Wire], ends: Mapping[TopicPartition, int], left: Mark | None) -> None:
        if self.failures:
            self.failures -= 1
            raise UncleanError("the broker went away")
        self.committed += wires

    def block(self, blocked: Mapping[TopicPartition, Any]) -> None:
        assert not blocked

    def restore(self, partitions: Sequence[int]) -> None:
        """Nothing is held."""

    def lags(self) -> dict[str, int]:
        return {}


class Echo:
    """Answers every record with one of its own."""

    def restore(self, partition: int, records: Sequence[Record]) -> None: ...

    def forget(self, partition: int) -> None: ...

    def handle(self, batch: Sequence[Record]) -> Sequence[Outgoing]:
        return [Outgoing("cameras", record.key, record.message) for record in batch]


def raw() -> Any:
    """Make a record as kafka-python gives it."""
    wire = encode(Outgoing("commands", "k", command_pb2.Command(command_id="v")))
    return SimpleNamespace(
        topic=PLACE.topic, partition=3, offset=0, key=b"k", value=wire.value, headers=wire.headers, timestamp=0
    )


def stage(holding: Holding) -> Stage:
    """Build a stage that holds `holding` instead of a broker's partitions."""
    made = Stage(BUS, "ingest", ["commands"], Echo())
    made._holding = holding  # type: ignore[assignment]  # stands in for the broker
    return made


def test_a_broker_that_fails_is_no_death() -> None:
    """However often the commit fails while the process lives, the message is not given up."""
    holding = Holding(failures=10)
    running = stage(holding)
    for _ in range(10):
        with pytest.raises(UncleanError):
            running._alone(PLACE, [raw()])
        assert holding.kept.attempts == 1
    running._alone(PLACE, [raw()])
    assert [wire.topic for wire in holding.committed] == ["cameras"]


def test_what_is_of_another_topic_reaches_no_handler() -> None:
    """A record without a type, and one of another message, are dead letters that say what was expected."""
    other = StringValue(value="v")
    for message, found in ((b"{}", "type None found"), (other, "type 'google.protobuf.StringValue' found")):
        wire = encode(Outgoing("commands", "k", message))
        strange = SimpleNamespace(**{**vars(raw()), "value": wire.value, "headers": wire.headers})
        holding = Holding(failures=0)
        stage(holding)._alone(PLACE, [strange])
        (letter,) = holding.committed
        assert letter.topic == "ingest.deadletter"
        error = dict(letter.headers)["dead-error"].decode()
        assert found in error
        assert "lamplight.command.v1.Command expected" in error


def test_a_third_death_is_the_last() -> None:
    """A message that three processes died of goes to the dead letters; two deaths are not enough."""
    for deaths, topics in ((2, ["cameras"]), (3, ["ingest.deadletter"])):
        holding = Holding(failures=0, kept=Mark(1, deaths))
        stage(holding)._alone(PLACE, [raw()])
        assert [wire.topic for wire in holding.committed] == topics
