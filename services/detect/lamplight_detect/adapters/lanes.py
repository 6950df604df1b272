"""Frames that wait for a worker: in order within a camera, one at a time, cameras side by side."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from lamplight.frame.v1 import frame_pb2

from lamplight_detect import metrics

Answer = Callable[[frame_pb2.Verdict], Awaitable[None]]
Work = Callable[[frame_pb2.Frame], frame_pb2.Verdict]
_log = structlog.get_logger()


class Silence(Protocol):
    """What is to be done for a camera that falls silent, `after_s` after its last frame."""

    after_s: float

    def is_due(self, camera_id: str) -> bool:
        """Tell, after a frame, whether anything is to be done should no other come."""
        ...

    def done(self, camera_id: str) -> None:
        """Do it; called from a worker's thread, with no frame of the camera in hand."""
        ...


@dataclass
class _Lane:
    waiting: deque[tuple[frame_pb2.Frame, Answer]] = field(default_factory=deque)
    is_busy: bool = False


class Lanes:
    """One lane a camera over a pool of threads; lives on one event loop.

    Where pictures that stand by themselves pile up, the newest is kept and the others are answered as dropped.
    """

    def __init__(self, work: Work, threads: int, silence: Silence | None = None) -> None:
        """Run `work` on each frame in one of `threads` threads, and what `silence` says for cameras that stop."""
        self._work, self._silence = work, silence
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="detect")
        self._lanes: dict[str, _Lane] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._silent: dict[str, asyncio.TimerHandle] = {}
        self._is_draining = False

    async def put(self, frame: frame_pb2.Frame, answer: Answer) -> None:
        """Queue `frame`; `answer` is called with its verdict."""
        self._heard(frame.camera_id)
        lane = self._lanes.setdefault(frame.camera_id, _Lane())
        dropped = []
        if frame.is_key and all(one.is_key for one, _ in lane.waiting):
            dropped = list(lane.waiting)
            lane.waiting.clear()
        lane.waiting.append((frame, answer))
        metrics.WAITING.inc(1 - len(dropped))
        if not lane.is_busy:
            self._start(frame.camera_id, lane)
        for old, tell in dropped:
            metrics.DROPPED.inc()
            await tell(refusal(old, "a newer picture of this camera waits"))

    async def drain(self, timeout_s: float) -> None:
        """Finish what waits, also for silence, for at most `timeout_s`."""
        self._is_draining = True
        for camera_id in list(self._silent):
            self._fell_silent(camera_id)
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        while (self._running or self._silent) and loop.time() < end_s:
            await asyncio.wait([*self._running, asyncio.create_task(asyncio.sleep(0.01))], timeout=end_s - loop.time())
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, camera_id: str, lane: _Lane, *, is_silent: bool = False) -> None:
        lane.is_busy = True
        task = asyncio.create_task(self._run(camera_id, lane, is_silent=is_silent))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, camera_id: str, lane: _Lane, *, is_silent: bool) -> None:
        loop = asyncio.get_running_loop()
        if is_silent:
            await loop.run_in_executor(self._pool, self._done_silently, camera_id)
        while lane.waiting:
            frame, answer = lane.waiting.popleft()
            metrics.WAITING.dec()
            verdict = await loop.run_in_executor(self._pool, self._safely, frame)
            await answer(verdict)
        lane.is_busy = False
        self._lanes.pop(camera_id, None)
        if self._silence is not None and self._silence.is_due(camera_id):
            after_s = 0.0 if self._is_draining else self._silence.after_s
            self._silent[camera_id] = loop.call_later(after_s, self._fell_silent, camera_id)

    def _heard(self, camera_id: str) -> None:
        timer = self._silent.pop(camera_id, None)
        if timer is not None:
            timer.cancel()

    def _fell_silent(self, camera_id: str) -> None:
        self._heard(camera_id)
        if camera_id not in self._lanes:
            lane = self._lanes[camera_id] = _Lane()
            self._start(camera_id, lane, is_silent=True)

    def _done_silently(self, camera_id: str) -> None:
        if self._silence is None:
            return
        try:
            self._silence.done(camera_id)
        except Exception as error:  # noqa: BLE001 - a fault of ours may cost its picture, never the other cameras
            metrics.FAULTS.labels(type(error).__name__).inc()
            _log.error("silence met a fault", camera_id=camera_id, fault=type(error).__name__)

    def _safely(self, frame: frame_pb2.Frame) -> frame_pb2.Verdict:
        began_s = time.monotonic()
        try:
            verdict = self._work(frame)
        except Exception as error:  # noqa: BLE001 - a fault of ours may cost its picture, never the other cameras
            metrics.FAULTS.labels(type(error).__name__).inc()
            _log.error("frame met a fault", camera_id=frame.camera_id, seq=frame.seq, fault=type(error).__name__)
            verdict = refusal(frame, f"a fault of detect's ({type(error).__name__}); see its log")
        metrics.SECONDS.observe(time.monotonic() - began_s)
        metrics.FRAMES.labels(frame_pb2.Verdict.Outcome.Name(verdict.outcome)).inc()
        return verdict


def refusal(frame: frame_pb2.Frame, reason: str) -> frame_pb2.Verdict:
    """Return the verdict that `frame` was not taken."""
    return frame_pb2.Verdict(
        camera_id=frame.camera_id,
        epoch=frame.epoch,
        seq=frame.seq,
        outcome=frame_pb2.Verdict.OUTCOME_REFUSED,
        reason=reason,
    )
