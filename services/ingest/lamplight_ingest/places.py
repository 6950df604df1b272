"""The gate as coroutines wait at it; lives on one event loop."""

from __future__ import annotations

import asyncio
import itertools

from lamplight_kit.clock import Clock

from lamplight_ingest.gate import Bounds, Gate

ASIDE_AFTER_S = 1.0
"""Who has held a place for so long stands aside: what is slow is the server, and waiting for it costs nothing."""


class Places:
    """Hands out places for reaching sources, as `Gate` says."""

    def __init__(self, clock: Clock, bounds: Bounds | None = None) -> None:
        """Hand out within `bounds`, going by `clock`'s seconds."""
        self._clock = clock
        self._gate = Gate(bounds or Bounds())
        self._numbers = itertools.count()
        self._futures: dict[int, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._aside_s: dict[int, float] = {}  # who stands aside when, by the loop's time, in that order
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._gate.waiting

    async def enter(self, server: str, *, is_weary: bool) -> Place:
        """Wait for a place at `server`, and return it; it is to be left."""
        number = next(self._numbers)
        future = self._futures[number] = asyncio.get_running_loop().create_future()
        self._gate.ask(number, server, is_weary=is_weary)
        self._admit()
        try:
            await future
        except asyncio.CancelledError:
            self.leave(number)
            raise
        finally:
            self._futures.pop(number, None)
        self._aside_s[number] = asyncio.get_running_loop().time() + ASIDE_AFTER_S
        self._sweep_later()
        return Place(self, number)

    def answered(self, number: int) -> None:
        """The source has answered whoever holds a place."""
        self._gate.answered(number, self._clock.monotonic_s())

    def failed(self, number: int) -> None:
        """The source cannot be reached by whoever holds a place."""
        self._gate.failed(number, self._clock.monotonic_s())

    def leave(self, number: int) -> None:
        """Give a place back, or wait for it no more."""
        self._aside_s.pop(number, None)
        self._gate.leave(number)
        self._admit()

    def _sweep_later(self) -> None:
        """Look again when the first is due: one timer for all, since most have left long before."""
        if self._sweeper is None and self._aside_s:
            self._sweeper = asyncio.get_running_loop().call_at(next(iter(self._aside_s.values())), self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        now_s = asyncio.get_running_loop().time()
        for number in [each for each, at_s in self._aside_s.items() if at_s <= now_s]:
            del self._aside_s[number]
            self._gate.stand_aside(number)
        self._sweep_later()
        self._admit()

    def _admit(self) -> None:
        for number in self._gate.admit(self._clock.monotonic_s()):
            future = self._futures[number]
            if not future.done():
                future.set_result(None)
        pause_s = self._gate.pause_s()
        if pause_s is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(max(pause_s, 0.005), self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._admit()


class Place:
    """A place held; leaving twice is leaving once."""

    __slots__ = ("_number", "_places")

    def __init__(self, places: Places, number: int) -> None:
        """Hold place `number`."""
        self._places: Places | None = places
        self._number = number

    def answered(self) -> None:
        """Give it back: the source has answered."""
        if self._places is not None:
            self._places.answered(self._number)
        self.leave()

    def failed(self) -> None:
        """Give it back: the source cannot be reached, or says nothing."""
        if self._places is not None:
            self._places.failed(self._number)
        self.leave()

    def leave(self) -> None:
        """Give it back."""
        places, self._places = self._places, None
        if places is not None:
            places.leave(self._number)
