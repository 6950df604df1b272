"""Many RTSP streams in one thread: each is read a few times a second, and between reads costs nothing at all.

libavformat reads packet by packet, and with many streams nearly all of its time goes into those system calls. Here the
kernel collects what comes, and one read takes a few hundred packets at once.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator

import structlog
from lamplight_kit.clock import Clock

from lamplight_ingest.adapters.rtsp_link import Dialer, Link, ReadBuffer
from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.doors import Address
from lamplight_ingest.model import Picture, SourceAway, SourceError, SourceRefused
from lamplight_ingest.rtsp.address import target_of
from lamplight_ingest.rtsp.auth import Login
from lamplight_ingest.rtsp.events import AccessUnit, Event, Failed, Fault, Limits, Moved
from lamplight_ingest.scrub import scrub

FRESH_BYTES = 1 << 20
TICK_S = 0.02
LONGEST_PAUSE_S, SHORTEST_PAUSE_S = 0.4, 0.02
MUCH_BYTES, LITTLE_BYTES = 96 << 10, 40 << 10
"""A read that brings more than much comes sooner the next time, one that brings less than little later."""
CLIENT_TICK_S = 1.0
MAX_WAITING = 64
WAIT_S = 30.0
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
    """The thread that reads; starts with its first link, ends with its last."""

    def __init__(self, clock: Clock, silence_s: float, limits: Limits) -> None:
        """Give up links that bring no byte for `silence_s`."""
        self._clock = clock
        self._silence_s = silence_s
        self._limits = limits
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._due: list[tuple[float, int, _Reading]] = []
        self._count = itertools.count()
        self._links: dict[int, _Reading] = {}
        self._thread: threading.Thread | None = None

    def add(self, link: Link, tell: Callable[[list[Event]], None]) -> None:
        """Read `link` from now on; `tell` gets its events from the reader's thread, and must not block."""
        now_s = self._clock.monotonic_s()
        reading = _Reading(link, tell, now_s)
        with self._lock:
            self._links[id(link)] = reading
            self._push(now_s, reading)

    def remove(self, link: Link) -> None:
        """Take leave of `link` and close it, soon, in the reader's thread."""
        with self._lock:
            reading = self._links.pop(id(link), None)
            if reading is not None:
                reading.gone = True
                self._push(0.0, reading)

    def _push(self, due_s: float, reading: _Reading) -> None:
        """Have `reading` taken up at `due_s`; call with the lock held."""
        heapq.heappush(self._due, (due_s, next(self._count), reading))
        if self._thread is None:
            self._thread = threading.Thread(target=self._main, name="rtsp-reader", daemon=True)
            self._thread.start()
        self._wake.set()

    def _main(self) -> None:
        buffer = ReadBuffer(FRESH_BYTES + self._limits.item_bytes)
        while True:
            now_s = self._clock.monotonic_s()
            for reading in self._all_due(now_s + TICK_S / 2):
                self._turn(reading, buffer, now_s)
            with self._lock:
                if not self._due:
                    self._thread = None
                    return
                pause_s = self._due[0][0] - self._clock.monotonic_s()
            self._wake.wait(max(pause_s, TICK_S))
            self._wake.clear()

    def _all_due(self, now_s: float) -> list[_Reading]:
        due = []
        with self._lock:
            while self._due and self._due[0][0] <= now_s:
                due.append(heapq.heappop(self._due)[2])
        return due

    def _turn(self, reading: _Reading, buffer: ReadBuffer, now_s: float) -> None:
        if reading.gone:
            reading.link.close(now_s)  # a second time, where its turn had come as well, does nothing
            return
        try:
            self._read(reading, buffer, now_s)
        except Exception as error:  # noqa: BLE001 - a camera costs only itself: its link ends, the others go on
            _log.exception("fault of our own while reading a stream")
            reading.link.client.broke_off(f"a fault of ingest's own ({type(error).__name__}); its log tells more")
        if events := reading.link.client.take_events():
            reading.tell(events)
        if not reading.link.client.is_over:
            with self._lock:
                heapq.heappush(self._due, (now_s + reading.pause_s, next(self._count), reading))

    def _read(self, reading: _Reading, buffer: ReadBuffer, now_s: float) -> None:
        link = reading.link
        count = link.read(buffer, now_s)
        if count:
            reading.heard_s = now_s
        elif now_s - reading.heard_s >= self._silence_s:
            link.client.broke_off(f"no byte within {self._silence_s:g} s")
        if now_s >= reading.tick_s:
            reading.tick_s = now_s + CLIENT_TICK_S
            link.client.tick(now_s)
        link.write()
        if count > MUCH_BYTES:
            reading.pause_s = max(SHORTEST_PAUSE_S, reading.pause_s / 2)
        elif count < LITTLE_BYTES:
            reading.pause_s = min(LONGEST_PAUSE_S, reading.pause_s * 1.25)


class Inbox:
    """What the reader told of one camera and its thread has not yet taken: bounded, dropped to the next key."""

    def __init__(self, clock: Clock, max_bytes: int) -> None:
        """Hold at most `max_bytes` of pictures."""
        self._clock = clock
        self._max_bytes = max_bytes
        self._condition = threading.Condition()
        self._waiting: deque[Picture | Failed | Moved] = deque()
        self._bytes = 0
        self._lost = False

    def put(self, events: list[Event]) -> None:
        """Take what the reader tells, as received now."""
        now_ns = self._clock.now_ns()
        with self._condition:
            for event in events:
                if isinstance(event, AccessUnit):
                    self._picture(event, now_ns)
                elif isinstance(event, Failed | Moved):
                    self._waiting.append(event)
            self._condition.notify()

    def take(self, timeout_s: float) -> list[Picture | Failed | Moved]:
        """Return all that waits, after at most `timeout_s`."""
        with self._condition:
            if not self._waiting:
                self._condition.wait(timeout_s)
            taken = list(self._waiting)
            self._waiting.clear()
            self._bytes = 0
            return taken

    def wake(self) -> None:
        """Let a waiting `take` return."""
        with self._condition:
            self._condition.notify()

    def _picture(self, unit: AccessUnit, now_ns: int) -> None:
        if self._bytes + len(unit.data) > self._max_bytes or len(self._waiting) >= MAX_WAITING:
            self._waiting.clear()
            self._bytes = 0
            self._lost = True
        if self._lost and not unit.is_key:
            return
        lost, self._lost = self._lost or unit.after_gap, False
        self._bytes += len(unit.data)
        self._waiting.append(
            Picture(unit.codec, unit.data, unit.is_key, now_ns, source_at_ns=unit.at_ns, lost_before=lost)
        )


class RtspSocketSource:
    """One camera among those of a reader; `keys_only` copies key pictures and nothing else."""

    transport = "rtsp"
    ends = False

    def __init__(
        self, address: Address, credentials: Credentials | None, dialer: Dialer, reader: RtspReader, *, keys_only: bool
    ) -> None:
        """Prepare a session; nothing connects until `open`."""
        self._address = address
        self._credentials = credentials
        self._dialer = dialer
        self._reader = reader
        self._keys_only = keys_only
        self._closed = threading.Event()
        self._inbox = Inbox(dialer.clock, 2 * dialer.limits.picture_bytes)
        self._link: Link | None = None

    def open(self) -> None:
        """Connect, describe, set up, play; raises `SourceOdd` where another client may fare better."""
        login = Login(self._credentials.user, self._credentials.password) if self._credentials else None
        try:
            target = target_of(self._address.text)
        except ValueError as error:
            raise SourceRefused(str(error)) from None
        self._take(*self._dialer.hail(target, login, self._closed.is_set, keys_only=self._keys_only))

    def pictures(self) -> Iterator[Picture]:
        """Yield pictures until the session ends or is closed."""
        try:
            while self._link is not None and not self._closed.is_set():
                for told in self._inbox.take(WAIT_S):
                    if isinstance(told, Picture):
                        yield told
                    elif isinstance(told, Failed):
                        raise self._error(told)
                    else:
                        self._move()
        finally:
            self._let_go()

    def close(self) -> None:
        """End `pictures` at once; it takes leave of the server."""
        self._closed.set()
        self._inbox.wake()
        if (link := self._link) is not None:
            self._reader.remove(link)

    def _take(self, link: Link | None, failed: Failed | None) -> None:
        if failed is not None:
            raise self._error(failed)
        self._link = link
        if link is not None:
            self._inbox.put(link.early)
            link.early = []
            self._reader.add(link, self._inbox.put)

    def _move(self) -> None:
        """Follow the server to where it sends us in mid-stream."""
        link = self._link
        self._let_go()
        if link is not None:
            self._take(*self._dialer.follow(link.client.successor(), self._closed.is_set))

    def _let_go(self) -> None:
        if self._link is not None:
            self._reader.remove(self._link)
            self._link = None

    def _error(self, failed: Failed) -> SourceError:
        known = (self._credentials.password,) if self._credentials else ()
        text = scrub(f"rtsp server {self._address.host}:{self._address.port}: {failed.reason}", known)
        return _KINDS[failed.fault](text)


_KINDS: dict[Fault, type[SourceError]] = {
    Fault.REFUSED: SourceRefused,
    Fault.AWAY: SourceAway,
    Fault.ODD: SourceOdd,
    Fault.NO_TCP: SourceWithoutTcp,
}
