"""One live camera as a coroutine: asks its source, offers its frames, tells its states, tries again.

All cameras of a worker share one thread (`Runtime`), where each is a coroutine that waits; `Places` keeps them from
reaching their sources all at once.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import structlog
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight_kit.clock import Clock

from lamplight_ingest import faults, metrics
from lamplight_ingest import life as lives
from lamplight_ingest.gate import WEARY_AFTER
from lamplight_ingest.life import Life
from lamplight_ingest.model import LiveSource, Picture, SourceError, SourceRefused
from lamplight_ingest.places import Place
from lamplight_ingest.plan import plan_of
from lamplight_ingest.runtime import Runtime
from lamplight_ingest.watch import Watch

ASSUMED_KEYFRAME_INTERVAL_S = 10.0
MEASURE_S = 20.0
_PATIENCE_INTERVALS = 3
_log = structlog.get_logger()


class FrameSink(Protocol):
    """Where frames go; never blocks."""

    def offer(self, frame: frame_pb2.Frame) -> None:
        """Take `frame`, or drop one and tell of it."""
        ...


@dataclass(frozen=True)
class Around:
    """What every camera's run shares."""

    make_source: Callable[[camera_pb2.Camera], LiveSource]
    sink: FrameSink
    clock: Clock
    worker: str
    stall_after_s: float
    runtime: Runtime


class CameraRun:
    """One camera in one epoch; `turned` is told each change of its state.

    `fault` is the class of a fault of our own that ended the run; empty where none did.
    """

    def __init__(
        self, camera: camera_pb2.Camera, epoch: int, around: Around, turned: Callable[[CameraRun], None]
    ) -> None:
        """Prepare; nothing runs until `start`."""
        self.camera = camera
        self.epoch = epoch
        self.sent = 0
        self.dropped = 0
        self._around = around
        self._turned = turned
        self._counting = threading.Lock()
        self._stopping = threading.Event()
        self.watch = Watch(camera.id, epoch, plan_of(camera.sampling), around.clock, self._on_turned)
        self._place: Place | None = None
        self._told = (0, 0)
        self._bits_per_s = 0
        self._measured = (around.clock.monotonic_s(), 0)
        self._done = threading.Event()
        self._task: concurrent.futures.Future[None] | None = None
        self.fault = ""

    @property
    def life(self) -> Life:
        """Where the camera stands."""
        return self.watch.life

    def start(self) -> None:
        """Tell the first state and begin."""
        self._on_turned(self.life)
        self._task = self._around.runtime.spawn(self._main())

    def stop(self) -> None:
        """End soon: no frame is offered and no state told after this; the source is let go of at once."""
        self._stopping.set()
        if self._task is not None:
            self._task.cancel()

    def faulted(self, error: Exception) -> None:
        """A fault of our own ends this run, whoever met it; whoever looks after it begins another one. Any thread."""
        metrics.FAULTS.labels(self._around.worker).inc()
        fault = self.fault = type(error).__name__
        _log.error(
            "fault of our own", camera_id=self.camera.id, epoch=self.epoch, error=fault, where=faults.where(error)
        )
        self.stop()

    def join(self, timeout_s: float) -> bool:
        """Wait for the source to be let go of; tell whether it is."""
        return self._task is None or self._done.wait(timeout_s)

    def opened(self) -> None:
        """The source has answered."""
        self.watch.opened()
        self._around.runtime.call(self._answered)

    def took(self, picture: Picture) -> None:
        """A picture has come."""
        if self._stopping.is_set():
            return
        frame = self.watch.took(picture)
        if frame is not None:
            self._around.sink.offer(frame)

    def count_sent(self) -> None:
        """A frame of this camera has gone to detect."""
        with self._counting:
            self.sent += 1

    def count_dropped(self) -> None:
        """A frame of this camera was dropped; it goes on with a keyframe."""
        with self._counting:
            self.dropped += 1
        self.watch.lost()

    def look(self) -> None:
        """Notice silence, measure; called once a second."""
        self.watch.look(self.patience_s())
        self._meter()

    def _meter(self) -> None:
        counts, worker = self.watch.counts, self._around.worker
        came, spared = counts.came, counts.spared
        metrics.CAME.labels(worker).inc(came - self._told[0])
        metrics.SPARED.labels(worker).inc(spared - self._told[1])
        self._told = (came, spared)
        now_s, count = self._around.clock.monotonic_s(), counts.video_bytes
        before_s, before = self._measured
        if now_s - before_s >= MEASURE_S:
            self._bits_per_s = round(8 * (count - before) / (now_s - before_s))
            self._measured = (now_s, count)

    def patience_s(self) -> float:
        """Return how long this camera may be silent: a few of its keyframe intervals or planned gaps."""
        plan, interval_s = self.watch.plan, self.watch.keyframe_interval_s
        own_s = ASSUMED_KEYFRAME_INTERVAL_S if interval_s is None else interval_s
        usual_s = min(own_s, plan.min_gap_s) if plan.wants_all else max(own_s, plan.min_gap_s)
        return max(self._around.stall_after_s, _PATIENCE_INTERVALS * usual_s)

    def state(self) -> camera_pb2.CameraState:
        """Return ingest's word of this camera."""
        life = self.life
        word = camera_pb2.CameraState(
            camera_id=self.camera.id,
            epoch=self.epoch,
            state=camera_pb2.CameraState.State.Value(f"STATE_{life.state.name}"),
            since_ns=life.since_ns,
            reason=life.reason,
            worker=self._around.worker,
            transport=self.watch.transport,
            frames_sent=self.sent,
            frames_dropped=self.dropped,
            pictures_came=self.watch.counts.came,
            pictures_spared=self.watch.counts.spared,
            bits_per_s=self._bits_per_s,
            last_error=self.watch.last_error[0],
            last_error_ns=self.watch.last_error[1],
            district=self.camera.district,
        )
        if self.watch.keyframe_interval_s is not None:
            word.keyframe_interval_s = round(self.watch.keyframe_interval_s, 3)
        return word

    def _on_turned(self, _: Life) -> None:
        """Tell a change; what goes wrong with that costs this run, and nobody who made the change."""
        if self._stopping.is_set():
            return
        try:
            self._turned(self)
        except Exception as error:  # noqa: BLE001 - a camera costs only itself
            self.faulted(error)

    async def _main(self) -> None:
        try:
            while not self._stopping.is_set():
                metrics.TRIES.labels(self._around.worker).inc()
                await self._guarded()
                if self.life.over:
                    return
                await asyncio.sleep(lives.retry_after_s(self.life, random.random()))  # noqa: S311 - spreads retries
        except Exception as error:  # noqa: BLE001 - a camera costs only itself
            self.faulted(error)
        finally:
            self._done.set()

    async def _guarded(self) -> None:
        try:
            await self._once()
        except SourceError as error:
            if self._place is not None and not isinstance(error, SourceRefused):
                self._place.failed()
            self.watch.failed(error)
        except Exception as error:  # noqa: BLE001 - a camera costs only itself: this ends one try, no worker
            metrics.FAULTS.labels(self._around.worker).inc()
            name, where = type(error).__name__, faults.where(error)
            _log.error("fault of our own", camera_id=self.camera.id, epoch=self.epoch, error=name, where=where)
            self.watch.fault(faults.told(name))
        finally:
            self._leave()
            self.watch.lost()

    async def _once(self) -> None:
        server = server_of(self.camera.source)
        if server:
            is_weary = self.life.failures >= WEARY_AFTER
            self.watch.queued()
            self._place = await self._around.runtime.places.enter(server, is_weary=is_weary)
            self.watch.admitted()
        source = self._around.make_source(self.camera)
        self.watch.asks(source)
        await source.watch(self)
        self.watch.finished()

    def _answered(self) -> None:
        if self._place is not None:
            self._place.answered()
            self._place = None

    def _leave(self) -> None:
        if self._place is not None:
            self._place.leave()
            self._place = None


def server_of(source: str) -> str:
    """Return whom reaching a source may burden, host and port; empty for files, and for what cannot be told."""
    try:
        parts = urlsplit(source)
        port = parts.port or parts.scheme
    except ValueError:
        return ""
    return f"{parts.hostname}:{port}" if parts.hostname else ""
