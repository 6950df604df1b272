"""The edges: the key's file, settings, time limits, lanes."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from lamplight.frame.v1 import frame_pb2
from lamplight.key.v1 import key_pb2
from lamplight_detect.adapters.key_file import FILE, SigningKey
from lamplight_detect.adapters.lanes import Lanes
from lamplight_detect.adapters.published_key import PublishedKey, with_earlier
from lamplight_detect.adapters.watchdog import Threads, TimedFinder
from lamplight_detect.detections import Detections
from lamplight_detect.models.finder import ModelFault
from lamplight_detect.settings import DetectSettings
from lamplight_detect.testing import SaidFinder
from lamplight_kit.errors import SettingsError
from lamplight_kit.kafka.table import Table
from lamplight_kit.kafka.types import Outgoing, Record
from lamplight_kit.seal import KeyRing
from lamplight_models import manifest
from pydantic import ValidationError


def test_a_key_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    """The second start finds the first one's key, in a file that its owner alone may read."""
    folder = tmp_path / "data"
    first, second = SigningKey.kept(folder, 5), SigningKey.kept(folder, 9)
    assert first.key_id == second.key_id
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600
    public = second.public("detect-0")
    assert public.made_ns == 5
    ring = KeyRing()
    ring.add(public)
    ring.find(first.key_id).verify(second.sign(b"x"), b"x")


@pytest.mark.parametrize("content", ["", "{}", '{"private": "zz", "made_ns": 1}', '{"private": "00", "made_ns": 1}'])
def test_a_spoilt_key_stops_the_start(tmp_path: Path, content: str) -> None:
    """A key's file that holds no key is named, never replaced: pictures sealed with it may still be kept."""
    (tmp_path / FILE).write_text(content)
    with pytest.raises(SettingsError, match=FILE):
        SigningKey.kept(tmp_path, 1)
    assert (tmp_path / FILE).read_text() == content


def test_the_key_is_ready_once_it_is_on_its_topic(signing_key: SigningKey) -> None:
    """Nobody could read what is sealed before, so the service is not ready before."""
    put: list[Outgoing] = []
    arrived = threading.Event()

    class Box:
        def put(self, records: list[Outgoing]) -> None:
            put.extend(records)
            arrived.set()

    before = SigningKey.made(3).public("detect-0")
    table = Table("keys")
    table.apply(Record("keys", 0, 0, "detect-0", before))
    part = PublishedKey(signing_key.public("detect-0"), table)
    part.outbox = Box()  # type: ignore[assignment] # all of an outbox that is used
    part.start()
    assert part.unready()
    table.complete()
    assert arrived.wait(10)
    assert part.unready()
    part.committed(put)
    assert part.unready() is None
    (record,) = put
    assert (record.topic, record.key) == ("keys", "detect-0")
    assert isinstance(record.message, key_pb2.SigningKey)
    assert [one.key_id for one in record.message.earlier] == [before.key_id]
    assert not with_earlier(record.message, record.message).earlier[1:]


@pytest.mark.parametrize("listen", ["0.0.0.0:7000", "10.0.0.5:7000", "[::]:7000", "detect:7000"])
def test_raw_pictures_from_other_machines_need_mtls(listen: str, tmp_path: Path) -> None:
    """A frame listener that is not on loopback does not start without certificates."""
    with pytest.raises(ValidationError, match="mTLS expected"):
        DetectSettings(kafka_bootstrap_servers="k:1", grpc_listen=listen)
    pem = tmp_path / "x.pem"
    DetectSettings(
        kafka_bootstrap_servers="k:1",
        grpc_listen=listen,
        grpc_certificate=pem,
        grpc_private_key=pem,
        grpc_client_ca=pem,
    )


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:7000", "[::1]:7000"])
def test_loopback_needs_no_mtls(listen: str) -> None:
    """On this machine a bearer token is enough."""
    assert not DetectSettings(kafka_bootstrap_servers="k:1", grpc_listen=listen).has_mtls


def test_a_model_that_hangs_is_a_fault() -> None:
    """An answer that does not come in time raises; once the model answers again, so does the finder."""
    free = threading.Event()

    def hang() -> Detections:
        free.wait(20)
        return Detections.none()

    finder = SaidFinder(manifest("nanodet"), fault=hang)
    timed = TimedFinder(finder, Threads(1), 0.05)
    for _ in range(2):
        with pytest.raises(ModelFault, match=r"no answer within 0\.05 s"):
            timed.find(np.zeros((120, 160, 3), np.uint8), 0.1)
    free.set()
    finder.fault = None
    patient = TimedFinder(finder, timed._threads, 20)
    assert len(patient.find(np.zeros((120, 160, 3), np.uint8), 0.1)) == 0


def test_a_models_own_error_comes_through_the_time_limit() -> None:
    """What the model raises is raised to who waits for it."""
    finder = SaidFinder(manifest("nanodet"), fault=lambda: 1 / 0)  # type: ignore[arg-type,return-value] # a fault
    with pytest.raises(ZeroDivisionError):
        TimedFinder(finder, Threads(1), 20).find(np.zeros((120, 160, 3), np.uint8), 0.1)


def frame(camera_id: str, seq: int, *, is_key: bool = True) -> frame_pb2.Frame:
    """Return a Frame."""
    return frame_pb2.Frame(camera_id=camera_id, seq=seq, is_key=is_key)


def lanes_of(camera: str, frames: list[frame_pb2.Frame]) -> tuple[list[int], list[tuple[int, str]]]:
    """Put `frames` while the first is still worked on; return the order of work, and the answers."""
    worked: list[int] = []
    answers: list[tuple[int, str]] = []
    begun, go = threading.Event(), threading.Event()

    def work(one: frame_pb2.Frame) -> frame_pb2.Verdict:
        begun.set()
        go.wait(10)
        worked.append(one.seq)
        if one.seq == 66:
            message = "a fault"
            raise RuntimeError(message)
        return frame_pb2.Verdict(camera_id=camera, seq=one.seq, outcome=frame_pb2.Verdict.OUTCOME_CHANGED)

    async def answer(verdict: frame_pb2.Verdict) -> None:
        answers.append((verdict.seq, verdict.reason))

    async def run() -> None:
        lanes = Lanes(work, 2)
        await lanes.put(frames[0], answer)
        await asyncio.to_thread(begun.wait, 10)
        for one in frames[1:]:
            await lanes.put(one, answer)
        go.set()
        await lanes.drain(10)

    asyncio.run(run())
    return worked, answers


def test_of_pictures_that_stand_alone_the_newest_is_kept() -> None:
    """While one is worked on, those that pile up are answered as dropped, save the newest."""
    worked, answers = lanes_of("a", [frame("a", n) for n in range(4)])
    assert worked == [0, 3]
    assert sorted(number for number, reason in answers if "newer" in reason) == [1, 2]
    assert len(answers) == 4


def test_pictures_that_lean_on_each_other_all_wait() -> None:
    """Of a stream with pictures between keys none is dropped, and their order is kept."""
    worked, answers = lanes_of("a", [frame("a", n, is_key=n == 0) for n in range(5)])
    assert worked == [0, 1, 2, 3, 4]
    assert [number for number, _ in answers] == worked


def test_a_fault_costs_its_frame_alone() -> None:
    """A frame that meets a fault of ours is refused, and the next one is worked on."""
    worked, answers = lanes_of("a", [frame("a", 66), frame("a", 67)])
    assert worked == [66, 67]
    assert "RuntimeError" in dict(answers)[66]
    assert dict(answers)[67] == ""


@dataclass
class Quiet:
    """What is due of camera `a` when it falls silent."""

    after_s: float
    calls: list[str] = field(default_factory=list)
    was_done: threading.Event = field(default_factory=threading.Event)

    def is_due(self, camera_id: str) -> bool:
        """Tell it of camera `a`, once."""
        return camera_id == "a" and not self.calls

    def done(self, camera_id: str) -> None:
        """Note it."""
        self.calls.append(camera_id)
        self.was_done.set()


@pytest.mark.parametrize("after_s", [0.01, 60.0])
def test_a_camera_that_falls_silent_is_seen_to(after_s: float) -> None:
    """Some time after its last frame, or as the process ends; a camera of which nothing is due is left alone."""
    quiet = Quiet(after_s)

    async def run() -> None:
        async def answer(_verdict: frame_pb2.Verdict) -> None:
            answered.release()

        answered = asyncio.Semaphore(0)
        lanes = Lanes(lambda _frame: frame_pb2.Verdict(), 2, quiet)
        for camera_id in ("a", "b"):
            await lanes.put(frame(camera_id, 0), answer)
            await answered.acquire()
        if after_s < 1:
            assert await asyncio.to_thread(quiet.was_done.wait, 10)
        await lanes.drain(10)

    asyncio.run(run())
    assert quiet.calls == ["a"]


def test_no_core_is_ever_dumped() -> None:
    """Once hardened, the process writes no core file, and cannot undo that by mistake."""
    program = (
        "import resource; from lamplight_kit.hardening import harden; harden();"
        "print(resource.getrlimit(resource.RLIMIT_CORE))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "(0, 0)"
    assert resource.getrlimit(resource.RLIMIT_CORE) is not None
