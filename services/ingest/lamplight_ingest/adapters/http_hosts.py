"""What all HTTP cameras of a worker share: connections kept open, and good manners towards each host."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Iterator
from functools import cached_property
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import certifi
import httpx

from lamplight_ingest.adapters.network import CheckedTransport
from lamplight_ingest.doors import Doors
from lamplight_ingest.model import SourceAway

Origin = tuple[str, str, int | None]
_HEADERS = {
    "Accept": "image/jpeg, image/png, multipart/x-mixed-replace, application/vnd.apple.mpegurl, */*;q=0.5",
    "Accept-Encoding": "identity",
    "User-Agent": "Lamplight",
}
_LOOK_S = 0.25
SLOW_S = 3.0


class Host:
    """Manners towards one host: so many requests at a time, none while it wants to be left alone.

    A request that is slow moves to one of as many places for slow ones, as soon as another waits for its own; whoever
    was slow begins there the next time.
    """

    def __init__(self, at_once: int) -> None:
        """Ask `at_once` at a time, and as many slow ones."""
        self._places = threading.BoundedSemaphore(at_once)
        self._slow_places = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._turns: set[Turn] = set()
        self._slow: set[str] = set()
        self._quiet_until_s = 0.0

    def rest(self, wait_s: float) -> None:
        """Leave the host alone for `wait_s` seconds, whichever camera it said so of."""
        self._quiet_until_s = max(self._quiet_until_s, time.monotonic() + wait_s)

    def wait(self, closed: threading.Event) -> None:
        """Wait until the host may be asked, or `closed`."""
        while (left_s := self._quiet_until_s - time.monotonic()) > 0 and not closed.wait(left_s):
            pass

    @contextlib.contextmanager
    def turn(self, within_s: float, closed: threading.Event, who: str = "") -> Iterator[Turn]:
        """Have a place for a request of `who`; raises `SourceAway` where none is free `within_s`, or once closed."""
        until_s = time.monotonic() + within_s
        places = self._slow_places if who in self._slow else self._places
        while not places.acquire(timeout=min(_LOOK_S, within_s)):
            self._make_way()
            if closed.is_set() or time.monotonic() > until_s:
                text = f"no place among the requests to its host within {within_s:g} s"
                raise SourceAway(f"{text}; ask its cameras less often, or raise LAMPLIGHT_HTTP_CONNECTIONS_PER_HOST")
        turn = Turn(places)
        with self._lock:
            self._turns.add(turn)
        try:
            yield turn
        finally:
            with self._lock:
                self._turns.remove(turn)
                (self._slow.add if turn.is_slow else self._slow.discard)(who)
            turn.end()

    def _make_way(self) -> None:
        """Move who is slow out of the others' way, as far as there is room."""
        with self._lock:
            slow = [turn for turn in self._turns if turn.is_slow]
        for turn in slow:
            turn.move(self._slow_places)


class Turn:
    """A place among the requests to a host; a stream that goes on for ever gives it back early."""

    def __init__(self, places: threading.BoundedSemaphore) -> None:
        """Hold one of `places`, already taken."""
        self._places: threading.BoundedSemaphore | None = places
        self._lock = threading.Lock()
        self._began_s = time.monotonic()

    @property
    def is_slow(self) -> bool:
        """Whether it is held, and has been for long."""
        return self._places is not None and time.monotonic() - self._began_s >= SLOW_S

    def move(self, places: threading.BoundedSemaphore) -> None:
        """Hold one of `places` in its stead, if one is free."""
        with self._lock:
            before = self._places
            if before is None or before is places or not places.acquire(blocking=False):
                return
            self._places = places
            before.release()

    def end(self) -> None:
        """Give the place back, once."""
        with self._lock:
            places, self._places = self._places, None
        if places is not None:
            places.release()


class HttpHosts:
    """One client for all: checked addresses, no proxy, no cookies, and a `Host` for each scheme, name and port."""

    def __init__(self, doors: Doors, timeout_s: float, ca_file: Path | None = None, *, at_once: int = 1) -> None:
        """Prepare; nothing connects yet. No wait for a byte is longer than `timeout_s`.

        `ca_file` holds the authorities that a TLS server's certificate is checked by; None: the public ones.
        """
        self.doors = doors
        self.timeout_s = timeout_s
        self._ca_file = ca_file
        self._at_once = at_once
        self._hosts: dict[Origin, Host] = {}
        self._lock = threading.Lock()

    @cached_property
    def client(self) -> httpx.Client:
        """The client; safe to use from many threads."""
        tls = ssl.create_default_context(cafile=str(self._ca_file or certifi.where()))
        return httpx.Client(
            transport=CheckedTransport(self.doors, tls),
            timeout=self.timeout_s,
            follow_redirects=False,
            trust_env=False,
            headers=_HEADERS,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )

    def of(self, origin: Origin) -> Host:
        """Return the manners towards a host."""
        with self._lock:
            return self._hosts.setdefault(origin, Host(self._at_once))
