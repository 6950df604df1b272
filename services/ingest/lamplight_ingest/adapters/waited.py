"""A live source for callers that wait: a probe of one source, a test; with a loop and a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator

from lamplight_ingest.model import Hinting, LiveSource, Picture

MOST_WAITING = 256


class Waited:
    """Opens, reads and closes `source`, nobody else's; what is not taken in time is dropped, the oldest first."""

    def __init__(self, source: LiveSource) -> None:
        """Prepare; nothing is asked until `open`."""
        self._source = source
        self._condition = threading.Condition()
        self._waiting: deque[Picture] = deque()
        self._is_open = self._is_over = self._is_closed = False
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def transport(self) -> str:
        """What receives it."""
        return self._source.transport

    @property
    def ends(self) -> bool:
        """Whether its end is its natural end."""
        return self._source.ends

    def hint(self) -> str:
        """Say what came where no picture did; empty where the source does not know."""
        return self._source.hint() if isinstance(self._source, Hinting) else ""

    def open(self) -> None:
        """Ask, and wait until the source has answered; raises what it raises."""
        threading.Thread(target=lambda: asyncio.run(self._main()), name="waited-source", daemon=True).start()
        with self._condition:
            self._condition.wait_for(lambda: self._is_open or self._is_over)
            if self._error is not None and not self._is_open:
                raise self._error

    def pictures(self) -> Iterator[Picture]:
        """Yield what comes until the source ends or is closed; raises what it raises."""
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting or self._is_over or self._is_closed)
                if self._is_closed:
                    return
                picture = self._waiting.popleft() if self._waiting else None
            if picture is not None:
                yield picture
            elif self._error is not None:
                raise self._error
            else:
                return

    def close(self) -> None:
        """Let go, and wait until that is done."""
        with self._condition:
            self._is_closed = True
            if self._loop is not None and self._task is not None and not self._is_over:
                self._loop.call_soon_threadsafe(self._task.cancel)
                self._condition.wait_for(lambda: self._is_over, timeout=5.0)
            self._condition.notify_all()

    def opened(self) -> None:
        """The source has answered."""
        with self._condition:
            self._is_open = True
            self._condition.notify_all()

    def took(self, picture: Picture) -> None:
        """A picture has come."""
        with self._condition:
            if len(self._waiting) >= MOST_WAITING:
                self._waiting.popleft()
            self._waiting.append(picture)
            self._condition.notify_all()

    async def _main(self) -> None:
        with self._condition:
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        error: BaseException | None = None
        try:
            await self._source.watch(self)
        except asyncio.CancelledError:
            pass
        except Exception as raised:  # noqa: BLE001 - raised again where it is waited for
            error = raised
        finally:
            with self._condition:
                self._error, self._is_over = error, True
                self._condition.notify_all()
