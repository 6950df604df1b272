"""What tests of running ingest workers share: workers as processes, a detect that counts, and what the topics hold."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import grpc
import httpx
import numpy as np
import pytest
from lamplight.camera.v1 import camera_pb2, camera_pb2_grpc
from lamplight.frame.v1 import frame_pb2, frame_pb2_grpc
from lamplight.observation.v1 import observation_pb2
from lamplight_demo.media.encode import write_mp4
from lamplight_kit.kafka import BusSettings, Table, Tables, Tail, create_topics
from lamplight_kit.kafka.types import Record
from lamplight_kit.rpc import Role, RpcServer, Tokens, blocking_channel, sha256_of
from lamplight_kit.rpc.callers import Caller
from waits import until

TOKENS = {"operator": "let-me-look", "admin": "let-me-change", "service": "ingest-calls-detect"}
PASSWORD = "pass-word-never-shown"
FPS = 10
Found = TypeVar("Found")


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
            self.took(frame)
            verdict = frame_pb2.Verdict(
                camera_id=frame.camera_id,
                epoch=frame.epoch,
                seq=frame.seq,
                outcome=frame_pb2.Verdict.OUTCOME_CHANGED,
                credit=self.credit,
            )
            yield frame_pb2.StreamFramesResponse(verdict=verdict)

    def took(self, frame: frame_pb2.Frame) -> None:
        """Keep a frame."""
        self.frames.append(frame)

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
