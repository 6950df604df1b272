"""A Kafka of one's own: which jars, which Java, and that it ends with whoever started it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient
from lamplight_kafka_local import JarError, JavaNotFoundError, LocalKafka, find_java
from lamplight_kafka_local.jars import Jar, is_intact, pinned_jars
from lamplight_kafka_local.java import major_of


def test_every_jar_is_pinned_once() -> None:
    """The list names the broker's own jars, each with a whole checksum."""
    jars = pinned_jars()
    assert {"kafka_2.13-4.1.0.jar", "kafka-clients-4.1.0.jar"} <= {jar.filename for jar in jars}
    assert len({(jar.group, jar.artifact) for jar in jars}) == len(jars)
    assert {len(jar.sha256) for jar in jars} == {64}


def test_a_changed_jar_is_not_taken_for_the_pinned_one(tmp_path: Path) -> None:
    """One byte more, or no file, is seen."""
    jar = Jar("g", "a", "1", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    path = tmp_path / jar.filename
    assert not is_intact(path, jar)
    path.touch()
    assert is_intact(path, jar)
    path.write_bytes(b"x")
    assert not is_intact(path, jar)


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache behind a dead proxy names the jar and the cure."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    said: list[str] = []
    with pytest.raises(JarError, match="connect this machine to Maven Central once"):
        LocalKafka(tmp_path / "data", cache_dir=tmp_path / "cache", progress=said.append).start()
    assert "46 of 46 jars" in said[0]


@pytest.mark.parametrize(
    ("text", "major"),
    [('openjdk version "25.0.2" 2026-01-20', 25), ('openjdk version "17.0.15"', 17), ("nothing", 0)],
)
def test_java_says_its_version(text: str, major: int) -> None:
    """What `java -version` prints is understood."""
    assert major_of(text) == major


def test_an_old_java_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which one, which version was found, and which is wanted."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n", encoding="utf-8")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(JavaNotFoundError, match="is Java 11, 17 or newer expected"):
        find_java()


@pytest.mark.integration
def test_a_second_start_behind_a_dead_proxy_finds_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the jars are there nothing needs a network; a record and the address outlive a stop."""
    broker = LocalKafka(tmp_path)
    try:
        first = broker.start()
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        admin = KafkaAdminClient(bootstrap_servers=first)
        admin.create_topics({"kept": {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
        admin.close()
        producer = KafkaProducer(bootstrap_servers=first)
        producer.send("kept", b"a record").get(20)
        producer.close()
        broker.stop()
        assert not broker.running
        second = broker.start()
        assert second == first
        consumer = KafkaConsumer("kept", bootstrap_servers=second, auto_offset_reset="earliest", group_id=None)
        found = [raw.value for raws in consumer.poll(20_000).values() for raw in raws]
        consumer.close()
        assert found == [b"a record"]
    finally:
        broker.kill()


@pytest.mark.integration
def test_java_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """A parent that is killed leaves no broker behind."""
    program = (
        "import sys, time; from pathlib import Path; from lamplight_kafka_local import LocalKafka;"
        "k = LocalKafka(Path(sys.argv[1])); k.start(); print(k._java_pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-P", "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as parent:
        assert parent.stdout is not None
        java = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    until = time.monotonic() + 20
    while java.is_running() and java.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until, "Java outlives its parent"
        time.sleep(0.05)
