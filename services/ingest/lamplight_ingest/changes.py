"""Waiting for what a command asked for to show in the table of cameras."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict

from google.protobuf.message import Message
from lamplight.camera.v1 import camera_pb2

Waiting = asyncio.Future[Message | None]


class Changes:
    """Futures that the table's changes fulfil; `saw` is the table's `on_change`, from its own thread."""

    def __init__(self) -> None:
        """Wait for nothing yet."""
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Waiting]] = defaultdict(list)

    def applied(self, command_id: str) -> Waiting:
        """Return a future of the camera that `command_id` made; call before the command is written."""
        return self._await(f"applied {command_id}")

    def removed(self, camera_id: str) -> Waiting:
        """Return a future that is done when `camera_id` is gone; call before the command is written."""
        return self._await(f"removed {camera_id}")

    def saw(self, key: str, message: Message | None) -> None:
        """Take note of one change of the table."""
        what = f"applied {message.last_command_id}" if isinstance(message, camera_pb2.Camera) else f"removed {key}"
        with self._lock:
            waiting = self._waiting.pop(what, [])
        for future in waiting:
            future.get_loop().call_soon_threadsafe(_fulfil, future, message)

    def _await(self, what: str) -> Waiting:
        future: Waiting = asyncio.get_running_loop().create_future()
        with self._lock:
            self._waiting[what].append(future)
        future.add_done_callback(lambda done: self._forget(what, done))
        return future

    def _forget(self, what: str, future: Waiting) -> None:
        with self._lock:
            left = [other for other in self._waiting.pop(what, []) if other is not future]
            if left:
                self._waiting[what] = left


def _fulfil(future: Waiting, message: Message | None) -> None:
    if not future.done():
        future.set_result(message)
