"""Live events to every page that listens: bounded queues; who is too slow is told to read all again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

_WAITING = 256
_QUIET_S = 15.0


class Hub:
    """Passes events from the bus' threads to the pages' streams (server-sent events, WHATWG HTML 9.2)."""

    def __init__(self) -> None:
        """Begin with nobody listening."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queues: set[asyncio.Queue[str]] = set()

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the loop that streams run on."""
        self._loop = loop

    def tell(self, kind: str, content: Mapping[str, Any]) -> None:
        """Send an event to all streams; may be called from any thread, and never waits."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            text = f"event: {kind}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n"
            loop.call_soon_threadsafe(self._spread, text)

    async def listen(self) -> AsyncIterator[str]:
        """Yield events as they come, and a comment every 15 quiet seconds, so that both sides see a dead stream."""
        queue: asyncio.Queue[str] = asyncio.Queue(_WAITING)
        self._queues.add(queue)
        try:
            yield "event: hello\ndata: {}\n\n"
            while True:
                try:
                    yield await asyncio.wait_for(queue.get(), _QUIET_S)
                except TimeoutError:
                    yield ": quiet\n\n"
        finally:
            self._queues.discard(queue)

    def _spread(self, text: str) -> None:
        for queue in self._queues:
            if queue.full():
                _empty(queue)
                queue.put_nowait("event: lagged\ndata: {}\n\n")
            queue.put_nowait(text)


def _empty(queue: asyncio.Queue[str]) -> None:
    while not queue.empty():
        queue.get_nowait()
