"""Frames that wait for detect: the newest of each camera, in memory, bounded; pure.

Of a camera whose pictures stand by themselves only the newest waits. Of a camera sampled `all` its pictures wait in
order; past the bound the oldest drop, up to the next keyframe, since what lies between cannot be decoded without them.
Cameras take turns.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence

from lamplight.frame.v1 import frame_pb2

MAX_UNITS = 64


class Pending:
    """What waits for one detect replica; not safe for threads by itself."""

    def __init__(self, max_bytes: int, max_units: int = MAX_UNITS) -> None:
        """Hold at most `max_bytes` of pictures, and `max_units` pictures a camera."""
        self.max_bytes = max_bytes
        self._max_units = max_units
        self._queues: OrderedDict[str, deque[frame_pb2.Frame]] = OrderedDict()
        self._needs_key: set[str] = set()
        self.bytes = 0

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def offer(self, frame: frame_pb2.Frame) -> Sequence[frame_pb2.Frame]:
        """Take `frame` in; return what is dropped for it, which may be the frame itself."""
        camera_id = frame.camera_id
        if camera_id in self._needs_key:
            if not frame.is_key:
                return [frame]
            self._needs_key.discard(camera_id)
            frame.after_gap = True
        queue = self._queues.setdefault(camera_id, deque())
        dropped: list[frame_pb2.Frame] = []
        if frame.is_key and all(waiting.is_key for waiting in queue):
            dropped = self._drop_all(queue)
        queue.append(frame)
        self.bytes += len(frame.data)
        while queue and (len(queue) > self._max_units or self.bytes > self.max_bytes):
            dropped += self._drop_to_key(queue)
        if not queue:
            del self._queues[camera_id]
            self._needs_key.add(camera_id)
        elif dropped:
            queue[0].after_gap = True
        return dropped

    def take(self) -> frame_pb2.Frame | None:
        """Return the oldest frame of the camera whose turn it is, None where nothing waits."""
        if not self._queues:
            return None
        camera_id, queue = self._queues.popitem(last=False)
        frame = queue.popleft()
        self.bytes -= len(frame.data)
        if queue:
            self._queues[camera_id] = queue
        return frame

    def clear(self) -> Sequence[frame_pb2.Frame]:
        """Drop everything, and return it; every camera then begins with a keyframe."""
        dropped = [frame for queue in self._queues.values() for frame in queue]
        self._needs_key.update(self._queues)
        self._queues.clear()
        self.bytes = 0
        return dropped

    def _drop_all(self, queue: deque[frame_pb2.Frame]) -> list[frame_pb2.Frame]:
        dropped = list(queue)
        queue.clear()
        self.bytes -= sum(len(frame.data) for frame in dropped)
        return dropped

    def _drop_to_key(self, queue: deque[frame_pb2.Frame]) -> list[frame_pb2.Frame]:
        dropped = [queue.popleft()]
        while queue and not queue[0].is_key:
            dropped.append(queue.popleft())
        self.bytes -= sum(len(frame.data) for frame in dropped)
        return dropped
