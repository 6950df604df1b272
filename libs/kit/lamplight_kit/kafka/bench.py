"""`lamplight bench bus`: the stage's loop against a bare kafka-python loop that does the same in transactions.

Both are a static member of a group of their own, take the same messages (600 bytes) from the same topic, in the same
batches, write one message each and check every send, with kafka-python's options of `settings`. The bare loop passes
bytes on; the stage also parses and serialises each message, and writes down what it has in hand. CPU time is compared,
since on a shared machine the wall's says more about the neighbours.
"""

from __future__ import annotations

import os
import platform
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import structlog
from google.protobuf.wrappers_pb2 import BytesValue
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import OffsetAndMetadata
from lamplight_contracts.topics import Topic, Topics

from lamplight_kit.kafka.settings import BusSettings, consumer_options, producer_options
from lamplight_kit.kafka.stage import Stage
from lamplight_kit.kafka.topics import create_topics
from lamplight_kit.kafka.types import Outgoing, Record
from lamplight_kit.metrics import REGISTRY

MESSAGES = 20_000
MESSAGE_BYTES = 600
PARTITIONS = 4
ROUNDS = 5
LIMIT = 0.8
_PARTITIONS = {"messages": PARTITIONS, "echoes": PARTITIONS, "bench.deadletter": 1}


def run(messages: int = MESSAGES, bootstrap_servers: str | None = None) -> dict[str, Any]:
    """Measure, on a broker started for it (lamplight-kafka-local) or the one given; return the bench's one object."""
    if bootstrap_servers is not None:
        return _measured(bootstrap_servers, messages)
    from lamplight_kafka_local import LocalKafka  # noqa: PLC0415 - wanted on a developer's machine only

    with tempfile.TemporaryDirectory(prefix="lamplight-bench-", ignore_cleanup_errors=True) as folder:
        kafka = LocalKafka(Path(folder))
        try:
            return _measured(kafka.start(), messages)
        finally:
            kafka.kill()


class _Echo:
    """The least handler: one message out for each in."""

    def __init__(self, messages: int) -> None:
        self.left = messages
        self.began_s = 0.0
        self.ended = threading.Event()

    def restore(self, partition: int, records: Sequence[Record]) -> None:
        """Hold no state."""

    def forget(self, partition: int) -> None:
        """Hold no state."""

    def handle(self, batch: Sequence[Record]) -> Sequence[Outgoing]:
        """Return what came."""
        self.began_s = self.began_s or time.process_time()
        self.left -= len(batch)
        if self.left == 0:
            self.ended.set()
        return [Outgoing("echoes", record.key, record.message, record.partition) for record in batch]


def _measured(bootstrap_servers: str, messages: int) -> dict[str, Any]:
    ours, bare = [], []
    with structlog.testing.capture_logs():
        for number in range(ROUNDS):
            bus = BusSettings(bootstrap_servers, f"bench-{os.getpid()}-{number}", "one")
            create_topics(bus, _topics())
            _fill(bus, messages)
            bare.append(_bare(bus, messages))
            ours.append(_stage(bus, messages))
    # The median of the rounds' own ratios: a neighbour that wakes up spoils one round, not the comparison.
    ratio = round(median(theirs / own for theirs, own in zip(bare, ours, strict=True)), 3)
    return {
        "bench": "bus",
        "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "measures": [
            {
                "name": "messages a CPU second, poll to commit",
                "value": round(messages / median(ours)),
                "unit": "1/s",
                "limit": LIMIT,
                "limit_is": "least ratio to the bare loop",
                "ratio": ratio,
            },
            {
                "name": "messages a CPU second, bare kafka-python loop",
                "value": round(messages / median(bare)),
                "unit": "1/s",
                "limit": None,
                "limit_is": None,
                "ratio": 1.0,
            },
        ],
    }


def _topics() -> Topics:
    return Topics({name: _topic(name, count) for name, count in _PARTITIONS.items()})


def _topic(name: str, partitions: int) -> Topic:
    return Topic(name, "key", "camera", partitions, False, -1, 65_536, "", frozenset(), frozenset())  # noqa: FBT003 - its place


def _fill(bus: BusSettings, messages: int) -> None:
    value = BytesValue(value=bytes(MESSAGE_BYTES)).SerializeToString()
    headers = [("type", BytesValue.DESCRIPTOR.full_name.encode()), ("major", b"1")]
    producer = KafkaProducer(**producer_options(bus, "fill", bus.transactional_id("fill")))
    with closing(producer):
        producer.init_transactions()
        producer.begin_transaction()
        for number in range(messages):
            producer.send(bus.wire_topic("messages"), value, b"key", headers, number % PARTITIONS)
        producer.commit_transaction()


def _stage(bus: BusSettings, messages: int) -> float:
    handler = _Echo(messages)
    stage = Stage(bus, "bench", ["messages"], handler, topics=_topics())
    before = _committed()
    stage.start()
    handler.ended.wait(300)
    while _committed() - before < messages:
        time.sleep(0.005)
    seconds = time.process_time() - handler.began_s
    stage.stop(30)
    return seconds


def _committed() -> float:
    return REGISTRY.get_sample_value("lamplight_bus_handled_total", {"stage": "bench", "topic": "messages"}) or 0


def _bare(bus: BusSettings, messages: int) -> float:
    consumer = KafkaConsumer(
        bus.wire_topic("messages"), **consumer_options(bus, "bare"), group_id=bus.group("bare"), group_instance_id="one"
    )
    producer = KafkaProducer(**producer_options(bus, "bare", bus.transactional_id("bare")))
    producer.init_transactions()
    while not consumer.assignment():
        consumer.poll(timeout_ms=5_000, max_records=1)
    consumer.seek_to_beginning()
    target, done = bus.wire_topic("echoes"), 0
    began = time.process_time()
    while done < messages:
        polled = consumer.poll(timeout_ms=1_000, max_records=bus.max_batch)
        if not polled:
            continue
        producer.begin_transaction()
        futures = [
            producer.send(target, raw.value, raw.key, raw.headers, place.partition)
            for place, raws in polled.items()
            for raw in raws
        ]
        producer.flush(30)
        for future in futures:
            future.get(30)
        ends = {place: OffsetAndMetadata(raws[-1].offset + 1, "", -1) for place, raws in polled.items()}
        producer.send_offsets_to_transaction(ends, consumer.group_metadata())
        producer.commit_transaction()
        done += len(futures)
    producer.close(5)
    consumer.close(autocommit=False)
    return time.process_time() - began
