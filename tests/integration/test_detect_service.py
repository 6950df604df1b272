"""Detect as it is run: a process on a real broker takes frames by gRPC, and what it writes can be read and verified."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import TypeVar

import cv2
import grpc
import numpy as np
import pytest
from detect_world import METADATA, environment, send, stub_of
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight.key.v1 import key_pb2
from lamplight.observation.v1 import observation_pb2
from lamplight.place.v1 import place_pb2
from lamplight.region.v1 import region_pb2
from lamplight_kit.kafka import BusSettings, KafkaOutbox, Table, Tables, Tail, create_topics
from lamplight_kit.kafka.types import Outgoing, Record
from lamplight_kit.seal import KeyRing, verify
from lamplight_kit.store import EvidenceStore
from lamplight_models import default_folder, missing
from waits import until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.models,
    pytest.mark.timeout(180),
    pytest.mark.skipif(bool(missing(default_folder(os.environ))), reason="the models are not ready: run `make models`"),
]

NS = 1_000_000_000
START_NS = 1_700_000_000 * NS
Found = TypeVar("Found")


def street(shift_px: int) -> bytes:
    """Return a JPEG of a made-up street with a dark block that moves with `shift_px`."""
    noise = np.random.default_rng(1).integers(90, 150, (45, 80, 3), np.uint8)
    scene = cv2.resize(noise, (640, 360), interpolation=cv2.INTER_CUBIC)
    scene[200:260, 100 + shift_px : 180 + shift_px] = 20
    return cv2.imencode(".jpg", scene)[1].tobytes()


@dataclass
class Told:
    """What a read_committed reader of detect's topics sees."""

    seen: list[observation_pb2.Seen] = field(default_factory=list)
    regions: list[region_pb2.Region] = field(default_factory=list)
    keys: KeyRing = field(default_factory=KeyRing)
    key_ids: list[str] = field(default_factory=list)

    def learn(self, _replica: str, message: object) -> None:
        """Take a key in."""
        if isinstance(message, key_pb2.SigningKey):
            self.keys.add(message)
            self.key_ids.append(message.key_id)

    def observe(self, record: Record) -> None:
        """Take an observation in."""
        if isinstance(record.message, observation_pb2.Observation):
            self.seen.append(record.message.seen)

    def cut(self, record: Record) -> None:
        """Take a region in."""
        if isinstance(record.message, region_pb2.Region):
            self.regions.append(record.message)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where detect keeps its things."""
    return tmp_path_factory.mktemp("detect")


@pytest.fixture(scope="module")
def bus(kafka: str) -> Iterator[BusSettings]:
    """The broker with all topics and two cameras."""
    found = BusSettings(kafka, f"t{uuid.uuid4().hex[:10]}", "reader")
    create_topics(found)
    outbox = KafkaOutbox(found, "test", ["cameras", "places"])
    outbox.start()
    camera = camera_pb2.Camera(id="cam-1", district="east", zones=[camera_pb2.Zone(id="all", polygon=_whole())])
    stale = place_pb2.Places(camera_id="held", epoch=7, seq=3, at_ns=START_NS)
    held = camera_pb2.Camera(id="held", district="east")
    outbox.put([Outgoing("cameras", "cam-1", camera), Outgoing("cameras", "held", held)])
    outbox.put([Outgoing("places", "held", stale)])
    yield found
    outbox.stop(10)


def _whole() -> list[camera_pb2.Point]:
    return [camera_pb2.Point(x=x, y=y) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]


@pytest.fixture(scope="module")
def told(bus: BusSettings) -> Iterator[Told]:
    """What detect writes, as others read it."""
    found = Told()
    followed: list[Table | Tail] = [
        Table("keys", found.learn),
        Tail("observations", found.observe),
        Tail("regions", found.cut),
    ]
    tables = Tables(bus, followed)
    tables.start()
    until(lambda: tables.unready() is None)
    yield found
    tables.stop(10)


@pytest.fixture(scope="module")
def address(bus: BusSettings, told: Told, folder: Path) -> Iterator[str]:
    """Detect's gRPC address, once it is ready."""
    ports = folder / "ports.json"
    settings = {**environment(bus, folder), "LAMPLIGHT_WORKERS": "1"}
    process = subprocess.Popen([sys.executable, "-m", "lamplight_detect"], env=settings)
    try:
        until(lambda: ports.exists() or process.poll() is not None)
        assert process.poll() is None
        listening = json.loads(ports.read_text())
        until(lambda: _is_ready(listening["http"]))
        yield f"127.0.0.1:{listening['grpc']}"
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()


def _is_ready(port: int) -> bool:
    """Tell whether detect is ready: its canary has come through."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == HTTPStatus.OK
    finally:
        connection.close()


def _frame(seq: int, at_s: float, data: bytes, camera_id: str = "cam-1", epoch: int = 1) -> frame_pb2.Frame:
    return frame_pb2.Frame(
        camera_id=camera_id,
        epoch=epoch,
        seq=seq,
        at_ns=START_NS + round(at_s * NS),
        codec="mjpeg",
        data=data,
        is_key=True,
        examine=True,
    )


def test_frames_become_verdicts_observations_and_sealed_pictures(address: str, told: Told, folder: Path) -> None:
    """Frames of one camera end in observations whose picture and regions carry a seal that the topic's key proves."""
    pictures = [street(0), street(0), street(40), b"\xff\xd8\xff no picture"]
    verdicts = send(stub_of(address), [_frame(n, 2.0 * n, data) for n, data in enumerate(pictures)])
    outcome = frame_pb2.Verdict
    assert [one.outcome for one in verdicts] == [
        outcome.OUTCOME_CHANGED,
        outcome.OUTCOME_UNCHANGED,
        outcome.OUTCOME_CHANGED,
        outcome.OUTCOME_REFUSED,
    ]
    assert "JPEG" in verdicts[3].reason
    seen = until(lambda: mine if len(mine := [one for one in told.seen if one.camera_id == "cam-1"]) >= 4 else None)
    assert [one.seq for one in seen] == [0, 1, 2, 3]
    assert seen[0].HasField("counts")
    assert [zone.zone_id for zone in seen[0].zones] == ["all"]
    assert not seen[3].HasField("counts")
    assert seen[3].health == [observation_pb2.HEALTH_BROKEN]
    store = EvidenceStore((folder / "evidence").as_uri())
    until(lambda: told.key_ids)
    assert not seen[0].picture_key  # its picture leaves one sample late
    picture = store.get_sealed(seen[1].picture_key, told.keys)
    assert picture.attestation.camera_id == "cam-1"
    assert picture.attestation.at_ns == seen[1].picture_at_ns == START_NS
    region = until(lambda: [one for one in told.regions if one.source.camera_id == "cam-1"])[0]
    assert region.source.picture_key == seen[1].picture_key
    assert verify(region.picture, told.keys).attestation.masks.keys() == {"person", "face", "motion", "plate"}


def test_a_stale_epoch_is_refused_after_a_restart(address: str, told: Told) -> None:
    """The places that another replica wrote are read before the first frame, and an older epoch is turned away."""
    verdicts = send(
        stub_of(address), [_frame(9, 10, street(0), "held", epoch=6), _frame(9, 10, street(0), "held", epoch=7)]
    )
    assert [one.outcome for one in verdicts] == [frame_pb2.Verdict.OUTCOME_REFUSED, frame_pb2.Verdict.OUTCOME_CHANGED]
    assert "epoch" in verdicts[0].reason


def test_an_upload_is_redacted_kept_and_put_out_for_its_situation(address: str, told: Told, folder: Path) -> None:
    """An example of a situation is answered sealed, stored, and its region goes out under the situation's id."""
    request = frame_pb2.RedactStillRequest(
        frame=frame_pb2.Frame(data=street(0)),
        enrolment=frame_pb2.Enrolment(situation_id="flood", reference_id="a.jpg"),
    )
    response = stub_of(address).RedactStill(request, metadata=METADATA, timeout=60)
    assert not response.refused
    store = EvidenceStore((folder / "evidence").as_uri())
    until(lambda: told.key_ids)
    assert store.get_sealed(response.picture_key, told.keys).jpeg == response.picture
    region = until(lambda: [one for one in told.regions if one.source.HasField("enrolment")])[0]
    assert (region.source.region_id, region.source.camera_id) == ("flood/a.jpg", "")
    assert region.source.enrolment == request.enrolment
    refused = stub_of(address).RedactStill(
        frame_pb2.RedactStillRequest(frame=frame_pb2.Frame(data=b"GIF89a")), metadata=METADATA
    )
    assert "GIF" in refused.refused
    assert not refused.picture


def test_nobody_sends_frames_without_a_token(address: str) -> None:
    """A caller that nobody knows is turned away."""
    with pytest.raises(grpc.RpcError) as caught:
        stub_of(address).RedactStill(frame_pb2.RedactStillRequest(), timeout=20)
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
