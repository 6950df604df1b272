"""Ingest as it is run: a process on a real broker, real cameras on loopback, and a detect that only takes frames."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import grpc
import httpx
import numpy as np
import pytest
from google.protobuf.message import Message
from lamplight.camera.v1 import camera_pb2, camera_pb2_grpc
from lamplight.frame.v1 import frame_pb2, frame_pb2_grpc
from lamplight.observation.v1 import observation_pb2
from lamplight_demo.cameras import rtsp
from lamplight_demo.media.encode import write_mp4
from lamplight_kit.kafka import BusSettings, Table, Tables, Tail, create_topics
from lamplight_kit.kafka.types import Record
from lamplight_kit.rpc import Role, RpcServer, Tokens, blocking_channel, problems_of, sha256_of
from lamplight_kit.rpc.callers import Caller

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

TOKENS = {"operator": "let-me-look", "admin": "let-me-change", "service": "ingest-calls-detect"}
PASSWORD = "pass-word-never-shown"
FPS = 10
Found = TypeVar("Found")


def until(find: Callable[[], Found | None], within_s: float = 40.0) -> Found:
    """Return what `find` gives once it gives something; fails after `within_s`."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        found = find()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"nothing came within {within_s:g} s")


@dataclass
class Detect(frame_pb2_grpc.FrameServiceServicer):
    """Takes frames, answers each, keeps them."""

    frames: list[frame_pb2.Frame] = field(default_factory=list)
    credit: int = 4

    async def StreamFrames(self, requests: AsyncIterator[Any], context: object) -> AsyncIterator[Any]:
        """Give credit first, then a verdict a frame."""
        async for request in requests:
            if not request.HasField("frame"):
                yield frame_pb2.StreamFramesResponse(verdict=frame_pb2.Verdict(credit=self.credit))
                continue
            frame = request.frame
            self.frames.append(frame)
            verdict = frame_pb2.Verdict(
                camera_id=frame.camera_id,
                epoch=frame.epoch,
                seq=frame.seq,
                outcome=frame_pb2.Verdict.OUTCOME_CHANGED,
                credit=self.credit,
            )
            yield frame_pb2.StreamFramesResponse(verdict=verdict)

    def of(self, camera_id: str) -> list[frame_pb2.Frame]:
        """Return the frames of one camera."""
        return [frame for frame in self.frames if frame.camera_id == camera_id]


@contextlib.contextmanager
def serving(detect: Detect, listen: str = "127.0.0.1:0") -> Iterator[str]:
    """Serve a detect in a thread; give its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    tokens = Tokens(((sha256_of(TOKENS["service"]), Caller("ingest", Role.OPERATOR)),))

    def register(server: grpc.aio.Server) -> None:
        frame_pb2_grpc.add_FrameServiceServicer_to_server(detect, server)

    method = "/lamplight.frame.v1.FrameService/StreamFrames"
    server = RpcServer(listen, [register], tokens, {method: Role.OPERATOR})
    port = asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(0.1), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


@dataclass
class Seen:
    """What stands on the topics that ingest writes."""

    cameras: Table
    states: Table
    observations: list[Record]

    def state(self, camera_id: str) -> camera_pb2.CameraState | None:
        """Return a camera's latest state."""
        found = self.states.get(camera_id)
        return found if isinstance(found, camera_pb2.CameraState) else None

    def state_of(
        self, camera_id: str, state: camera_pb2.CameraState.State, reason: str = ""
    ) -> camera_pb2.CameraState | None:
        """Return a camera's latest state where it is `state`, for a reason with `reason` in it."""
        found = self.state(camera_id)
        return found if found is not None and found.state == state and reason in found.reason else None

    def changes(self, camera_id: str) -> list[str]:
        """Return the states that a camera has gone through, as told in the observations."""
        told = [
            r.message.state_changed for r in self.observations if isinstance(r.message, observation_pb2.Observation)
        ]
        return [change.state for change in told if change.camera_id == camera_id]

    def ticked(self) -> set[int]:
        """Return the partitions that ticks have come on."""
        return {partition for partition, told in self.told() if told.WhichOneof("kind") == "tick"}

    def told(self) -> list[tuple[int, observation_pb2.Observation]]:
        """Return the observations with their partitions."""
        records = list(self.observations)
        return [(r.partition, r.message) for r in records if isinstance(r.message, observation_pb2.Observation)]


@pytest.fixture
def bus(kafka: str, namespace: str) -> BusSettings:
    """Topics of a test's own."""
    settings = BusSettings(kafka, namespace, "test")
    create_topics(settings)
    return settings


@pytest.fixture
def seen(bus: BusSettings) -> Iterator[Seen]:
    """What stands on the topics, kept current."""
    observations: list[Record] = []
    failed: list[BaseException] = []
    cameras, states = Table("cameras"), Table("camera-states")
    tables = Tables(bus, [cameras, states, Tail("observations", observations.append)], on_failed=failed.append)
    tables.start()
    until(lambda: tables.unready() is None or None)
    yield Seen(cameras, states, observations)
    tables.stop(10)
    assert not failed


@dataclass
class Worker:
    """A running ingest."""

    process: subprocess.Popen[bytes]
    ports: Mapping[str, int]
    log: Path

    def call(self, token: str) -> camera_pb2_grpc.CameraServiceStub:
        """Return a client of its API."""
        return camera_pb2_grpc.CameraServiceStub(blocking_channel(f"127.0.0.1:{self.ports['grpc']}", TOKENS[token]))

    def ready(self) -> bool:
        """Tell whether /readyz says so."""
        with httpx.Client(trust_env=False) as client:
            return client.get(f"http://127.0.0.1:{self.ports['http']}/readyz").status_code == 200

    def metrics(self) -> str:
        """Return /metrics."""
        with httpx.Client(trust_env=False) as client:
            return client.get(f"http://127.0.0.1:{self.ports['http']}/metrics").text


Start = Callable[..., Worker]


@pytest.fixture
def start(bus: BusSettings, tmp_path: Path) -> Iterator[Start]:
    """Start workers by `python -m lamplight_ingest`; end them all at the end."""
    tokens = tmp_path / "tokens.yaml"
    roles = {"operator": "operator", "admin": "admin"}
    tokens.write_text(
        "".join(f"- {{name: {n}, role: {r}, token_sha256: {sha256_of(TOKENS[n])}}}\n" for n, r in roles.items())
    )
    running: list[Worker] = []

    def go(replica: str, detect_address: str, **more: str) -> Worker:
        ports = tmp_path / f"{replica}-{len(running)}.json"
        log = tmp_path / f"{replica}.log"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LAMPLIGHT_")},
            "LAMPLIGHT_KAFKA_BOOTSTRAP_SERVERS": bus.bootstrap_servers,
            "LAMPLIGHT_NAMESPACE": bus.namespace,
            "LAMPLIGHT_REPLICA": replica,
            "LAMPLIGHT_TOKENS_FILE": str(tokens),
            "LAMPLIGHT_TOKEN": TOKENS["service"],
            "LAMPLIGHT_DETECT_ADDRESS": detect_address,
            "LAMPLIGHT_PORTS_FILE": str(ports),
            "LAMPLIGHT_ALLOW_LOOPBACK": "1",
            "LAMPLIGHT_FILE_ROOTS": str(tmp_path),
            "LAMPLIGHT_SOURCE_TIMEOUT_S": "3",
            "LAMPLIGHT_SECRET_GUARDED": f"root:{PASSWORD}",
            "http_proxy": "http://127.0.0.1:9",
            **more,
        }
        with log.open("ab") as errors:
            process = subprocess.Popen([sys.executable, "-m", "lamplight_ingest"], env=environment, stderr=errors)
        until(lambda: ports.exists() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        running.append(Worker(process, json.loads(ports.read_text()), log))
        return running[-1]

    yield go
    for worker in running:
        worker.process.kill()
        worker.process.wait(10)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two seconds of video with a keyframe every half second."""
    path = tmp_path / "clip.mp4"
    write_mp4((np.full((48, 64, 3), 40 + 8 * i, np.uint8) for i in range(2 * FPS)), path, fps=FPS, key_every_s=0.5)
    return path


def camera(camera_id: str, source: str, **more: Any) -> camera_pb2.Camera:
    """Return a whole camera."""
    fields: dict[str, Any] = {
        "district": "east",
        "time_zone": "Europe/London",
        "retention_days": 7,
        "sampling": camera_pb2.Sampling(pictures=camera_pb2.Sampling.PICTURES_ALL, min_gap_s=0.2, max_gap_s=30),
        **more,
    }
    return camera_pb2.Camera(id=camera_id, name=camera_id, source=source, **fields)


def test_a_camera_is_applied_watched_changed_and_removed(start: Start, seen: Seen, clip: Path) -> None:
    """The whole life of a camera, by the calls that a user's command makes."""
    detect = Detect()
    with serving(detect) as address, rtsp.serve({"quay": clip}) as cameras:
        worker = start("ingest-0", address)
        until(worker.ready)
        admin = worker.call("admin")
        wished = [
            camera("quay", cameras.url("quay")),
            camera("clip", str(clip)),
            camera("locked", cameras.url("nowhere"), credentials_secret="absent"),
            camera("guarded", cameras.url("nowhere"), credentials_secret="guarded"),
        ]
        applied = admin.ApplyCameras(camera_pb2.ApplyCamerasRequest(cameras=wished), timeout=30).cameras
        assert [(found.id, found.version) for found in applied] == [(wish.id, 1) for wish in wished]

        until(lambda: len(detect.of("quay")) > 2 * FPS or None)
        frames = detect.of("quay")
        assert [frame.seq for frame in frames] == list(range(len(frames)))
        assert frames[0].is_key
        assert frames[0].codec == "h264"
        assert not frames[-1].at_is_receipt
        assert abs(frames[-1].at_ns / 1e9 - time.time()) < 5
        assert {frame.epoch for frame in frames} == {1}

        ended = until(
            lambda: ((s := seen.state("clip")) and s.state == camera_pb2.CameraState.STATE_GONE and s) or None
        )
        assert "end" in ended.reason
        assert len(detect.of("clip")) == 2 * FPS
        until(lambda: seen.state_of("locked", camera_pb2.CameraState.STATE_REFUSED, "secret"))
        until(lambda: seen.state_of("guarded", camera_pb2.CameraState.STATE_REFUSED, "404"))
        assert seen.changes("clip") == ["connecting", "live", "gone"]
        assert seen.ticked() == set(range(12))
        measured = until(lambda: ((s := seen.state("quay")) and s.HasField("keyframe_interval_s") and s) or None)
        assert measured.keyframe_interval_s == pytest.approx(0.5, abs=0.25)
        assert (measured.transport, measured.worker) == ("rtsp", "ingest-0")

        again = admin.ApplyCameras(
            camera_pb2.ApplyCamerasRequest(cameras=[camera("quay", cameras.url("quay") + "?other=1")]), timeout=30
        )
        assert again.cameras[0].version == 2
        until(lambda: any(frame.epoch == 2 for frame in detect.of("quay")) or None)

        admin.RemoveCamera(camera_pb2.RemoveCameraRequest(camera_id="quay"), timeout=30)
        until(lambda: seen.state_of("quay", camera_pb2.CameraState.STATE_GONE, "removed"))
        listed = worker.call("operator").ListCameras(camera_pb2.ListCamerasRequest(), timeout=10).entries
        named = [(entry.camera.id, entry.state.camera_id) for entry in listed]
        assert named == [(name, name) for name in ("clip", "guarded", "locked")]
        assert 'lamplight_ingest_cameras{state="refused",worker="ingest-0"} 2.0' in worker.metrics()

        said = [worker.metrics(), str(listed), str(seen.told()), str(seen.states.items()), str(seen.cameras.items())]
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(30) == 0
        assert PASSWORD not in "".join([*said, worker.log.read_text()])


def test_what_is_wrong_changes_nothing(start: Start, seen: Seen, clip: Path) -> None:
    """All problems of all cameras are told at once, none is written, and no password is shown anywhere."""
    with serving(Detect()) as address:
        worker = start("ingest-0", address)
        until(worker.ready)
        wished = [
            camera("good", str(clip)),
            camera("Bad", f"rtsp://admin:{PASSWORD}@127.0.0.1/x", time_zone="Europe/Londn", retention_days=0),
        ]
        admin = worker.call("admin")
        with pytest.raises(grpc.RpcError) as refusal:
            admin.ApplyCameras(camera_pb2.ApplyCamerasRequest(cameras=wished), timeout=30)
        paths = {problem.path for problem in problems_of(refusal.value)}
        fields = ("id", "source", "time_zone", "retention_days")
        assert paths == {f"cameras[1].{name}" for name in fields}
        with pytest.raises(grpc.RpcError) as unknown:
            admin.RemoveCamera(camera_pb2.RemoveCameraRequest(camera_id="goood"), timeout=30)
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
        with pytest.raises(grpc.RpcError) as forbidden:
            worker.call("operator").ApplyCameras(camera_pb2.ApplyCamerasRequest(), timeout=30)
        assert forbidden.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert seen.cameras.items() == {}
        texts = [str(refusal.value), str(problems_of(refusal.value)), worker.log.read_text(), worker.metrics()]
        assert not any(PASSWORD in text for text in texts)


def test_cameras_move_to_the_worker_that_is_left(start: Start, seen: Seen, clip: Path) -> None:
    """A worker that dies has its cameras watched by the other, in a higher epoch."""
    detect = Detect()
    with serving(detect) as address, rtsp.serve({"quay": clip}) as cameras:
        first = start("ingest-0", address)
        until(first.ready)
        wished = [camera(f"cam-{number}", cameras.url("quay")) for number in range(6)]
        first.call("admin").ApplyCameras(camera_pb2.ApplyCamerasRequest(cameras=wished), timeout=30)

        def workers() -> Mapping[str, camera_pb2.CameraState] | None:
            states: Mapping[str, Message] = seen.states.items()
            live = {
                name: state
                for name, state in states.items()
                if isinstance(state, camera_pb2.CameraState) and state.state == camera_pb2.CameraState.STATE_LIVE
            }
            return live if len(live) == len(wished) else None

        until(workers)
        second = start("ingest-1", address)
        until(lambda: ((s := workers()) and {state.worker for state in s.values()} == {"ingest-0", "ingest-1"}) or None)
        epochs = {name: state.epoch for name, state in (until(workers)).items()}
        first.process.kill()
        until(lambda: ((s := workers()) and {state.worker for state in s.values()} == {"ingest-1"}) or None)
        after = until(workers)
        moved = [name for name, state in after.items() if state.epoch > epochs[name]]
        assert moved
        newest = {name: max(frame.epoch for frame in detect.of(name)) for name in moved}
        assert all(newest[name] >= after[name].epoch - 1 for name in moved)
        assert second.process.poll() is None
