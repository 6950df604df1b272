"""What tests of a running detect share: its settings, who may send to it, and how frames are sent."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import grpc
from lamplight.frame.v1 import frame_pb2, frame_pb2_grpc
from lamplight_kit.kafka import BusSettings
from lamplight_kit.rpc import sha256_of
from waits import until

TOKEN = "let-me-send"
METADATA = (("authorization", f"Bearer {TOKEN}"),)


def environment(bus: BusSettings, folder: Path) -> Mapping[str, str]:
    """Return what detect is started with in `folder`: its tokens are written there now, its ports once it listens."""
    tokens = folder / "tokens.yaml"
    tokens.write_text(f"- {{name: ingest, role: operator, token_sha256: {sha256_of(TOKEN)}}}\n")
    return {
        **os.environ,
        "LAMPLIGHT_KAFKA_BOOTSTRAP_SERVERS": bus.bootstrap_servers,
        "LAMPLIGHT_NAMESPACE": bus.namespace,
        "LAMPLIGHT_REPLICA": "detect-0",
        "LAMPLIGHT_TOKENS_FILE": str(tokens),
        "LAMPLIGHT_STORE_URL": (folder / "evidence").as_uri(),
        "LAMPLIGHT_DATA_DIR": str(folder / "data"),
        "LAMPLIGHT_PORTS_FILE": str(folder / "ports.json"),
    }


def stub_of(address: str) -> frame_pb2_grpc.FrameServiceStub:
    """Return detect's calls."""
    return frame_pb2_grpc.FrameServiceStub(grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]))


def send(stub: frame_pb2_grpc.FrameServiceStub, frames: Sequence[frame_pb2.Frame]) -> list[frame_pb2.Verdict]:
    """Send frames, each once the one before is answered, and return their verdicts; wait until detect takes any."""
    return until(lambda: _tried(stub, frames), "a detect that takes frames")


def _tried(stub: frame_pb2_grpc.FrameServiceStub, frames: Sequence[frame_pb2.Frame]) -> list[frame_pb2.Verdict]:
    answered = threading.Semaphore(0)

    def requests() -> Iterator[frame_pb2.StreamFramesRequest]:
        yield frame_pb2.StreamFramesRequest()
        for frame in frames:
            answered.acquire()
            yield frame_pb2.StreamFramesRequest(frame=frame)

    verdicts = []
    try:
        for response in stub.StreamFrames(requests(), metadata=METADATA, timeout=600):
            verdicts.append(response.verdict)
            answered.release()
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.UNAVAILABLE:
            return []
        raise
    assert verdicts[0].credit > 0
    assert not verdicts[0].camera_id
    return verdicts[1:]
