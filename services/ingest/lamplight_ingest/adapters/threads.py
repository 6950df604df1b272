"""Sources that wait for their pictures (files, folders, libavformat): each in one of so many threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from lamplight_ingest.model import Listener, Source, SourceAway, SourceError

MOST_THREADS = 256


class Threads:
    """Counts the threads of waiting sources."""

    def __init__(self, most: int = MOST_THREADS) -> None:
        """Allow `most` at once."""
        self._most = most
        self._lock = threading.Lock()
        self._count = 0

    @property
    def count(self) -> int:
        """How many run."""
        return self._count

    def start(self, act: Callable[[], None]) -> None:
        """Run `act` in a thread of its own; raises `SourceAway` where there are too many."""
        with self._lock:
            if self._count >= self._most:
                text = f"{self._count} sources found that need a thread each, at most {self._most} expected of a worker"
                raise SourceAway(
                    f"{text}; add a worker, or let the camera be received over RTSP with TCP or as snapshots"
                )
            self._count += 1
        threading.Thread(target=self._run, args=(act,), name="waiting-source", daemon=True).start()

    def _run(self, act: Callable[[], None]) -> None:
        try:
            act()
        finally:
            with self._lock:
                self._count -= 1


class InThread:
    """A source that waits, as a live source; its thread ends within the source's own time-out of being let go."""

    def __init__(self, source: Source, threads: Threads) -> None:
        """Watch `source` in one of `threads`."""
        self._source = source
        self._threads = threads

    @property
    def transport(self) -> str:
        """What receives it."""
        return self._source.transport

    @property
    def ends(self) -> bool:
        """Whether its end is its natural end."""
        return self._source.ends

    async def watch(self, to: Listener) -> None:
        """Watch until it ends; raises what the source raises."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Exception | None] = loop.create_future()

        def end(error: Exception | None) -> None:
            if not done.done():
                done.set_result(error)

        def act() -> None:
            error = _watched(self._source, to)
            if not loop.is_closed():
                loop.call_soon_threadsafe(end, error)

        self._threads.start(act)
        try:
            error = await done
        finally:
            self._source.close()
        if error is not None:
            raise error


def _watched(source: Source, to: Listener) -> Exception | None:
    """Read `source` to its end; return what it raised."""
    try:
        source.open()
        to.opened()
        for picture in source.pictures():
            to.took(picture)
    except SourceError as error:
        return error
    except Exception as error:  # noqa: BLE001 - a fault of our own, raised again where the camera runs
        return error
    return None
