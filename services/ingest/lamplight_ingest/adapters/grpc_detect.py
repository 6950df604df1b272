"""Frames to detect by gRPC: one bidirectional stream a replica, all cameras of this worker on it, in memory only.

Which replica a camera's frames go to; `grpc_link` is the stream to one. What cannot go now waits in `Pending`, the
newest of each camera.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Protocol

import structlog
from lamplight.frame.v1 import frame_pb2
from lamplight_kit.service import AsyncPart

from lamplight_ingest import metrics
from lamplight_ingest.adapters.grpc_link import Link
from lamplight_ingest.adapters.replicas import Replicas
from lamplight_ingest.rendezvous import choose

REPLICAS_S = 5.0
"""How often it is asked where the replicas are."""
_log = structlog.get_logger()


class FrameEvents(Protocol):
    """Who is told what becomes of frames; called from several threads, must be quick."""

    def sent(self, frame: frame_pb2.Frame) -> None:
        """`frame` is on its way to detect."""
        ...

    def dropped(self, frame: frame_pb2.Frame, reason: str) -> None:
        """`frame` is lost: `no_detect`, `slow_detect`, `moved`, `broken_stream`."""
        ...

    def answered(self, verdict: frame_pb2.Verdict, answer_s: float) -> None:
        """Detect has answered a frame."""
        ...


class DetectStreams(AsyncPart):
    """The way to all detect replicas: a component of `lamplight_kit.service`, and a `FrameSink`."""

    name = "detect"

    def __init__(self, replicas: Replicas, token: str, pending_bytes: int, worker: str) -> None:
        """Go to `replicas` as `token`; hold at most `pending_bytes` that wait, shared among them."""
        super().__init__()
        self._worker = worker
        self._replicas = replicas
        self._token = token
        self._pending_bytes = pending_bytes
        self._events: FrameEvents | None = None
        self._lock = threading.Lock()
        self._links: dict[str, Link] = {}
        self._place: dict[str, tuple[str, int]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._following: asyncio.Task[None] | None = None

    def tell(self, events: FrameEvents) -> None:
        """Tell `events` what becomes of frames; before `start`."""
        self._events = events

    async def open(self) -> None:
        """Begin to reach the replicas."""
        await self._turn_to(await self._replicas.now())
        self._following = asyncio.create_task(self._follow())

    async def close(self, timeout_s: float) -> None:
        """Let all streams go; what waits is dropped."""
        tasks = [*self._tasks.values(), *([self._following] if self._following else [])]
        for task in tasks:
            task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), timeout_s)

    async def _follow(self) -> None:
        """Ask again and again where the replicas are."""
        while True:
            await asyncio.sleep(REPLICAS_S)
            await self._turn_to(await self._replicas.now())

    async def _turn_to(self, addresses: Sequence[str]) -> None:
        """Reach those of `addresses` that are new, and let go of those that are no more."""
        gone = [address for address in self._links if address not in addresses]
        for address in gone:
            task = self._tasks.pop(address)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        with self._lock:
            for address in gone:
                del self._links[address]
            new = [address for address in addresses if address not in self._links]
            share = self._pending_bytes // max(1, len(addresses))
            self._links |= {address: Link(address, self._token, share, self) for address in new}
            for link in self._links.values():
                link.pending.max_bytes = share
        for address in new:
            self._tasks[address] = asyncio.create_task(self._links[address].run())
        if gone or new:
            _log.info("detect replicas", added=new, removed=gone)

    def unready(self) -> str | None:
        """Say that no replica takes frames, or None."""
        if any(link.generation for link in list(self._links.values())):
            return None
        where = ", ".join(self._links or self._replicas.entries) or "no address (set LAMPLIGHT_DETECT_ADDRESS)"
        return f"no detect replica takes frames at {where}"

    def offer(self, frame: frame_pb2.Frame) -> None:
        """Give `frame` to its camera's replica; never blocks."""
        dropped: Sequence[frame_pb2.Frame]
        with self._lock:
            alive = [address for address, link in self._links.items() if link.generation]
            address = choose(frame.camera_id, alive)
            if address is None:
                dropped, reason = [frame], "no_detect"
            else:
                link = self._links[address]
                place = (address, link.generation)
                if self._place.get(frame.camera_id) != place and not frame.is_key:
                    dropped, reason = [frame], "moved"
                else:
                    self._place[frame.camera_id] = place
                    dropped, reason = link.pending.offer(frame), "slow_detect"
                    self._loop.call_soon_threadsafe(link.wake)
            self._measure()
        self.drop(dropped, reason)

    def has_another(self, link: Link) -> bool:
        """Tell whether another replica is up."""
        with self._lock:
            return any(other.generation for other in self._links.values() if other is not link)

    def take(self, link: Link) -> frame_pb2.Frame | None:
        """Return the next frame for `link`."""
        with self._lock:
            return link.pending.take()

    def turned(self, link: Link, generation: int) -> None:
        """Take note that `link` is up (its generation counts up) or down (0); what waits for it is dropped."""
        with self._lock:
            link.generation = generation
            dropped = link.pending.clear()
            metrics.DETECTS.labels(self._worker).set(sum(other.generation > 0 for other in self._links.values()))
            self._measure()
        self.drop(dropped, "broken_stream")

    def drop(self, frames: Sequence[frame_pb2.Frame], reason: str) -> None:
        """Tell of dropped frames."""
        for frame in frames:
            if self._events is not None:
                self._events.dropped(frame, reason)

    def sent(self, frame: frame_pb2.Frame) -> None:
        """Tell of a sent frame."""
        if self._events is not None:
            self._events.sent(frame)

    def answered(self, verdict: frame_pb2.Verdict, answer_s: float) -> None:
        """Tell of an answer."""
        if self._events is not None:
            self._events.answered(verdict, answer_s)

    def _measure(self) -> None:
        waiting = sum(link.pending.bytes for link in self._links.values())
        metrics.PENDING_BYTES.labels(self._worker).set(waiting)
