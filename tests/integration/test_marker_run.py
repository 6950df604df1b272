"""The marker run: a detect full of faults sees pictures that would be recognised anywhere, and they are nowhere.

All of each picture is masked, so that no piece of it may be found: not encoded, not as pixels, not quoted in a text.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TypeVar, cast

import av
import cv2
import grpc
import numpy as np
import pytest
from detect_world import METADATA, environment, send, stub_of
from kafka import KafkaConsumer, TopicPartition
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2, frame_pb2_grpc
from lamplight_cli.enrol import still_request
from lamplight_cli.files.situations import Example
from lamplight_kit.kafka import BusSettings, KafkaOutbox, create_topics
from lamplight_kit.kafka.types import Outgoing
from numpy.typing import NDArray
from waits import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

NS = 1_000_000_000
START_NS = 1_700_000_000 * NS
HW = (96, 128)
PROGRAM = Path(__file__).parent / "programs" / "detect_with_faults.py"
NEEDLE = 16
"""Bytes that are found by chance in nothing."""
SHM = Path("/dev/shm")  # noqa: S108 - it is searched, not written
Found = TypeVar("Found")


def marker(seed: int) -> NDArray[np.uint8]:
    """Return a picture of noise, whose every piece is its own."""
    return np.random.default_rng(seed).integers(60, 200, (*HW, 3), np.uint8)


@dataclass
class Needles:
    """What must be found nowhere: pieces of encoded pictures and of their pixels."""

    pieces: set[bytes] = field(default_factory=set)
    quoted: list[bytes] = field(default_factory=list)

    def add(self, content: bytes) -> None:
        """Take `content` in, piece by piece."""
        cut = [content[at : at + NEEDLE] for at in range(0, len(content) - NEEDLE, NEEDLE)]
        self.pieces.update(piece for piece in cut if len(set(piece)) > 8)
        for piece in cut[:: max(1, len(cut) // 8)]:
            told = (repr(piece)[2:-1].encode(), piece.hex().encode(), base64.b64encode(piece[1:13]))
            self.quoted.extend(one for one in told if len(one) >= NEEDLE)

    def found_in(self, content: bytes, *, is_text: bool = False) -> bool:
        """Tell whether a piece is in `content`; quoted ones too where it is a text."""
        if any(content[at : at + NEEDLE] in self.pieces for at in range(len(content) - NEEDLE + 1)):
            return True
        return is_text and any(one in content for one in self.quoted)


@dataclass
class Sent:
    """What was sent: requests, and the needles of their pictures."""

    needles: Needles = field(default_factory=Needles)
    stills: list[bytes] = field(default_factory=list)

    def still(self, seed: int) -> bytes:
        """Return an encoded marker: JPEG, PNG, or a damaged one; its pixels and its scan are needles."""
        picture = marker(seed)
        kind = (".jpg", ".png")[seed % 2]
        data = cv2.imencode(kind, picture)[1].tobytes()
        self.needles.add(data[data.index(b"\xff\xda" if kind == ".jpg" else b"IDAT") + 64 :])
        for pixels in (picture, picture[..., ::-1], cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)):
            self.needles.add(np.ascontiguousarray(pixels).tobytes())
        if seed % 7 == 5:
            data = data[: len(data) // 2]
        self.stills.append(data)
        return data


def stream(seed: int) -> list[tuple[bytes, bool]]:
    """Return an H.264 stream of markers."""
    context = cast("av.VideoCodecContext", av.CodecContext.create("libx264", "w"))
    context.height, context.width, context.pix_fmt = *HW, "yuv420p"
    context.framerate, context.time_base = Fraction(10), Fraction(1, 10)
    context.options, context.gop_size = {"tune": "zerolatency"}, 5
    made = []
    for number in range(10):
        frame = av.VideoFrame.from_ndarray(marker(seed + number), format="bgr24")
        frame.pts = number
        made += context.encode(frame)
    return [(bytes(packet), packet.is_keyframe) for packet in made]


@dataclass
class Detect:
    """A detect that runs, and where everything of it is."""

    address: str
    folder: Path
    bus: BusSettings
    process: subprocess.Popen[bytes]
    shm_before: set[Path]


@pytest.fixture
def detect(kafka: str, tmp_path: Path) -> Iterator[Detect]:
    """Detect with faults on a real broker, its working and temporary folders its own."""
    bus = BusSettings(kafka, f"t{uuid.uuid4().hex[:10]}", "reader")
    create_topics(bus)
    outbox = KafkaOutbox(bus, "test", ["cameras"])
    outbox.start()
    sampling = camera_pb2.Sampling(pictures=camera_pb2.Sampling.PICTURES_ALL, min_gap_s=0.2, max_gap_s=5)
    cameras = [camera_pb2.Camera(id=name, district="d", sampling=sampling, evidence_every_s=1) for name in ("a", "b")]
    outbox.put([Outgoing("cameras", camera.id, camera) for camera in cameras])
    outbox.stop(10)
    for name in ("cwd", "tmp", "data", "evidence"):
        (tmp_path / name).mkdir()
    ports = tmp_path / "ports.json"
    settings = {
        **environment(bus, tmp_path),
        "LAMPLIGHT_WORKERS": "2",
        "LAMPLIGHT_MODEL_TIMEOUT_S": "0.3",
        "LAMPLIGHT_LOG_LEVEL": "debug",
        "TMPDIR": str(tmp_path / "tmp"),
    }
    before = set(SHM.iterdir()) if SHM.is_dir() else set()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM)], env=settings, cwd=tmp_path / "cwd", stdout=log, stderr=log
        )
    try:
        until(lambda: ports.exists() or process.poll() is not None)
        assert process.poll() is None, (tmp_path / "log").read_text()[-2000:]
        yield Detect(f"127.0.0.1:{json.loads(ports.read_text())['grpc']}", tmp_path, bus, process, before)
    finally:
        process.kill()
        process.wait(30)


def live(sent: Sent, count: int) -> list[frame_pb2.Frame]:
    """Return frames of two cameras: stills of one, a stream with a hole of the other, the clock going back in both."""
    frames = []
    for number in range(count):
        at_s = 2.0 * number - (50 if number % 17 == 16 else 0)
        data = sent.still(number)
        codec = "mjpeg" if data.startswith(b"\xff\xd8") else "png"
        frames.append(("a", codec, data, True, at_s))
    for start in range(0, count, 10):
        units = stream(1000 + start)
        for number, (data, is_key) in enumerate(units):
            sent.needles.add(data[64:])
            sent.needles.add(marker(1000 + start + number).tobytes())
            if number != 3:
                frames.append(("b", "h264", data, is_key, 0.2 * (start + number)))
    return [
        frame_pb2.Frame(
            camera_id=camera,
            epoch=1,
            seq=seq,
            at_ns=START_NS + round(at_s * NS),
            codec=codec,
            data=data,
            is_key=is_key,
            examine=True,
        )
        for seq, (camera, codec, data, is_key, at_s) in enumerate(frames)
    ]


def uploads(stub: frame_pb2_grpc.FrameServiceStub, sent: Sent, folder: Path, count: int) -> tuple[int, int]:
    """Upload markers, by hand and as the command line does; return how many came back and how many were refused."""
    redacted = refused = 0
    for number in range(count):
        data = sent.still(5000 + number)
        request = frame_pb2.RedactStillRequest(frame=frame_pb2.Frame(data=data))
        if number % 2:
            path = folder / f"{number}.jpg"
            path.write_bytes(data)
            request = still_request("flood", Example(path, f"{number}.jpg", "mjpeg", is_counter_example=False))
            path.unlink()
        try:
            answer = stub.RedactStill(request, metadata=METADATA, timeout=60)
        except grpc.RpcError as error:
            assert not sent.needles.found_in((error.details() or "").encode(), is_text=True)  # noqa: PT017 - refused
            refused += 1
            continue
        assert not sent.needles.found_in(answer.SerializeToString())
        redacted, refused = redacted + bool(answer.picture), refused + bool(answer.refused)
    return redacted, refused


def on_the_bus(bus: BusSettings) -> dict[str, list[bytes]]:
    """Return all that was ever written to any topic: keys, values and headers, as they lie there."""
    consumer = KafkaConsumer(
        bootstrap_servers=bus.bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_uncommitted",
    )
    try:
        topics = [name for name in consumer.topics() if name.startswith(bus.namespace)]
        parts = [TopicPartition(name, part) for name in topics for part in consumer.partitions_for_topic(name) or ()]
        ends = consumer.end_offsets(parts)
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        found: dict[str, list[bytes]] = {name: [] for name in topics}

        def read() -> bool:
            for part, records in consumer.poll(timeout_ms=500, max_records=5000).items():
                for record in records:
                    headers = [bytes(value or b"") for _, value in record.headers]
                    found[part.topic].extend([record.key or b"", record.value or b"", *headers])
            return all(consumer.position(part) >= end for part, end in ends.items())

        until(read)
        return found
    finally:
        consumer.close()


def files_of(detect: Detect) -> Iterator[tuple[Path, bytes]]:
    """Yield every file that the run may have made, with its content."""
    for path in sorted(detect.folder.rglob("*")):
        if path.is_file():
            yield path, path.read_bytes()
    if SHM.is_dir():
        for path in set(SHM.iterdir()) - detect.shm_before:
            if path.is_file() and os.access(path, os.R_OK):
                yield path, path.read_bytes()


def search(detect: Detect, sent: Sent) -> None:
    """Look everywhere, and expect to find nothing."""
    topics = on_the_bus(detect.bus)
    assert any(values for name, values in topics.items() if name.endswith("regions"))
    for name, values in topics.items():
        assert not any(sent.needles.found_in(value) for value in values), name
    pictures = 0
    for path, content in files_of(detect):
        assert not sent.needles.found_in(content, is_text=path.name == "log"), path
        pictures += path.suffix == ".jpg"
    assert pictures
    assert list((detect.folder / "tmp").iterdir()) == []


def run(detect: Detect, count: int) -> None:
    """Send markers by every way in, end detect as a crash does, and search."""
    sent = Sent()
    stub = stub_of(detect.address)
    frames = live(sent, count)
    verdicts = send(stub, frames)
    outcomes = {one.outcome for one in verdicts}
    assert outcomes >= {frame_pb2.Verdict.OUTCOME_CHANGED, frame_pb2.Verdict.OUTCOME_REFUSED}
    for verdict in verdicts:
        assert not sent.needles.found_in(verdict.SerializeToString(), is_text=True)
    redacted, refused = uploads(stub, sent, detect.folder, count)
    assert redacted
    assert refused
    stranger = frame_pb2.RedactStillRequest(frame=frame_pb2.Frame(data=sent.still(9000)))
    with pytest.raises(grpc.RpcError):
        stub.RedactStill(stranger, timeout=20)
    log = (detect.folder / "log").read_text()
    for name in ("RuntimeError", "MemoryError", "ValueError", "no answer within"):
        assert name in log, (name, log[-3000:])
    detect.process.send_signal(signal.SIGABRT)
    assert detect.process.wait(30) == -signal.SIGABRT
    assert list((detect.folder / "cwd").iterdir()) == []
    search(detect, sent)


def test_nothing_of_a_masked_picture_is_anywhere(detect: Detect) -> None:
    """Logs, topics, dead letters, temporary files, shared memory, data folders, core dumps, answers: no piece of it."""
    run(detect, 30)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_nothing_of_two_thousand_masked_pictures_is_anywhere(detect: Detect) -> None:
    """The same, long."""
    run(detect, 2000)


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """A piece of a picture is found as it is, and quoted in a log in any of the ways that texts quote bytes."""
    sent = Sent()
    data = sent.still(2)
    assert sent.needles.found_in(b"x" * 5 + data[data.index(b"\xff\xda") + 100 :])
    assert sent.needles.found_in(marker(2)[40:42].tobytes())
    assert sent.needles.found_in(f"bad tensor {marker(2).tobytes()!r}".encode(), is_text=True)
    assert sent.needles.found_in(marker(2).tobytes().hex().encode(), is_text=True)
    assert not sent.needles.found_in(marker(3).tobytes(), is_text=True)
