"""Frames that wait for a worker: in order within a camera, one at a time, cameras side by side."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog
from lamplight.frame.v1 import frame_pb2

from lamplight_detect import metrics

Answer = Callable[[frame_pb2.Verdict], Awaitable[None]]
Work = Callable[[frame_pb2.Frame], frame_pb2.Verdict]
_log = structlog.get_logger()


@dataclass
class _Lane:
    waiting: deque[tuple[frame_pb2.Frame, Answer]] = field(default_factory=deque)
    is_busy: bool = False


class Lanes:
    """One lane a camera over a pool of threads; lives on one event loop.

    Where pictures that stand by themselves pile up, the newest is kept and the others are answered as dropped.
    """

    def __init__(self, work: Work, threads: int) -> None:
        """Run `work` on each frame in one of `threads` threads."""
        self._work = work
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="detect")
        self._lanes: dict[str, _Lane] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def put(self, frame: frame_pb2.Frame, answer: Answer) -> None:
        """Queue `frame`; `answer` is called with its verdict."""
        lane = self._lanes.setdefault(frame.camera_id, _Lane())
        dropped = []
        if frame.is_key and all(one.is_key for one, _ in lane.waiting):
            dropped = list(lane.waiting)
            lane.waiting.clear()
        lane.waiting.append((frame, answer))
        metrics.WAITING.inc(1 - len(dropped))
        if not lane.is_busy:
            lane.is_busy = True
            task = asyncio.create_task(self._run(frame.camera_id, lane))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        for old, tell in dropped:
            metrics.DROPPED.inc()
            await tell(refusal(old, "a newer picture of this camera waits"))

    async def drain(self, timeout_s: float) -> None:
        """Finish what waits, for at most `timeout_s`."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, camera_id: str, lane: _Lane) -> None:
        loop = asyncio.get_running_loop()
        while lane.waiting:
            frame, answer = lane.waiting.popleft()
            metrics.WAITING.dec()
            verdict = await loop.run_in_executor(self._pool, self._safely, frame)
            await answer(verdict)
        lane.is_busy = False
        self._lanes.pop(camera_id, None)

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
