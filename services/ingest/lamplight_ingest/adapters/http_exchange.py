"""One exchange of a client that waits: by when all of its answer is to have come, and its end from another thread."""

from __future__ import annotations

import contextlib
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpcore

MOST_BYTES_BEFORE = 1 << 20
"""What redirects and refusals before the answer itself may hold, heads included."""


class Exchange:
    """Every wait for a server's bytes is one of an exchange, and ends with it."""

    def __init__(self, within_s: float = math.inf) -> None:
        """Let all of the answer come `within_s` seconds from now."""
        self.is_cut = False
        self.began_s = time.monotonic()
        self._within_s = within_s
        self._most_bytes: float = MOST_BYTES_BEFORE
        self._lock = threading.Lock()
        self._waits_at: socket.socket | None = None

    def left_s(self) -> float:
        """Return the seconds left; raises `httpcore.ReadError` once cut, `httpcore.ReadTimeout` where none are."""
        if self.is_cut:
            message = "closed before its answer was whole"
            raise httpcore.ReadError(message)
        left_s = self.began_s + self._within_s - time.monotonic()
        if left_s <= 0:
            message = f"no whole answer within {self._within_s:g} s"
            raise httpcore.ReadTimeout(message)
        return left_s

    @contextlib.contextmanager
    def waiting(self, at: socket.socket, timeout_s: float | None) -> Iterator[float | None]:
        """Wait at `at` in the block, which gets the time-out to wait by (seconds, None: for ever)."""
        with self._lock:
            left_s = self.left_s()
            self._waits_at = at
        bound_s = min(left_s, math.inf if timeout_s is None else timeout_s)
        try:
            yield None if math.isinf(bound_s) else bound_s
        except (httpcore.NetworkError, httpcore.TimeoutException):
            self.left_s()  # whose end it was, where it was ours
            raise
        finally:
            with self._lock:
                self._waits_at = None
        self.left_s()

    def count(self, count: int) -> None:
        """Count bytes that came; raises `httpcore.ReadError` where they are too many before the answer itself."""
        self._most_bytes -= count
        if self._most_bytes < 0:
            message = f"more than {MOST_BYTES_BEFORE} bytes before a picture"
            raise httpcore.ReadError(message)

    def answered(self) -> None:
        """Say that the answer's head is there; whoever reads its body bounds its bytes."""
        self._most_bytes = math.inf

    def endless(self) -> None:
        """Let the answer go on for ever."""
        self._within_s = math.inf

    def cut(self) -> None:
        """End it: whoever waits at its connection waits no more. Any thread."""
        with self._lock:
            self.is_cut = True
            if self._waits_at is not None:
                with contextlib.suppress(OSError):
                    # The socket's own, not TLS': that one takes the session away from under who reads.
                    socket.socket.shutdown(self._waits_at, socket.SHUT_RDWR)


class ExchangeStream(httpcore.NetworkStream):
    """A connection whose every wait is one of the exchange that wrote to it last."""

    def __init__(self, plain: httpcore.NetworkStream, current: Callable[[], Exchange]) -> None:
        """Read and write by `plain`; `current` gives the exchange of the thread that asks."""
        self._plain = plain
        self._current = current
        self._exchange = current()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what comes next, empty at the end."""
        with self._exchange.waiting(self._socket, timeout) as bound_s:
            data = self._plain.read(max_bytes, bound_s)
        self._exchange.count(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`."""
        self._exchange = self._current()
        with self._exchange.waiting(self._socket, timeout) as bound_s:
            self._plain.write(buffer, bound_s)

    def close(self) -> None:
        """Close the connection."""
        self._plain.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Shake hands; the wait is held by a second handle, since TLS takes the first one over."""
        with self._socket.dup() as handle, self._exchange.waiting(handle, timeout) as bound_s:
            tls = self._plain.start_tls(ssl_context, server_hostname, bound_s)
        return ExchangeStream(tls, self._current)

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore's own connection knows."""
        return self._plain.get_extra_info(info)

    @property
    def _socket(self) -> socket.socket:
        found: socket.socket = self._plain.get_extra_info("socket")
        return found
