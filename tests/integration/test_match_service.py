"""Embed and match on a real Kafka and Milvus Lite: from sealed pictures to a ready situation and its matches."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import grpc
import numpy as np
import pytest
from google.protobuf.message import Message
from kafka import KafkaConsumer, TopicPartition
from lamplight.audit.v1 import audit_pb2
from lamplight.camera.v1 import camera_pb2
from lamplight.embedding.v1 import embedding_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight.match.v1 import match_pb2
from lamplight.region.v1 import region_pb2
from lamplight.seal.v1 import seal_pb2
from lamplight.situation.v1 import situation_pb2, situation_pb2_grpc
from lamplight_embed.bootstrap import build as build_embed
from lamplight_embed.settings import EmbedSettings
from lamplight_embed.vectors import normalised
from lamplight_kit.kafka.codec import decode
from lamplight_kit.kafka.outbox import KafkaOutbox
from lamplight_kit.kafka.settings import BusSettings, consumer_options
from lamplight_kit.kafka.topics import create_topics, topics_of
from lamplight_kit.kafka.types import Outgoing, Record
from lamplight_kit.rpc import blocking_channel, problems_of, sha256_of
from lamplight_kit.service import Component
from lamplight_kit.testing.gate import FakeGate
from lamplight_match.adapters.local_milvus import LocalMilvus
from lamplight_match.bootstrap import build as build_match
from lamplight_match.settings import MatchSettings
from lamplight_match.testing import Bus, a_situation
from numpy.typing import NDArray
from waits import until

pytestmark = pytest.mark.integration
PARTITIONS = 2
DAY_NS = 86_400 * 10**9
Picture = NDArray[np.uint8]


class ColourGrid:
    """An encoder that needs no model: the mean colours of a 4 by 4 grid, less mid grey."""

    model_sha256 = "c" * 64
    dimension = 48

    def encode(self, picture_bgr: Picture) -> NDArray[np.float32]:
        small = cv2.resize(picture_bgr, (4, 4), interpolation=cv2.INTER_AREA).astype(np.float32)
        return normalised((small - 127).ravel())


def street(seed: int, *, noise_seed: int = 0) -> Picture:
    """Draw a view of the made-up street `seed`."""
    coarse = np.random.default_rng(seed).integers(0, 255, (4, 4, 3))
    noise = np.random.default_rng(noise_seed + 99).normal(0, 12, (4, 4, 3))
    return np.kron(np.clip(coarse + noise, 0, 255).astype(np.uint8), np.ones((20, 20, 1), np.uint8)).astype(np.uint8)


def region(gate: FakeGate, picture: Picture, source: region_pb2.RegionSource) -> region_pb2.Region:
    """Seal `picture` as detect does."""
    height, width = picture.shape[:2]
    attestation = seal_pb2.Attestation(camera_id=source.camera_id, height_px=height, width_px=width)
    return region_pb2.Region(source=source, picture=gate.seal(cv2.imencode(".jpg", picture)[1].tobytes(), attestation))


def example(gate: FakeGate, name: str, picture: Picture, *, counter: bool = False) -> Outgoing:
    """Return an example of the flood, as detect's `RedactStill` publishes it."""
    enrolment = frame_pb2.Enrolment(situation_id="flood", reference_id=name, is_counter_example=counter)
    source = region_pb2.RegionSource(region_id=f"flood/{name}", kind=region_pb2.REGION_KIND_SCENE, enrolment=enrolment)
    return Outgoing("regions", "flood", region(gate, picture, source))


def live(gate: FakeGate, camera_id: str, seq: int, picture: Picture) -> Outgoing:
    """Return a live scene of a camera."""
    source = region_pb2.RegionSource(
        region_id=f"{camera_id}-1-{seq}-scene",
        camera_id=camera_id,
        epoch=1,
        seq=seq,
        at_ns=time.time_ns(),
        kind=region_pb2.REGION_KIND_SCENE,
    )
    return Outgoing("regions", camera_id, region(gate, picture, source))


@contextmanager
def running(parts: Sequence[Component]) -> Iterator[None]:
    """Run the parts of a service until the block ends; they are ready when it begins."""
    started: list[Component] = []
    try:
        for part in parts:
            part.start()
            started.append(part)
        until(lambda: all(part.unready() is None for part in parts))
        yield
    finally:
        for part in reversed(started):
            part.stop(20)


class Reader:
    """Reads all of some topics, read_committed, from the beginning."""

    def __init__(self, bus: BusSettings, *topics: str) -> None:
        self._bus = bus
        self._consumer = KafkaConsumer(**consumer_options(bus, "reader"))
        counts = {topic: topics_of(bus).named(topic).partitions for topic in topics}
        places = [TopicPartition(bus.wire_topic(topic), number) for topic in topics for number in range(counts[topic])]
        self._consumer.assign(places)
        self.records: list[Record] = []

    def poll(self) -> list[Record]:
        """Read on, and return everything so far."""
        for place, raws in self._consumer.poll(timeout_ms=100).items():
            self.records += [decode(raw, self._bus.logical_topic(place.topic)) for raw in raws]
        return self.records

    def messages(self, kind: type[Message]) -> list[Message]:
        """Read on, and return all messages of a kind."""
        return [record.message for record in self.poll() if isinstance(record.message, kind)]

    def close(self) -> None:
        self._consumer.close(autocommit=False)


class System:
    """A namespace of its own, a gate, a Milvus Lite, and the ways in and out."""

    def __init__(self, kafka: str, namespace: str, folder: Path) -> None:
        self.kafka, self.namespace, self.folder = kafka, namespace, folder
        self.bus = self.bus_as("tests")
        create_topics(self.bus)
        self.gate = FakeGate()
        self.milvus = LocalMilvus(folder / "milvus")
        self.milvus.start()
        self.outbox = KafkaOutbox(self.bus, "detect", ("keys", "regions", "cameras", "embeddings", "commands"))
        self.outbox.start()
        (folder / "tokens.yaml").write_text(
            "".join(
                f"- {{name: {role}, role: {role}, token_sha256: {sha256_of(role)}}}\n"
                for role in ("viewer", "operator", "admin")
            )
        )

    def bus_as(self, member: str) -> BusSettings:
        return BusSettings(
            self.kafka, self.namespace, member, partitions={"camera": PARTITIONS, "district": PARTITIONS}
        )

    def environment(self) -> dict[str, str]:
        """Return the settings of match."""
        return {
            "LAMPLIGHT_KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "LAMPLIGHT_NAMESPACE": self.namespace,
            "LAMPLIGHT_REPLICA": "match-0",
            "LAMPLIGHT_CAMERA_PARTITIONS": str(PARTITIONS),
            "LAMPLIGHT_DISTRICT_PARTITIONS": str(PARTITIONS),
            "LAMPLIGHT_TOKENS_FILE": str(self.folder / "tokens.yaml"),
            "LAMPLIGHT_MILVUS_URI": self.milvus.url,
            "LAMPLIGHT_ENROL_TIMEOUT_S": "30",
            "LAMPLIGHT_MATCH_BATCH": "5",
        }

    def close(self) -> None:
        self.outbox.stop(10)
        self.milvus.stop(5)


@pytest.fixture
def system(kafka: str, namespace: str, tmp_path: Path) -> Iterator[System]:
    """A system without its services."""
    made = System(kafka, namespace, tmp_path)
    yield made
    made.close()


def test_from_sealed_pictures_to_matches(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enrol by the API, match live regions, list, remove; each call needs its role and is audited."""
    for name, value in system.environment().items():
        monkeypatch.setenv(name, value)
    match_parts = build_match(MatchSettings.load())
    monkeypatch.setenv("LAMPLIGHT_REPLICA", "embed-0")
    embed_parts = build_embed(EmbedSettings.load(), ColourGrid())
    api = next(part for part in match_parts if part.name == "grpc")
    reader = Reader(system.bus, "matches", "audit", "embed.deadletter", "match.deadletter")
    gate = system.gate
    with running(match_parts), running(embed_parts):

        def call(role: str) -> situation_pb2_grpc.SituationServiceStub:
            return situation_pb2_grpc.SituationServiceStub(blocking_channel(f"127.0.0.1:{api.port}", role))  # type: ignore[attr-defined]  # the API's part has a port

        # The regions come before the key that sealed them: embed waits for it.
        system.outbox.put(
            [
                example(gate, "one.jpg", street(1, noise_seed=1)),
                example(gate, "two.jpg", street(1, noise_seed=2)),
                example(gate, "dry.jpg", street(2), counter=True),
                Outgoing("cameras", "canal-1", camera_pb2.Camera(id="canal-1", labels=["underpass"], retention_days=1)),
            ]
        )
        system.outbox.put([Outgoing("keys", "detect-0", gate.key)])
        asked = a_situation(counters=("dry.jpg",), cameras=("label:underpass",))
        enrolled = call("operator").EnrolSituation(situation_pb2.EnrolSituationRequest(situation=asked), timeout=60)
        assert enrolled.situation.state == situation_pb2.Situation.STATE_READY, enrolled.situation.reason
        assert enrolled.situation.effective_threshold > 0.6

        system.outbox.put([live(gate, "canal-1", 1, street(1, noise_seed=3))])
        system.outbox.put([live(gate, "canal-1", 2, street(2, noise_seed=4)), live(gate, "bridge-1", 1, street(1))])
        until(lambda: len(reader.messages(match_pb2.Matches)) == 2)
        by_seq = {m.source.seq: m for m in reader.messages(match_pb2.Matches) if isinstance(m, match_pb2.Matches)}
        assert [match.situation_id for match in by_seq[1].matches] == ["flood"]
        assert list(by_seq[2].compared_situation_ids) == ["flood"]
        assert not by_seq[2].matches

        too_few = a_situation(("alone.jpg",), situation_id="smoke")
        system.outbox.put([example(gate, "unused.jpg", street(3))])
        with pytest.raises(grpc.RpcError) as bad:
            call("operator").EnrolSituation(situation_pb2.EnrolSituationRequest(situation=a_situation(())), timeout=10)
        assert [problem.path for problem in problems_of(bad.value)] == ["references"]
        with pytest.raises(grpc.RpcError) as late:
            call("operator").EnrolSituation(situation_pb2.EnrolSituationRequest(situation=too_few), timeout=4)
        assert "still enrolling: 0 of 1" in str(late.value)
        with pytest.raises(grpc.RpcError, match="PERMISSION_DENIED"):
            call("viewer").EnrolSituation(situation_pb2.EnrolSituationRequest(situation=asked), timeout=10)
        with pytest.raises(grpc.RpcError, match="PERMISSION_DENIED"):
            call("operator").RemoveSituation(situation_pb2.RemoveSituationRequest(situation_id="flood"), timeout=10)
        with pytest.raises(grpc.RpcError, match="did you mean 'flood'"):
            call("admin").RemoveSituation(situation_pb2.RemoveSituationRequest(situation_id="floods"), timeout=10)
        listed = call("viewer").ListSituations(situation_pb2.ListSituationsRequest(), timeout=10)
        assert [situation.id for situation in listed.situations] == ["flood", "smoke"]
        call("admin").RemoveSituation(situation_pb2.RemoveSituationRequest(situation_id="flood"), timeout=30)
        listed = call("viewer").ListSituations(situation_pb2.ListSituationsRequest(), timeout=10)
        assert [situation.id for situation in listed.situations] == ["smoke"]
        until(lambda: len(reader.messages(audit_pb2.AuditRecord)) >= 5)
    acts = [m for m in reader.messages(audit_pb2.AuditRecord) if isinstance(m, audit_pb2.AuditRecord)]
    service = "/lamplight.situation.v1.SituationService"
    assert [(act.actor, act.action, list(act.subject_ids), act.allowed) for act in acts] == [
        ("operator", "enrol_situation", ["flood"], True),
        ("operator", "enrol_situation", ["smoke"], True),
        ("viewer", f"{service}/EnrolSituation", [], False),
        ("operator", f"{service}/RemoveSituation", [], False),
        ("admin", "remove_situation", ["flood"], True),
    ]
    assert not [record for record in reader.records if record.topic.endswith("deadletter")]
    reader.close()


def start_match(system: System) -> subprocess.Popen[bytes]:
    """Start match as a process."""
    with (system.folder / "match.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "lamplight_match"], env={**os.environ, **system.environment()}, stderr=log
        )


def test_a_killed_match_tells_every_region_once(system: System) -> None:
    """SIGKILL while regions pass: the situation is there again with its vectors, and each region is told once."""
    vectors, total = Bus(), 60
    pictures = [vectors.place(1, noise=0.2, noise_seed=seed) for seed in range(2)]
    records = [
        vectors.example("flood", "one.jpg", pictures[0]),
        vectors.example("flood", "two.jpg", pictures[1]),
        vectors.enrol(a_situation()),
    ]
    reader = Reader(system.bus, "matches", "situations")
    process = start_match(system)
    try:
        system.outbox.put([Outgoing(record.topic, record.key, record.message) for record in records])
        until(lambda: any(is_ready(message) for message in reader.messages(situation_pb2.Situation)))
        for seq in range(total):
            system.outbox.put(outgoing(vectors.live(f"canal-{seq % 4}", pictures[seq % 2], seq=seq)))
            if seq == total // 2:
                until(lambda: len(reader.messages(match_pb2.Matches)) > 0)
                process.send_signal(signal.SIGKILL)
                process.wait()
                process = start_match(system)
        until(lambda: len(reader.messages(match_pb2.Matches)) >= total)
    finally:
        process.terminate()
        assert process.wait(30) == 0
    reader.poll()
    told = [m.source.region_id for m in reader.messages(match_pb2.Matches) if isinstance(m, match_pb2.Matches)]
    assert len(told) == len(set(told)) == total
    assert all(m.matches for m in reader.messages(match_pb2.Matches) if isinstance(m, match_pb2.Matches))
    reader.close()


def is_ready(message: Message) -> bool:
    """Tell whether a message is a ready situation."""
    return isinstance(message, situation_pb2.Situation) and message.state == situation_pb2.Situation.STATE_READY


def outgoing(record: Record) -> list[Outgoing]:
    """Return a record to be written as it was read."""
    assert isinstance(record.message, embedding_pb2.Embedding)
    return [Outgoing(record.topic, record.key, record.message)]
