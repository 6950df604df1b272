"""The thread in which all cameras of a worker are watched: one event loop, and the places for reaching sources."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine

from lamplight_kit.clock import Clock
from lamplight_kit.service import AsyncPart

from lamplight_ingest.gate import Bounds
from lamplight_ingest.places import Places

_WHOLE_S = 2.0


class Runtime(AsyncPart):
    """A component of `lamplight_kit.service`; starts before what spawns on it."""

    name = "sources"

    def __init__(self, clock: Clock, bounds: Bounds | None = None) -> None:
        """Let sources be reached within `bounds`."""
        super().__init__()
        self.at_end: list[Callable[[], Coroutine[object, object, None]]] = []
        self.places = Places(clock, bounds)

    def spawn(self, main: Coroutine[object, object, None]) -> concurrent.futures.Future[None]:
        """Run `main` on the loop; cancelling the future cancels it. Any thread."""
        return asyncio.run_coroutine_threadsafe(main, self._loop)

    def call(self, act: Callable[[], None]) -> None:
        """Call `act` on the loop: at once where that is where we are. Any thread; nothing once the loop has ended."""
        try:
            is_here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            is_here = False
        if is_here:
            act()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(act)

    async def close(self, timeout_s: float) -> None:
        """End whatever still runs."""
        running = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=min(timeout_s, _WHOLE_S))
        for end in self.at_end:
            await end()
