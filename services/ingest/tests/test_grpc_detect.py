"""The way to detect: a real gRPC server on loopback that gives credit, is slow, refuses, dies and comes back."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from lamplight.frame.v1 import frame_pb2, frame_pb2_grpc
from lamplight_ingest.adapters import grpc_detect, grpc_link
from lamplight_ingest.adapters.grpc_detect import DetectStreams
from lamplight_ingest.adapters.replicas import Replicas
from lamplight_kit.rpc import Role, RpcServer, Tokens, sha256_of
from lamplight_kit.rpc.callers import Caller

TOKEN = "ingest-calls-detect"
METHOD = "/lamplight.frame.v1.FrameService/StreamFrames"


def until(find: Callable[[], bool]) -> None:
    """Wait for other threads to have done something."""
    end_s = time.monotonic() + 15
    while not find():
        assert time.monotonic() < end_s
        threading.Event().wait(0.01)


class Detect(frame_pb2_grpc.FrameServiceServicer):
    """Gives `credit`, and answers a frame once `go` says so."""

    def __init__(self, credit: int = 2) -> None:
        """Hold no frame yet, answer at once."""
        self.credit = credit
        self.frames: list[frame_pb2.Frame] = []
        self.streams = 0
        self.go = threading.Event()
        self.go.set()

    async def StreamFrames(self, requests: AsyncIterator[Any], context: object) -> AsyncIterator[Any]:
        """Give credit, then a verdict a frame."""
        self.streams += 1
        async for request in requests:
            if not request.HasField("frame"):
                yield frame_pb2.StreamFramesResponse(verdict=frame_pb2.Verdict(credit=self.credit))
                continue
            frame = request.frame
            self.frames.append(frame)
            await asyncio.to_thread(self.go.wait, 20)
            verdict = frame_pb2.Verdict(
                camera_id=frame.camera_id, epoch=frame.epoch, seq=frame.seq, credit=self.credit, wanted_gap_s=3
            )
            yield frame_pb2.StreamFramesResponse(verdict=verdict)


@dataclass
class Served:
    """A running detect."""

    detect: Detect
    address: str


@contextlib.contextmanager
def serving(detect: Detect, listen: str = "127.0.0.1:0", token: str = TOKEN) -> Iterator[Served]:
    """Serve `detect` to the caller with `token`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def register(server: grpc.aio.Server) -> None:
        frame_pb2_grpc.add_FrameServiceServicer_to_server(detect, server)

    tokens = Tokens(((sha256_of(token), Caller("ingest", Role.OPERATOR)),))
    server = RpcServer(listen, [register], tokens, {METHOD: Role.OPERATOR})
    port = asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    try:
        yield Served(detect, f"127.0.0.1:{port}")
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(0), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@dataclass
class Told:
    """What the streams told of frames."""

    sent_seqs: list[int] = field(default_factory=list)
    dropped_seqs: list[tuple[int, str]] = field(default_factory=list)
    verdicts: list[frame_pb2.Verdict] = field(default_factory=list)

    def sent(self, frame: frame_pb2.Frame) -> None:
        """Take note."""
        self.sent_seqs.append(frame.seq)

    def dropped(self, frame: frame_pb2.Frame, reason: str) -> None:
        """Take note."""
        self.dropped_seqs.append((frame.seq, reason))

    def answered(self, verdict: frame_pb2.Verdict, answer_s: float) -> None:
        """Take note."""
        assert answer_s >= 0
        self.verdicts.append(verdict)


@contextlib.contextmanager
def streams(
    *addresses: str, pending_bytes: int = 1 << 20, replicas: Replicas | None = None
) -> Iterator[tuple[DetectStreams, Told]]:
    """Run streams to `addresses`."""
    made, told = DetectStreams(replicas or Replicas(addresses), TOKEN, pending_bytes, "worker"), Told()
    made.tell(told)
    made.start()
    try:
        yield made, told
    finally:
        made.stop(5)


def frame(seq: int, camera_id: str = "quay", *, is_key: bool = True) -> frame_pb2.Frame:
    """Return a frame."""
    return frame_pb2.Frame(camera_id=camera_id, epoch=1, seq=seq, is_key=is_key, data=b"picture")


def test_frames_go_and_are_answered() -> None:
    """In order, each once, with detect's wish in the answer."""
    with serving(Detect()) as served, streams(served.address) as (sink, told):
        until(lambda: sink.unready() is None)
        for seq in range(30):
            sink.offer(frame(seq, is_key=seq == 0))
        until(lambda: len(told.verdicts) == 30)
        assert [taken.seq for taken in served.detect.frames] == list(range(30))
        assert told.sent_seqs == list(range(30))
        assert told.dropped_seqs == []
        assert {verdict.wanted_gap_s for verdict in told.verdicts} == {3}


def test_a_slow_detect_gets_no_more_than_its_credit_and_then_the_newest() -> None:
    """What waits is the newest picture of each camera; the others are dropped, and that is told."""
    detect = Detect(credit=3)
    with serving(detect) as served, streams(served.address) as (sink, told):
        until(lambda: sink.unready() is None)
        detect.go.clear()
        for seq in range(3):
            sink.offer(frame(seq, f"cam-{seq}"))
        until(lambda: len(told.sent_seqs) == 3)
        for seq in range(3, 20):
            sink.offer(frame(seq))
        assert told.dropped_seqs == [(seq, "slow_detect") for seq in range(3, 19)]
        assert len(told.sent_seqs) == 3
        detect.go.set()
        until(lambda: len(detect.frames) == 4)
        assert (detect.frames[3].seq, detect.frames[3].after_gap) == (19, True)


def test_without_detect_frames_are_dropped_and_counted() -> None:
    """And readiness says where it was looked for."""
    with streams("127.0.0.1:9") as (sink, told):
        sink.offer(frame(0))
        assert told.dropped_seqs == [(0, "no_detect")]
        assert "127.0.0.1:9" in (sink.unready() or "")
    with streams() as (sink, _):
        assert "LAMPLIGHT_DETECT_ADDRESS" in (sink.unready() or "")


def test_a_detect_that_dies_is_found_again_and_begins_with_a_keyframe() -> None:
    """What it had in hand is dropped; what cannot be decoded without that is too."""
    detect = Detect()
    with contextlib.ExitStack() as first:
        served = first.enter_context(serving(detect))
        with streams(served.address) as (sink, told):
            until(lambda: sink.unready() is None)
            detect.go.clear()
            sink.offer(frame(0))
            until(lambda: len(detect.frames) == 1)
            sink.offer(frame(1, is_key=False))
            first.close()
            until(lambda: sink.unready() is not None)
            until(lambda: {seq for seq, reason in told.dropped_seqs if reason == "broken_stream"} == {0, 1})
            detect.go.set()
            with serving(Detect(), served.address) as again:
                until(lambda: sink.unready() is None)
                sink.offer(frame(2, is_key=False))
                assert told.dropped_seqs[-1] == (2, "moved")
                sink.offer(frame(3))
                until(lambda: [taken.seq for taken in again.detect.frames] == [3])


def test_a_detect_that_dies_leaves_nothing_running() -> None:
    """No task or generator of a broken stream is left for the collector to complain of."""
    complaints: list[str] = []
    with contextlib.ExitStack() as first, streams(first.enter_context(serving(Detect())).address) as (sink, told):
        sink._loop.set_exception_handler(lambda _, context: complaints.append(str(context)))
        until(lambda: sink.unready() is None)
        sink.offer(frame(0))
        until(lambda: len(told.verdicts) == 1)
        first.close()
        until(lambda: sink.unready() is not None)
        until(lambda: len(asyncio.all_tasks(sink._loop)) <= 3)
        for _ in range(3):
            gc.collect()
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), sink._loop).result(10)
    gc.collect()
    assert complaints == []


def test_each_camera_sticks_to_one_replica_until_that_dies() -> None:
    """Two share the cameras; the one that is left takes them all."""
    names = [f"cam-{number}" for number in range(12)]
    with contextlib.ExitStack() as stack:
        left = stack.enter_context(serving(Detect(credit=20)))
        with serving(Detect(credit=20)) as right, streams(left.address, right.address) as (sink, _):
            until(lambda: left.detect.streams == right.detect.streams == 1 and len(sink._links) == 2)
            until(lambda: all(link.generation for link in sink._links.values()))
            for seq in range(3):
                for name in names:
                    sink.offer(frame(seq, name))
                until(lambda seq=seq: len(left.detect.frames) + len(right.detect.frames) == 12 * (seq + 1))
            of_left = {taken.camera_id for taken in left.detect.frames}
            of_right = {taken.camera_id for taken in right.detect.frames}
            assert of_left
            assert of_right
            assert of_left.isdisjoint(of_right)
            stack.close()
            until(lambda: not sink._links[left.address].generation)
            for name in names:
                sink.offer(frame(9, name))
            until(lambda: {taken.camera_id for taken in right.detect.frames} == set(names))


def test_a_detect_that_falls_silent_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that answers nothing is opened again."""
    monkeypatch.setattr(grpc_link, "SILENCE_S", 0.2)
    detect = Detect()
    with serving(detect) as served, streams(served.address) as (sink, told):
        until(lambda: sink.unready() is None)
        detect.go.clear()
        sink.offer(frame(0))
        until(lambda: (0, "broken_stream") in told.dropped_seqs)
        detect.go.set()
        until(lambda: detect.streams >= 2)


class Frozen(Detect):
    """Gives credit, and never reads on."""

    async def StreamFrames(self, requests: AsyncIterator[Any], context: object) -> AsyncIterator[Any]:
        """Give credit, then nothing."""
        self.streams += 1
        await anext(requests)
        yield frame_pb2.StreamFramesResponse(verdict=frame_pb2.Verdict(credit=16))
        await asyncio.sleep(60)


def test_cameras_of_a_frozen_replica_move_to_a_living_one_and_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where their frames are so large that the stream itself takes no more."""
    monkeypatch.setattr(grpc_link, "SILENCE_S", 0.5)
    picture = bytes(400_000)
    living = Detect(credit=16)
    with (
        serving(Frozen()) as frozen,
        serving(living) as other,
        streams(frozen.address, other.address, pending_bytes=1 << 26) as (sink, told),
    ):
        until(lambda: sink.unready() is None)
        until(lambda: frozen.detect.streams == 1 and living.streams == 1)
        cameras = [f"camera-{number}" for number in range(12)]
        answered: set[str] = set()

        def all_answered() -> bool:
            for camera in cameras:
                seq = len(told.verdicts)
                sink.offer(frame_pb2.Frame(camera_id=camera, epoch=1, seq=seq, is_key=True, data=picture))
            threading.Event().wait(0.1)
            answered.update(verdict.camera_id for verdict in told.verdicts)
            return answered == set(cameras)

        until(all_answered)
        before = len(told.verdicts)
        until(lambda: all_answered() and len(told.verdicts) > before + 60)
        assert frozen.detect.streams == 1


def test_silence_counts_from_what_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cameras that publish a picture a minute lose none to a stream that was idle before."""
    monkeypatch.setattr(grpc_link, "SILENCE_S", 1.0)
    detect = Detect()
    with serving(detect) as served, streams(served.address) as (sink, told):
        until(lambda: sink.unready() is None)
        idle = threading.Event()
        idle.wait(1.2)
        detect.go.clear()
        sink.offer(frame(0))
        idle.wait(0.05)
        sink.offer(frame(1, "other"))
        idle.wait(0.3)
        detect.go.set()
        until(lambda: len(detect.frames) == 2)
        idle.wait(0.2)
        assert told.dropped_seqs == []
        assert detect.streams == 1


def test_a_caller_that_detect_does_not_know_stays_unready() -> None:
    """And tries again, without an end and without noise."""
    with serving(Detect(), token="another") as served, streams(served.address) as (sink, told):
        sink.offer(frame(0))
        assert told.dropped_seqs == [(0, "no_detect")]
        assert sink.unready() is not None
        assert served.detect.streams == 0


def test_replicas_come_and_go_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that changes: who joins it takes cameras, who leaves it is let go of, and the others keep theirs."""
    monkeypatch.setattr(grpc_detect, "REPLICAS_S", 0.05)
    path, names = tmp_path / "detect", [f"cam-{number}" for number in range(12)]
    with serving(Detect(credit=20)) as left, serving(Detect(credit=20)) as right:
        path.write_text(f"{left.address}  # the first\n\n")
        with streams(replicas=Replicas([f"file://{path}"])) as (sink, told):
            until(lambda: sink.unready() is None)
            path.write_text(f"{left.address}\n{right.address}\n")
            until(lambda: right.detect.streams == 1 and all(link.generation for link in sink._links.values()))
            for name in names:
                sink.offer(frame(0, name))
            until(lambda: len(told.verdicts) == 12)
            of_left = {taken.camera_id for taken in left.detect.frames}
            assert 0 < len(of_left) < 12
            path.write_text(right.address)
            until(lambda: set(sink._links) == {right.address})
            for name in names:
                sink.offer(frame(1, name))
            until(lambda: len(told.verdicts) == 24)
            assert {taken.camera_id for taken in left.detect.frames} == of_left
            path.unlink()
            sink.offer(frame(2))
            until(lambda: len(told.verdicts) == 25)
            assert told.dropped_seqs == []


def test_a_name_stands_for_all_its_addresses() -> None:
    """Asked each time; where nobody answers, what was known holds."""
    answers: list[list[str] | OSError] = [["10.0.0.1", "10.0.0.2"], OSError("no DNS"), ["fd00::1"]]

    async def resolve(host: str, port: int) -> list[str]:
        assert (host, port) == ("detect", 7001)
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    async def ask() -> list[list[str]]:
        replicas = Replicas(["detect:7001", "127.0.0.1:7002"], resolve)
        return [list(await replicas.now()) for _ in range(3)]

    both = ["10.0.0.1:7001", "10.0.0.2:7001", "127.0.0.1:7002"]
    assert asyncio.run(ask()) == [both, both, ["[fd00::1]:7001", "127.0.0.1:7002"]]
    assert asyncio.run(Replicas(["localhost:7001"]).now()) in (["127.0.0.1:7001"], ["[::1]:7001"])


def test_a_replica_that_hangs_costs_pictures_and_no_memory() -> None:
    """A hundred cameras offer all the while: what waits stays within its bound, the rest is counted."""
    detect = Detect(credit=1)
    with serving(detect) as served, streams(served.address, pending_bytes=20_000) as (sink, told):
        until(lambda: sink.unready() is None)
        detect.go.clear()
        try:
            for seq in range(2000):
                sink.offer(
                    frame_pb2.Frame(camera_id=f"cam-{seq % 100}", epoch=1, seq=seq, is_key=True, data=bytes(1000))
                )
                assert sum(link.pending.bytes for link in sink._links.values()) <= 20_000
            until(lambda: len(told.sent_seqs) == 1)
            waiting = sum(len(link.pending) for link in sink._links.values())
            assert waiting <= 20
            assert len(told.dropped_seqs) == 2000 - 1 - waiting
            assert {reason for _, reason in told.dropped_seqs} == {"slow_detect"}
        finally:
            detect.go.set()
