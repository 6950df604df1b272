"""Many RTSP streams on one event loop: each is read a few times a second, and between reads costs nothing at all.

libavformat reads packet by packet, and with many streams nearly all of its time goes into those system calls. Here the
kernel collects what comes, and one read takes a few hundred packets at once.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

import structlog
from lamplight_kit.clock import Clock

from lamplight_ingest import faults
from lamplight_ingest.adapters.rtsp_link import Dialer, Link, ReadBuffer
from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.doors import Address
from lamplight_ingest.model import Listener, Picture, SourceAway, SourceError, SourceRefused, SourceSilent
from lamplight_ingest.rtsp.address import target_of
from lamplight_ingest.rtsp.auth import Login
from lamplight_ingest.rtsp.events import AccessUnit, Activity, Event, Failed, Fault, Limits, Moved
from lamplight_ingest.scrub import scrub

FRESH_BYTES = 1 << 20
TICK_S = 0.02
LONGEST_PAUSE_S, SHORTEST_PAUSE_S = 0.4, 0.02
MUCH_BYTES, LITTLE_BYTES = 96 << 10, 40 << 10
"""A read that brings more than much comes sooner the next time, one that brings less than little later."""
CLIENT_TICK_S = 1.0
REST = 20
"""A link rests so many times as long as it kept the thread busy: who sends endless nonsense gets a twentieth of it."""
BABBLE_S = 120.0
"""Who sends so long without a picture that is wanted is left, and asked again as one that fell silent."""
_BABBLE_GAPS = 3
TURN_S = 0.01
"""After so long others on the loop come first: connecting cameras, snapshots."""
_log = structlog.get_logger()


class SourceOdd(SourceAway):
    """The server speaks RTSP as this client does not; another one may."""


class SourceWithoutTcp(SourceOdd):
    """The server sends pictures over UDP alone."""


class _Reading:
    """One link being read: when next, and whom to tell."""

    __slots__ = ("gone", "heard_s", "link", "pause_s", "tell", "tick_s")

    def __init__(self, link: Link, tell: Callable[[list[Event]], None], now_s: float) -> None:
        self.link = link
        self.tell = tell
        self.pause_s = SHORTEST_PAUSE_S
        self.heard_s = now_s
        self.tick_s = now_s
        self.gone = False


class RtspReader:
    """Reads on one event loop, between whose turns it takes a few milliseconds at most at a time."""

    def __init__(self, clock: Clock, silence_s: float, limits: Limits) -> None:
        """Give up links that bring no byte for `silence_s`."""
        self._clock = clock
        self._silence_s = silence_s
        self._limits = limits
        self._due: list[tuple[float, int, _Reading]] = []
        self._count = itertools.count()
        self._readings: dict[int, _Reading] = {}
        self._is_planned = False
        self._buffer: ReadBuffer | None = None

    def add(self, link: Link, tell: Callable[[list[Event]], None]) -> None:
        """Read `link` from now on; `tell` gets its events, must not block, and keeps its own faults to itself."""
        now_s = self._clock.monotonic_s()
        reading = self._readings[id(link)] = _Reading(link, tell, now_s)
        heapq.heappush(self._due, (now_s, next(self._count), reading))
        self._plan(0.0)

    def remove(self, link: Link) -> None:
        """Take leave of `link` and close it."""
        reading = self._readings.pop(id(link), None)
        if reading is not None:
            reading.gone = True
            link.close(self._clock.monotonic_s())

    def _plan(self, pause_s: float) -> None:
        """Have the next turn in `pause_s`, at most a tick away, unless it is planned already."""
        if not self._is_planned and self._due:
            self._is_planned = True
            asyncio.get_running_loop().call_later(max(0.0, min(pause_s, TICK_S)), self._turns)

    def _turns(self) -> None:
        self._is_planned = False
        buffer = self._buffer = self._buffer or ReadBuffer(FRESH_BYTES + self._limits.item_bytes)
        began_s = now_s = self._clock.monotonic_s()
        try:
            while self._due and self._due[0][0] <= now_s and now_s - began_s < TURN_S:
                self._turn(heapq.heappop(self._due)[2], buffer, now_s)
                now_s = self._clock.monotonic_s()
        finally:  # whatever happens, the others are read on
            is_behind = bool(self._due) and self._due[0][0] <= now_s
            self._plan(0.0 if is_behind else TICK_S)

    def _turn(self, reading: _Reading, buffer: ReadBuffer, now_s: float) -> None:
        if reading.gone:
            return
        busy_s = time.thread_time()
        try:
            self._read(reading, buffer, now_s)
        except Exception as error:  # noqa: BLE001 - a camera costs only itself: its link ends, the others go on
            name = type(error).__name__
            _log.error("fault of our own while reading a stream", error=name, where=faults.where(error))
            reading.link.client.broke_off(faults.told(name))
        if not reading.link.client.is_over:
            rest_s = max(reading.pause_s, REST * (time.thread_time() - busy_s))
            heapq.heappush(self._due, (now_s + rest_s, next(self._count), reading))
        if events := reading.link.client.take_events():
            reading.tell(events)

    def _read(self, reading: _Reading, buffer: ReadBuffer, now_s: float) -> None:
        link = reading.link
        count = link.read(buffer, now_s)
        if count:
            reading.heard_s = now_s
        elif now_s - reading.heard_s >= self._silence_s:
            link.client.broke_off(f"no byte within {self._silence_s:g} s", Fault.SILENT)
        if now_s >= reading.tick_s:
            reading.tick_s = now_s + CLIENT_TICK_S
            link.client.tick(now_s)
        link.write()
        if count > MUCH_BYTES:
            reading.pause_s = max(SHORTEST_PAUSE_S, reading.pause_s / 2)
        elif count < LITTLE_BYTES:
            reading.pause_s = min(LONGEST_PAUSE_S, reading.pause_s * 1.25)


class RtspSocketSource:
    """One camera among those of a reader; `keys_only` copies key pictures and nothing else."""

    transport = "rtsp"
    ends = False

    def __init__(
        self, address: Address, credentials: Credentials | None, dialer: Dialer, reader: RtspReader, *, keys_only: bool
    ) -> None:
        """Prepare a session; nothing connects until `watch`."""
        self._address = address
        self._credentials = credentials
        self._dialer = dialer
        self._reader = reader
        self._keys_only = keys_only
        self._link: Link | None = None
        self._heard_s = self._longest_gap_s = 0.0

    def hint(self) -> str:
        """Say what came since the last picture that was wanted, and the cure; empty where nothing did."""
        came = self._link.client.activity if self._link else Activity()
        if came.discarded:
            kind = "keyframes" if self._keys_only else "pictures"
            cure = "look for packets lost on the way, or lower the camera's bitrate or size"
            return f"{came.discarded} {kind} came since and were discarded as incomplete or too large; {cure}"
        if self._keys_only and came.pictures:
            cure = "shorten the camera's keyframe interval, or set sampling.pictures to all"
            return f"{came.pictures} pictures came since, no keyframe among them; {cure}"
        return f"{came.packets} packets came since, no whole picture among them" if came.packets else ""

    async def watch(self, to: Listener) -> None:
        """Connect, describe, set up, play, and go where the server sends us.

        Raises `SourceOdd` where another client may fare better.
        """
        login = Login(self._credentials.user, self._credentials.password) if self._credentials else None
        try:
            target = target_of(self._address.text)
        except ValueError as error:
            raise SourceRefused(str(error)) from None
        link = self._had(*await self._dialer.hail(target, login, keys_only=self._keys_only))
        while True:
            to.opened()
            last = await self._played(link, to)
            if isinstance(last, Failed):
                raise self._error(last)
            link = self._had(*await self._dialer.follow(link.client.successor()))

    async def _played(self, link: Link, to: Listener) -> Failed | Moved:
        """Tell `to` what comes over `link`, until the session ends."""
        over: asyncio.Future[Failed | Moved] = asyncio.get_running_loop().create_future()

        def tell(events: list[Event]) -> None:
            try:
                self._tell(events, to, over)
            except Exception as error:  # noqa: BLE001 - what becomes of its pictures costs this camera alone
                if not over.done():
                    over.set_exception(error)

        self._link = link
        self._heard_s = self._dialer.clock.monotonic_s()
        early, link.early = link.early, []
        self._reader.add(link, tell)
        try:
            tell(early)
            return await self._ended(over)
        finally:
            self._reader.remove(link)

    def _tell(self, events: list[Event], to: Listener, over: asyncio.Future[Failed | Moved]) -> None:
        now_ns = self._dialer.clock.now_ns()
        for event in events:
            if over.done():
                return
            if isinstance(event, AccessUnit):
                self._heard()
                to.took(_picture(event, now_ns))
            elif isinstance(event, Failed | Moved):
                over.set_result(event)

    def _heard(self) -> None:
        """A picture has come."""
        now_s = self._dialer.clock.monotonic_s()
        self._longest_gap_s = max(self._longest_gap_s, now_s - self._heard_s)
        self._heard_s = now_s

    async def _ended(self, over: asyncio.Future[Failed | Moved]) -> Failed | Moved:
        """Return how the session ended: by itself, or since nothing but bytes came for longer than can be meant."""
        while True:
            most_s = max(BABBLE_S, _BABBLE_GAPS * self._longest_gap_s)
            left_s = self._heard_s + most_s - self._dialer.clock.monotonic_s()
            if left_s <= 0:
                came = self.hint()
                return Failed(Fault.SILENT, f"no picture within {most_s:.0f} s" + (f": {came}" if came else ""))
            await asyncio.wait({over}, timeout=left_s)
            if over.done():
                return over.result()

    def _had(self, link: Link | None, failed: Failed | None) -> Link:
        if link is None:
            raise self._error(failed or Failed(Fault.AWAY, "no session"))
        return link

    def _error(self, failed: Failed) -> SourceError:
        known = self._credentials.known if self._credentials else ()
        text = scrub(f"rtsp server {self._address.host}:{self._address.port}: {failed.reason}", known)
        return _KINDS[failed.fault](text)


def _picture(unit: AccessUnit, now_ns: int) -> Picture:
    return Picture(
        unit.codec,
        unit.data,
        unit.is_key,
        now_ns,
        source_at_ns=unit.at_ns,
        lost_before=unit.after_gap,
        before_bytes=unit.before.packet_bytes if unit.is_key else None,
        leads=unit.leads,
    )


_KINDS: dict[Fault, type[SourceError]] = {
    Fault.REFUSED: SourceRefused,
    Fault.AWAY: SourceAway,
    Fault.SILENT: SourceSilent,
    Fault.ODD: SourceOdd,
    Fault.NO_TCP: SourceWithoutTcp,
}
