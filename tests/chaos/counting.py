"""A small stage with state, as a process to be killed: counts per key, one effect per input with the running count.

usage: python counting.py BOOTSTRAP NAMESPACE MEMBER MAX_BATCH
An input whose value is `poison` ends the process; `skip`, `refuse` and `retry-once` raise what they say.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence

from google.protobuf.wrappers_pb2 import Int64Value, StringValue
from kafka import KafkaConsumer, TopicPartition
from lamplight_contracts.topics import Topic, Topics
from lamplight_kit.errors import Refuse, Retry, Skip
from lamplight_kit.kafka import BusSettings, Outgoing, Record, Stage
from lamplight_kit.kafka.codec import decode
from lamplight_kit.kafka.settings import consumer_options
from lamplight_kit.log import configure

PARTITIONS = 6


def topics() -> Topics:
    """Return the topics of this stage, all small."""
    made = [
        _topic("inputs", PARTITIONS, is_compacted=False),
        _topic("extras", PARTITIONS, is_compacted=False),
        _topic("counts", PARTITIONS, is_compacted=True),
        _topic("effects", PARTITIONS, is_compacted=False),
        _topic("counting.deadletter", 1, is_compacted=False),
    ]
    return Topics({topic.name: topic for topic in made})


def _topic(name: str, partitions: int, *, is_compacted: bool) -> Topic:
    return Topic(name, "key", "camera", partitions, is_compacted, -1, 65_536, "", frozenset(), frozenset())


class Counting:
    """The handler."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self._counts: dict[int, dict[str, int]] = {}
        self._retried: set[str] = set()

    def restore(self, partition: int, records: Sequence[Record]) -> None:
        """Take the counts back."""
        self._counts[partition] = {record.key: _number(record) for record in records}

    def forget(self, partition: int) -> None:
        """Drop the counts."""
        self._counts.pop(partition, None)

    def handle(self, batch: Sequence[Record]) -> Sequence[Outgoing]:
        """Count each message, and say so; the counts change as it goes, as a careless handler's would."""
        made: list[Outgoing] = []
        for record in batch:
            counts: dict[str, int] = self._counts[record.partition]
            counts[record.key] = counts.get(record.key, 0) + 1
            text = _text(record)
            self._fail(text)
            effect = StringValue(value=f"{text}:{counts[record.key]}")
            made += [
                Outgoing("counts", record.key, Int64Value(value=counts[record.key]), record.partition),
                Outgoing("effects", record.key, effect, record.partition),
            ]
        return made

    def _fail(self, text: str) -> None:
        match text.split("-", maxsplit=1)[0]:
            case "poison":
                os._exit(9)
            case "skip":
                raise Skip(text)
            case "refuse":
                raise Refuse(text)
            case "fault":
                raise ZeroDivisionError(text)
            case "retry" if text not in self._retried:
                self._retried.add(text)
                raise Retry(text)


def _text(record: Record) -> str:
    assert isinstance(record.message, StringValue)
    return str(record.message.value)


def _number(record: Record) -> int:
    assert isinstance(record.message, Int64Value)
    return int(record.message.value)


class Reader:
    """Everything that a read_committed reader finds on a topic, in order within each partition."""

    def __init__(self, bus: BusSettings, topic: str) -> None:
        """Begin at the beginning."""
        self._bus, self._topic = bus, topic
        self._consumer = KafkaConsumer(**consumer_options(bus, f"reader-{topic}"))
        self._consumer.assign(
            [TopicPartition(bus.wire_topic(topic), number) for number in range(topics().named(topic).partitions)]
        )
        self._consumer.seek_to_beginning()
        self.found: list[tuple[str, str]] = []

    def read(self) -> int:
        """Take what is there; return how much has been found in all."""
        for raws in self._consumer.poll(timeout_ms=100).values():
            for raw in raws:
                record = decode(raw, self._topic)
                assert isinstance(record.message, StringValue)
                self.found.append((record.key, record.message.value))
        return len(self.found)

    def close(self) -> None:
        """Let go."""
        self._consumer.close(autocommit=False)


def stage(bus: BusSettings, inputs: Sequence[str] = ("inputs",), **more: Mapping[str, object]) -> Stage:
    """Return the stage, not started."""
    return Stage(bus, "counting", inputs, Counting(), state=["counts"], topics=topics(), **more)  # type: ignore[arg-type] # a test's own options


def main() -> int:
    """Run until SIGTERM."""
    bootstrap, namespace, member, max_batch = sys.argv[1:]
    faulthandler.register(signal.SIGUSR1)
    configure("counting")
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    counting = stage(BusSettings(bootstrap, namespace, member, max_batch=int(max_batch)))
    counting.start()
    ending.wait()
    counting.stop(20)
    return 0


if __name__ == "__main__":
    sys.exit(main())
