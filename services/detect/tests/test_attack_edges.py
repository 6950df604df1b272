"""Attacks on the edges: sizes of messages, texts of faults in an upload, who may call what, ingest's own memory."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import lamplight_detect
import pytest
from lamplight.frame.v1 import frame_pb2
from lamplight_detect.adapters import grpc_frames
from lamplight_detect.adapters.grpc_frames import Frames
from lamplight_detect.adapters.lanes import Lanes
from lamplight_detect.change import small_luma
from lamplight_detect.detections import Detections
from lamplight_detect.gate import GateClosed, Recent, View
from lamplight_detect.gate.masks import FILL
from lamplight_detect.testing import Room, noise

NS = 1_000_000_000
GATE = Path(lamplight_detect.__file__).parent / "gate"


class AbortedError(Exception):
    """What gRPC's abort raises."""


class Context:
    """A call's context."""

    async def abort(self, code: object, why: str) -> None:
        """End the call."""
        raise AbortedError(f"{code} {why}")


class Faulty:
    """Uploads whose work raises an error that quotes what it worked on."""

    def redact(self, *_: object) -> None:
        """Fail."""
        message = "could not convert MARKER"
        raise ValueError(message)


def test_a_fault_in_an_upload_tells_its_class_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What escapes is put by gRPC into the answer and, with a traceback, into the log: nothing may escape."""
    monkeypatch.setattr(grpc_frames, "current_caller", lambda: None)
    lanes = Lanes(lambda _frame: frame_pb2.Verdict(), 1)
    frames = Frames(lanes, Faulty(), 1, lambda: None)  # type: ignore[arg-type] # all of it that is used
    try:
        told = asyncio.run(frames.RedactStill(frame_pb2.RedactStillRequest(), Context())).refused
    except AbortedError as error:
        told = str(error)
    assert told
    assert "MARKER" not in told


def test_a_release_searches_the_picture_itself(room: Room) -> None:
    """What a caller hands in as the first pass (of another picture, or empty) cannot make the gate look less."""
    room.things.said = [("person", (40.0, 30.0, 60.0, 90.0), 0.6)]
    view = View(noise(), small_luma(noise()), 0)
    try:
        picture = room.gate.release(view, Detections.none(), Recent()).picture
    except (GateClosed, TypeError):
        return
    assert (picture.bgr[30:90, 40:60] == FILL).all()


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux'")
def test_ingest_cannot_be_dumped_either() -> None:
    """Ingest holds encoded raw pictures: no core dump, not dumpable."""
    program = (
        "import ctypes, resource\n"
        "import lamplight_ingest.__main__ as m\n"
        "class Done(BaseException): pass\n"
        "def spy(*a, **k): raise Done\n"
        "m.run = spy\n"
        "m.IngestSettings.load = classmethod(spy)\n"
        "try: m.main()\n"
        "except Done: pass\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0], ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["0", "0"], done.stderr[-500:]
