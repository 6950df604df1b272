"""A finder that must answer in time: a model that hangs closes the gate instead of hanging the camera."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as LateError

from lamplight_kit.onnx import Manifest

from lamplight_detect.detections import Detections
from lamplight_detect.models.finder import Finder, ModelFault
from lamplight_detect.models.letterbox import Bgr

_Work = tuple[Future[Detections], Callable[[], Detections]]


class Threads:
    """Daemon threads that models run in: one that hangs keeps its thread, and the process can still end."""

    def __init__(self, count: int) -> None:
        """Start `count` threads."""
        self._work: queue.SimpleQueue[_Work] = queue.SimpleQueue()
        for number in range(count):
            threading.Thread(target=self._run, name=f"model-{number}", daemon=True).start()

    def submit(self, call: Callable[[], Detections]) -> Future[Detections]:
        """Run `call` in a thread that is free, or as soon as one is."""
        future: Future[Detections] = Future()
        self._work.put((future, call))
        return future

    def _run(self) -> None:
        while True:
            future, call = self._work.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - handed to who waits, which closes the gate
                future.set_exception(error)


class TimedFinder:
    """A `Finder` whose answer is waited for at most `timeout_s`."""

    def __init__(self, finder: Finder, threads: Threads, timeout_s: float) -> None:
        """Run `finder` in `threads`."""
        self._finder, self._threads, self._timeout_s = finder, threads, timeout_s

    @property
    def manifest(self) -> Manifest:
        """The model's manifest."""
        return self._finder.manifest

    def find(self, picture: Bgr, at_least: float) -> Detections:
        """Return what the finder finds; ModelFault where it is late."""
        future = self._threads.submit(lambda: self._finder.find(picture, at_least))
        try:
            return future.result(self._timeout_s)
        except LateError:
            future.cancel()
            name = self.manifest.name
            message = (
                f"model {name}: no answer within {self._timeout_s:g} s found, one expected; see the machine's load"
            )
            raise ModelFault(message) from None
