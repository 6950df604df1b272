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


MAX_HUNG, UNREADY_HUNG = 8, 3
"""So many threads that hang are replaced, and from so many on `/readyz` says so: each keeps its picture in memory."""


class Threads:
    """Daemon threads that models run in: one that hangs is replaced, and the process can still end.

    A part of the service, for its readiness alone: the threads run from the beginning.
    """

    name = "models"

    def __init__(self, count: int) -> None:
        """Start `count` threads."""
        self._work: queue.SimpleQueue[_Work] = queue.SimpleQueue()
        self._hung: set[Future[Detections]] = set()
        self._lock = threading.Lock()
        for _ in range(count):
            self._begin()

    def submit(self, call: Callable[[], Detections]) -> Future[Detections]:
        """Run `call` in a thread that is free, or as soon as one is."""
        future: Future[Detections] = Future()
        self._work.put((future, call))
        return future

    def give_up(self, future: Future[Detections]) -> None:
        """Wait for `future` no more: where its call runs, another thread takes the place of its own."""
        if future.cancel():
            return
        with self._lock:
            if future.done() or len(self._hung) >= MAX_HUNG:
                return
            self._hung.add(future)
        self._begin()

    def start(self) -> None:
        """Do nothing: they run."""

    def unready(self) -> str | None:
        """Say how many threads hang once they are several, or None."""
        hung = len(self._hung)
        return f"{hung} threads of models hang; restart detect" if hung >= UNREADY_HUNG else None

    def stop(self, timeout_s: float) -> None:
        """Do nothing: daemon threads end with the process."""

    def _begin(self) -> None:
        threading.Thread(target=self._run, name="model", daemon=True).start()

    def _run(self) -> None:
        while True:
            future, call = self._work.get()
            if future.set_running_or_notify_cancel():
                _answer(future, call)
            with self._lock:
                if future in self._hung:  # another thread has taken this one's place
                    self._hung.remove(future)
                    return


def _answer(future: Future[Detections], call: Callable[[], Detections]) -> None:
    try:
        future.set_result(call())
    except Exception as error:  # noqa: BLE001 - handed to who waits, which closes the gate
        future.set_exception(error)
    except BaseException as error:  # noqa: BLE001 - would end the thread of who waits as well
        message = f"{type(error).__name__} in a model found, an answer expected; run `lamplight doctor`"
        future.set_exception(ModelFault(message))


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
            self._threads.give_up(future)
            name = self.manifest.name
            message = (
                f"model {name}: no answer within {self._timeout_s:g} s found, one expected; see the machine's load"
            )
            raise ModelFault(message) from None
