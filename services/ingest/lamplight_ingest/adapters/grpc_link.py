"""The stream of frames to one replica of detect, opened again for as long as it is wanted.

Detect gives credit with every verdict; this side never has more frames unanswered than the most that it was ever
given, whatever the verdicts on their way say.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

import grpc
import structlog
from lamplight.frame.v1 import frame_pb2, frame_pb2_grpc
from lamplight_kit.rpc import channel

from lamplight_ingest.pending import Pending

SILENCE_S = 30.0
DOUBTED_SILENCE_S = 5.0
"""A replica that fell silent, and has answered nothing since, is given this long."""
_DOUBT_S = (10.0, 60.0)
"""A silent replica is left alone for so long, longer each time, where another one takes its cameras meanwhile."""
_RETRY_S = (0.25, 5.0)
_log = structlog.get_logger()


class SilentError(ConnectionError):
    """Detect owes answers, and says nothing."""


class Streams(Protocol):
    """What a link belongs to."""

    def has_another(self, link: Link) -> bool:
        """Tell whether a stream to another replica is up."""
        ...

    def take(self, link: Link) -> frame_pb2.Frame | None:
        """Return the next frame for `link`."""
        ...

    def turned(self, link: Link, generation: int) -> None:
        """The stream of `link` came up, as its `generation`th, or went down (0)."""
        ...

    def drop(self, frames: Sequence[frame_pb2.Frame], reason: str) -> None:
        """`frames` are lost."""
        ...

    def sent(self, frame: frame_pb2.Frame) -> None:
        """`frame` is on its way."""
        ...

    def answered(self, verdict: frame_pb2.Verdict, answer_s: float) -> None:
        """Detect has answered a frame after `answer_s`."""
        ...


class Link:
    """The stream to one replica, opened again for as long as this part runs; lives on the part's loop."""

    def __init__(self, address: str, token: str, pending_bytes: int, streams: Streams) -> None:
        """Prepare the way to `address`."""
        self.address = address
        self.pending = Pending(pending_bytes)
        self.generation = 0
        self._token = token
        self._streams = streams
        self._opened = 0
        self._credit = 0
        self._window = 0
        self._unanswered: deque[tuple[frame_pb2.Frame, float]] = deque()
        self._awake = asyncio.Event()
        self._heard_s = 0.0
        self._doubts = 0

    def wake(self) -> None:
        """Look for frames to send."""
        self._awake.set()

    async def run(self) -> None:
        """Keep a stream open, for ever."""
        pause_s = _RETRY_S[0]
        while True:
            began_s = time.monotonic()
            try:
                await self._stream()
                why: str | None = "ended by detect"
            except (grpc.RpcError, asyncio.InvalidStateError, ConnectionError, TimeoutError) as error:
                self._doubts += isinstance(error, SilentError)
                why = error.details() if isinstance(error, grpc.aio.AioRpcError) else str(error) or type(error).__name__
            finally:
                was_up = self.generation > 0
                self._down()
            if was_up:
                _log.warning("detect stream broke off", address=self.address, why=why)
            pause_s = _RETRY_S[0] if time.monotonic() - began_s > _RETRY_S[1] else min(2 * pause_s, _RETRY_S[1])
            if self._doubts and self._streams.has_another(self):
                pause_s = min(_DOUBT_S[0] * 2.0 ** min(self._doubts - 1, 8), _DOUBT_S[1])
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries

    def _down(self) -> None:
        lost = [frame for frame, _ in self._unanswered]
        self._unanswered.clear()
        self._credit = self._window = 0
        self._streams.turned(self, 0)
        self._streams.drop(lost, "broken_stream")

    async def _stream(self) -> None:
        async with channel(self.address, self._token) as to_detect:
            upwards = _Upwards()
            call = frame_pb2_grpc.FrameServiceStub(to_detect).StreamFrames(upwards)
            try:
                await upwards.put(frame_pb2.StreamFramesRequest())
                await self._first_credit(call)
                writer = asyncio.create_task(self._write(upwards))
                reader = asyncio.create_task(self._read(call))
                # Apart from the writer, which waits for as long as a replica that is stuck takes nothing in.
                silence = asyncio.create_task(self._watch_silence())
                tasks = (writer, reader, silence)
                try:
                    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
            finally:
                upwards.end()
                call.cancel()

    async def _first_credit(self, call: Any) -> None:
        async with asyncio.timeout(SILENCE_S):
            response = await call.read()
        if not isinstance(response, frame_pb2.StreamFramesResponse):
            raise ConnectionError
        self._take_credit(response.verdict.credit)
        self._opened += 1
        self._streams.turned(self, self._opened)
        _log.info("detect takes frames", address=self.address, credit=self._credit)

    async def _read(self, call: Any) -> None:
        while True:
            response = await call.read()
            if not isinstance(response, frame_pb2.StreamFramesResponse):
                return
            self._heard_s = time.monotonic()
            verdict = response.verdict
            self._take_credit(verdict.credit)
            if verdict.camera_id:
                self._streams.answered(verdict, self._settle(verdict))
            self._awake.set()

    def _take_credit(self, credit: int) -> None:
        self._heard_s = time.monotonic()
        self._credit = credit
        self._window = max(self._window, credit)

    def _settle(self, verdict: frame_pb2.Verdict) -> float:
        """Take the answered frame off those unanswered; return how long its answer took, seconds."""
        for entry in self._unanswered:
            frame, sent_s = entry
            if (frame.camera_id, frame.epoch, frame.seq) == (verdict.camera_id, verdict.epoch, verdict.seq):
                self._unanswered.remove(entry)
                self._doubts = 0
                return time.monotonic() - sent_s
        return 0.0

    def _silent_s(self) -> float:
        """Return for how long detect has owed an answer without a word: 0 where it owes none, whatever was before."""
        if not self._unanswered:
            return 0.0
        return time.monotonic() - max(self._heard_s, self._unanswered[0][1])

    async def _write(self, upwards: _Upwards) -> None:
        while True:
            self._awake.clear()
            while self._credit > 0 and len(self._unanswered) < self._window:
                frame = self._streams.take(self)
                if frame is None:
                    break
                self._credit -= 1
                self._unanswered.append((_without_picture(frame), time.monotonic()))
                await upwards.put(frame_pb2.StreamFramesRequest(frame=frame))
                self._streams.sent(frame)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):  # not wait_for, which loses a cancellation that comes with the event
                    await self._awake.wait()

    async def _watch_silence(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, SILENCE_S / 4))
            most_s = min(DOUBTED_SILENCE_S, SILENCE_S) if self._doubts else SILENCE_S
            if self._silent_s() > most_s:
                message = f"{most_s:g} s without a word from detect found, an answer to a frame expected"
                raise SilentError(message)


class _Upwards:
    """What goes up a stream, one request at a time, until its end.

    gRPC reads it in a task of its own, which it does not cancel where the call has failed: only this end ends that
    task. The call's own `write` has no such end, and leaves a waiting generator for the collector to stumble on.
    """

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._waiting: asyncio.Queue[frame_pb2.StreamFramesRequest | None] = asyncio.Queue(maxsize=1)

    async def put(self, request: frame_pb2.StreamFramesRequest) -> None:
        """Hand over `request`; waits until the one before was taken."""
        await self._waiting.put(request)

    def end(self) -> None:
        """Let the reader end; a request that was not taken is lost."""
        if self._waiting.full():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

    def __aiter__(self) -> _Upwards:
        """Return itself: there is one reader."""
        return self

    async def __anext__(self) -> frame_pb2.StreamFramesRequest:
        """Return the next request, or end."""
        request = await self._waiting.get()
        if request is None:
            raise StopAsyncIteration
        return request


def _without_picture(frame: frame_pb2.Frame) -> frame_pb2.Frame:
    """Return what is kept of a sent frame: enough to tell of it."""
    return frame_pb2.Frame(camera_id=frame.camera_id, epoch=frame.epoch, seq=frame.seq)
