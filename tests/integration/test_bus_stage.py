"""The bus loop on a real broker: errors decide, partitions move with their state, nothing is told twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from lamplight_kit.errors import Retry, Stop
from lamplight_kit.kafka import BusSettings, KafkaOutbox, Outgoing, Stage, create_topics
from lamplight_kit.kafka.codec import Wire
from lamplight_kit.kafka.deadletter import drop_letter, list_letters, replay_letter, show_letter
from lamplight_kit.kafka.producer import TransactionalProducer
from lamplight_kit.kafka.readback import read_back
from prometheus_client import REGISTRY
from waits import until

pytestmark = pytest.mark.integration
DEADLETTER = "counting.deadletter"


@contextmanager
def running(part: Any) -> Iterator[Any]:
    """Start a component, and stop it whatever happens."""
    part.start()
    try:
        yield part
    finally:
        part.stop(20)


@pytest.fixture
def bus(kafka: str, namespace: str, counting: ModuleType) -> BusSettings:
    """Give a bus with the topics of the counting stage."""
    bus = BusSettings(kafka, namespace, "one", max_batch=100)
    create_topics(bus, counting.topics())
    return bus


def write(bus: BusSettings, counting: ModuleType, *records: Outgoing) -> None:
    """Write records and wait until they are there."""
    with running(KafkaOutbox(bus, "writer", ["inputs", "extras"], all_topics=counting.topics())) as outbox:
        outbox.put(records)


def said(text: str, key: str = "key", partition: int = 0, topic: str = "inputs") -> Outgoing:
    """Make one input."""
    return Outgoing(topic, key, StringValue(value=text), partition)


def test_errors_decide_what_becomes_of_a_message(bus: BusSettings, counting: ModuleType) -> None:
    """Skipped and refused messages leave no trace in the state, a retried one passes, and all others pass once."""
    texts = ["a", "skip-1", "b", "refuse-1", "c", "retry-1", "d"]
    write(bus, counting, *(said(text) for text in texts), said("e", "other", 1))
    effects = counting.Reader(bus, "effects")
    with running(counting.stage(bus)) as stage:
        until(lambda: effects.read() >= 6, "six effects")
        until(lambda: stage.unready() is None, "ready again")
    assert effects.read() == 6
    effects.close()
    assert [text for key, text in effects.found if key == "key"] == ["a:1", "b:2", "c:3", "retry-1:4", "d:5"]
    (letter,) = list_letters(bus, DEADLETTER)
    assert (letter.error, letter.attempts, letter.offset) == ("refuse-1", 1, texts.index("refuse-1"))


def test_the_lag_is_told_while_a_stage_is_stuck_and_is_none_once_all_is_read(
    bus: BusSettings, counting: ModuleType
) -> None:
    """An operator sees how much waits behind a message that is tried again and again; markers are no records."""
    stuck = threading.Event()
    stuck.set()
    handler = counting.Counting()
    counted = handler.handle

    def handle(batch: Any) -> Any:
        if stuck.is_set():
            text = "what it needs is away"
            raise Retry(text)
        return counted(batch)

    handler.handle = handle
    write(bus, counting, said("a"))

    def lag() -> float | None:
        return REGISTRY.get_sample_value("lamplight_bus_lag", {"stage": "stuck", "topic": "inputs"})

    with running(
        Stage(bus, "stuck", ["inputs"], handler, state=["counts"], deadletter=DEADLETTER, topics=counting.topics())
    ):
        until(lambda: (lag() or 0) >= 1, "one that waits")
        write(bus, counting, *(said(f"{number}") for number in range(30)))
        until(lambda: (lag() or 0) >= 31, "all of them wait")
        stuck.clear()
        until(lambda: lag() == 0, "nothing waits")


def test_a_fault_of_the_handler_ends_the_stage(bus: BusSettings, counting: ModuleType) -> None:
    """What is none of ours goes to whoever ends the process; nothing of the batch is committed."""
    write(bus, counting, said("a"), said("fault-1"))
    failed: list[BaseException] = []
    with running(counting.stage(bus, on_failed=failed.append)) as stage:
        until(lambda: bool(failed), "the fault")
        assert "ZeroDivisionError" in str(stage.unready())
    assert isinstance(failed[0], ZeroDivisionError)
    effects = counting.Reader(bus, "effects")
    assert effects.read() == 0
    effects.close()


def test_an_unknown_major_pauses_its_partition_with_an_alarm(bus: BusSettings, counting: ModuleType) -> None:
    """What came before it passes, what comes after it waits, other partitions go on, and readiness says why."""
    newer = Wire("inputs", 0, b"key", b"", [("type", b"google.protobuf.StringValue"), ("major", b"2")])
    write(bus, counting, said("a"))
    producer = TransactionalProducer(bus, "newer")
    producer.transact([newer], {}, None)
    producer.discard()
    write(bus, counting, said("b"), said("c", "other", 1))
    effects = counting.Reader(bus, "effects")
    with running(counting.stage(bus)) as stage:
        until(lambda: effects.read() >= 2 and stage.unready() is not None, "two effects and an alarm")
        assert "major '2'" in stage.unready()
        write(bus, counting, said("d", "other", 1), said("e"))
        until(lambda: effects.read() >= 3, "the third effect")
    assert effects.read() == 3
    effects.close()
    assert sorted(effects.found) == [("key", "a:1"), ("other", "c:1"), ("other", "d:2")]
    assert list_letters(bus, DEADLETTER) == []


def test_state_of_an_unknown_major_pauses_its_partition_alone(bus: BusSettings, counting: ModuleType) -> None:
    """A partition whose state cannot be read is not worked on, others are; what a later value mended does not count."""
    name = b"google.protobuf.Int64Value"
    newer = [Wire("counts", at, b"key", b"\x08\x05", [("type", name), ("major", b"2")]) for at in (0, 2)]
    mended = Wire("counts", 2, b"key", b"\x08\x05", [("type", name), ("major", b"1")])
    producer = TransactionalProducer(bus, "newer")
    producer.transact([*newer, mended], {}, None)
    producer.discard()
    write(bus, counting, said("a"), said("b", "other", 1), said("c", "key", 2))
    effects = counting.Reader(bus, "effects")
    failed: list[BaseException] = []
    with running(counting.stage(bus, on_failed=failed.append)) as stage:
        until(lambda: effects.read() >= 2 and "state that cannot be read" in str(stage.unready()), "an alarm")
        assert "counts[0]@0: major '2'" in stage.unready()
        assert REGISTRY.get_sample_value("lamplight_bus_paused", {"stage": "counting"}) == 1
        write(bus, counting, said("d", "other", 1), said("e"))
        until(lambda: effects.read() >= 3, "the third effect")
    assert effects.read() == 3
    effects.close()
    assert sorted(effects.found) == [("key", "c:6"), ("other", "b:1"), ("other", "d:2")]
    assert failed == []
    assert list_letters(bus, DEADLETTER) == []


def test_what_a_dead_process_left_open_holds_nobody_up_for_long(bus: BusSettings, counting: ModuleType) -> None:
    """Its state is read back by another as soon as its session would have ended, so that a takeover takes no longer."""
    dead = TransactionalProducer(bus, "dead")
    left_open = dead._producer
    left_open.begin_transaction()
    left_open.send(bus.wire_topic("counts"), b"1", b"key", partition=0).get(10)
    began_s = time.monotonic()
    state = read_back(bus, "heir", {"counts": ""}, [0], lambda: False)
    assert time.monotonic() - began_s < 15
    assert state[0].records == []
    dead.discard()


def test_dead_letters_are_shown_replayed_and_dropped(bus: BusSettings, counting: ModuleType) -> None:
    """Bytes of no known type become a letter as they were; a replay writes them back, a drop strikes the letter out."""
    strange = [Wire("inputs", 2, b"key", b"{}", [("type", b"no.such.Type"), ("major", b"1"), ("own", b"x")])]
    producer = TransactionalProducer(bus, "strange")
    producer.transact(strange, {}, None)
    producer.discard()
    with running(counting.stage(bus)):
        until(lambda: len(list_letters(bus, DEADLETTER)) == 1, "the letter")
        (first,) = list_letters(bus, DEADLETTER)
        assert (first.value, first.key, first.partition, first.topic) == (b"{}", b"key", 2, "inputs")
        assert first.headers == {"type": "no.such.Type", "major": "1", "own": "x"}
        assert "no.such.Type" in show_letter(bus, DEADLETTER, first.letter_id).error
        replay_letter(bus, DEADLETTER, first.letter_id)
        until(lambda: [letter.offset for letter in list_letters(bus, DEADLETTER)] == [2], "the letter again")
    (second,) = list_letters(bus, DEADLETTER)
    drop_letter(bus, DEADLETTER, second.letter_id)
    assert list_letters(bus, DEADLETTER) == []


def test_partitions_move_with_their_state_between_one_two_and_three_members(
    bus: BusSettings, counting: ModuleType
) -> None:
    """Members come and go while messages pass; each has the same partitions of both inputs; effects are told once."""
    effects = counting.Reader(bus, "effects")
    stop_feeding, fed = threading.Event(), Counter[str]()

    def feed(outbox: KafkaOutbox) -> None:
        while not stop_feeding.wait(0.02):
            key = f"key-{fed.total() % 24}"
            topic = "inputs" if fed.total() % 3 else "extras"
            outbox.put([Outgoing(topic, key, StringValue(value="x"), hash(key) % counting.PARTITIONS)])
            fed[key] += 1

    with ExitStack() as stack:
        outbox = stack.enter_context(running(KafkaOutbox(bus, "f", ["inputs", "extras"], all_topics=counting.topics())))
        feeder = threading.Thread(target=feed, args=(outbox,), daemon=True)
        feeder.start()
        stages = {name: _member(stack, bus, counting, name) for name in ("a", "b")}
        until(lambda: _held(stages) == [3, 3], "two members share")
        stages["c"] = _member(stack, bus, counting, "c")
        until(lambda: _held(stages) == [2, 2, 2], "three members share")
        began = time.monotonic()
        stages.pop("b").stop(20)
        until(lambda: _held(stages) == [3, 3], "two members share again", 9)
        assert time.monotonic() - began < 9, "a member that leaves is not waited for until its session ends"
        stop_feeding.set()
        feeder.join(10)
        outbox.stop(10)
        until(lambda: effects.read() >= fed.total(), "all effects")
    assert effects.read() == fed.total()
    effects.close()
    running_count: Counter[str] = Counter()
    for key, text in effects.found:
        running_count[key] += 1
        assert text == f"x:{running_count[key]}"
    assert running_count == fed


def _member(stack: ExitStack, bus: BusSettings, counting: ModuleType, name: str) -> Stage:
    own = BusSettings(bus.bootstrap_servers, bus.namespace, name, max_batch=50)
    stage: Stage = stack.enter_context(running(counting.stage(own, ("inputs", "extras"))))
    return stage


def _held(stages: dict[str, Stage]) -> list[int]:
    held = []
    for stage in stages.values():
        places = stage._holding._places if stage._holding.settled() else frozenset()
        by_topic = [
            {place.partition for place in places if place.topic.endswith(name)} for name in ("inputs", "extras")
        ]
        assert by_topic[0] == by_topic[1]
        held.append(len(by_topic[0]))
    return sorted(held)


def test_two_processes_of_one_name_are_not_suffered(bus: BusSettings, counting: ModuleType) -> None:
    """The older one is fenced, and its error names the member."""
    failed: list[BaseException] = []
    with running(counting.stage(bus, on_failed=failed.append)) as first:
        until(lambda: first.unready() is None, "the first is ready")
        with running(counting.stage(bus)) as second:
            until(lambda: second.unready() is None, "the second is ready")
            until(lambda: bool(failed), "the first is fenced")
    assert isinstance(failed[0], Stop)
    assert "member 'one'" in str(failed[0])


def test_topics_of_another_size_stop_the_start(bus: BusSettings, counting: ModuleType) -> None:
    """The error names the topic, what was found, what was expected, and the cure."""
    failed: list[BaseException] = []
    wider = counting.topics().with_partitions({"camera": 24})
    stage = Stage(bus, "counting", ["inputs"], counting.Counting(), topics=wider, on_failed=failed.append)
    with running(stage):
        until(lambda: bool(failed), "the stop")
    assert isinstance(failed[0], Stop)
    for word in (f"{bus.namespace}.inputs", "6 partitions found", "24 expected", "another namespace"):
        assert word in str(failed[0])
