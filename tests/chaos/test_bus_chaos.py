"""The bus loop under SIGKILL and broker loss: a read_committed reader finds every effect exactly once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from lamplight_kafka_local import LocalKafka
from lamplight_kit.kafka import BusSettings, KafkaOutbox, Outgoing, create_topics
from lamplight_kit.kafka.deadletter import list_letters
from waits import until

COUNTING = Path(__file__).with_name("counting.py")
KEYS = 40


class Victim:
    """The stage's process, started again whenever it has ended."""

    def __init__(self, bus: BusSettings, log: Path) -> None:
        """Start it."""
        self._command = [
            *(sys.executable, str(COUNTING)),
            *(bus.bootstrap_servers, bus.namespace, bus.member, str(bus.max_batch)),
        ]
        self._log = log.open("ab")
        self.exits: list[int] = []
        self.process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, stdout=self._log, stderr=self._log)

    def tend(self) -> None:
        """Start it again if it has ended."""
        if self.process.poll() is not None:
            self.exits.append(self.process.returncode)
            self.process = self._spawn()

    def kill(self) -> None:
        """SIGKILL, and start again."""
        self.process.kill()
        self.process.wait()
        self.tend()

    def stop(self) -> int:
        """SIGTERM; return the exit status."""
        self.process.terminate()
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            self._log.close()


def _feed(outbox: KafkaOutbox, messages: int, pause_s: float, calm: threading.Event) -> None:
    for number in range(messages):
        if number == round(0.95 * messages):
            calm.wait()  # the last are for the last process to have been started
        outbox.put([Outgoing("inputs", f"key-{number % KEYS}", StringValue(value=str(number)))])
        if number % 20 == 19:
            time.sleep(pause_s)  # paces what is fed, so that the kills fall into it


def _run(
    counting: ModuleType,
    broker: LocalKafka,
    folder: Path,
    messages: int,
    kills: int,
    broker_kills: int,
    timeout_s: float,
) -> None:
    bus = BusSettings(broker.start(), "chaos", "one", max_batch=50)
    create_topics(bus, counting.topics())
    chance = random.Random(17)
    moments = sorted(
        [(chance.uniform(0.03, 0.92), "stage") for _ in range(kills)]
        + [(chance.uniform(0.1, 0.9), "broker") for _ in range(broker_kills)]
    )
    outbox = KafkaOutbox(bus, "feeder", ["inputs"], all_topics=counting.topics())
    outbox.start()
    victim = Victim(bus, folder / "counting.log")
    effects = counting.Reader(bus, "effects")
    calm = threading.Event()
    feeder = threading.Thread(target=_feed, args=(outbox, messages, 0.03, calm), daemon=True)
    feeder.start()
    try:
        for share, whom in moments:
            passed = partial(_has_read, effects.read, round(share * messages))
            until(passed, f"{share:.2f} of the effects", timeout_s)
            time.sleep(chance.uniform(0, 0.15))  # anywhere in a batch
            if whom == "stage":
                victim.kill()
            else:
                broker.kill()
                broker.start()
        calm.set()
        until(lambda: effects.read() >= messages, "all effects", timeout_s)
        feeder.join(10)
        outbox.stop(20)
        assert victim.stop() == 0
        until(lambda: effects.read() == effects.read(), "no more effects", 10)
        _judge(effects.found, messages)
        assert list_letters(bus, "counting.deadletter") == []
        assert victim.exits == [-signal.SIGKILL] * kills
    finally:
        victim.process.kill()
        outbox.stop(1)
        effects.close()


def _has_read(read: Callable[[], int], count: int) -> bool:
    return read() >= count


def _judge(found: list[tuple[str, str]], messages: int) -> None:
    numbers = [int(text.split(":")[0]) for _, text in found]
    assert len(numbers) == messages
    assert sorted(numbers) == list(range(messages))
    running: dict[str, int] = {}
    for key, text in found:
        running[key] = running.get(key, 0) + 1
        assert int(text.split(":")[1]) == running[key], f"{key}: {text} is effect {running[key]} of its key"


@pytest.mark.integration
def test_every_effect_once_through_three_kills(own_kafka: LocalKafka, counting: ModuleType, tmp_path: Path) -> None:
    """The stage is killed three times at random moments while 2,000 messages pass."""
    _run(counting, own_kafka, tmp_path, messages=2_000, kills=3, broker_kills=0, timeout_s=60)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_every_effect_once_through_twenty_kills_and_five_broker_kills(
    own_kafka: LocalKafka, counting: ModuleType, tmp_path: Path
) -> None:
    """The stage is killed twenty times and the broker five times while 20,000 messages pass."""
    _run(counting, own_kafka, tmp_path, messages=20_000, kills=20, broker_kills=5, timeout_s=300)


@pytest.mark.integration
def test_a_message_that_kills_its_process_goes_to_the_dead_letters_and_the_rest_pass(
    kafka: str, namespace: str, counting: ModuleType, tmp_path: Path
) -> None:
    """A poison message ends the process in its batch and three times alone; its neighbours are handled once."""
    bus = BusSettings(kafka, namespace, "one", max_batch=50)
    create_topics(bus, counting.topics())
    outbox = KafkaOutbox(bus, "feeder", ["inputs"], all_topics=counting.topics())
    outbox.start()
    texts = ["0", "1", "poison", "2", "3"]
    outbox.put([Outgoing("inputs", "key", StringValue(value=text), partition=0) for text in texts])
    outbox.put([Outgoing("inputs", "other", StringValue(value="4"), partition=1)])
    outbox.stop(10)
    victim = Victim(bus, tmp_path / "counting.log")
    try:
        with closing(counting.Reader(bus, "effects")) as effects:

            def done() -> bool:
                victim.tend()
                return bool(effects.read() >= 5)

            until(done, "the other five effects", 60)
            assert victim.stop() == 0
            assert sorted(effects.found) == sorted(
                [("key", "0:1"), ("key", "1:2"), ("key", "2:3"), ("key", "3:4"), ("other", "4:1")]
            )
        assert victim.exits == [9, 9, 9, 9]
        (letter,) = list_letters(bus, "counting.deadletter")
        assert (letter.topic, letter.partition, letter.offset, letter.attempts) == ("inputs", 0, 2, 3)
    finally:
        victim.process.kill()
