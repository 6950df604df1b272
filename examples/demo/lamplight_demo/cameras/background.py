"""Runs an asynchronous server beside ordinary code: an event loop in a thread, as a context manager."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

ServerT = TypeVar("ServerT")


@contextlib.contextmanager
def in_background(server: AbstractAsyncContextManager[ServerT]) -> Iterator[ServerT]:
    """Enter `server` in an event loop of its own thread, yield what it gives, and leave it at the block's end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="demo-cameras", daemon=True)
    thread.start()
    try:
        running = asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
        try:
            yield running
        finally:
            asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
