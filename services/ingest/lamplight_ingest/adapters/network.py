"""Names to addresses, checked against the doors; what is connected to is the very address that was checked.

A name is resolved once a connection. Where one of its addresses is closed, all of it is: a name that mixes cameras
and machines' own addresses is no camera's.
"""

from __future__ import annotations

import ipaddress
import math
import socket
import threading
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from lamplight_ingest.adapters.http_exchange import Exchange, ExchangeStream
from lamplight_ingest.doors import Doors
from lamplight_ingest.model import SourceAway, SourceRefused

SocketAddress = tuple[socket.AddressFamily, Any]


def open_addresses(host: str, port: int, doors: Doors) -> list[SocketAddress]:
    """Resolve `host`; raises `SourceAway` where it has no address, `SourceRefused` where any of them is closed."""
    closed = doors.why_host_closed(host)
    found: list[Any] = []
    if closed is None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            text = f"no address of the host found ({error}); check its name and the DNS"
            raise SourceAway(text) from None
        closed = next(filter(None, (doors.why_host_closed(str(entry[4][0])) for entry in found)), None)
    if closed is not None:
        text = f"the host: {closed}"
        raise SourceRefused(text)
    return [(entry[0], entry[4]) for entry in found]


def is_address(host: str) -> bool:
    """Tell whether `host` is an IP address, which no resolver need be asked for."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


class CheckedNetwork(httpcore.NetworkBackend):
    """Connects HTTP connections, each to an address that was checked for it alone; TLS still knows the name."""

    def __init__(self, doors: Doors) -> None:
        """Go through `doors` alone."""
        self._doors = doors
        self._plain = httpcore.SyncBackend()
        self.of_thread = threading.local()

    def exchange(self) -> Exchange:
        """Return the exchange that this thread is at, or one without bounds."""
        return getattr(self.of_thread, "exchange", None) or Exchange()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of `host` that answers; raises as `open_addresses`, or httpcore's errors."""
        failed: Exception | None = None
        for _, address in open_addresses(host, port, self._doors):
            ip, scope = str(address[0]), address[3] if len(address) == 4 else 0
            ip = f"{ip}%{scope}" if scope and "%" not in ip else ip
            left_s = self.exchange().left_s()
            within_s = left_s if timeout is None else min(left_s, timeout)
            try:
                plain = self._plain.connect_tcp(
                    ip, port, None if math.isinf(within_s) else within_s, local_address, socket_options
                )
                return ExchangeStream(plain, self.exchange)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed or httpcore.ConnectError("no address")


class CheckedTransport(httpx.HTTPTransport):
    """httpx' own transport over a `CheckedNetwork`; no proxy, HTTP/1.1, one idle connection kept a host."""

    def __init__(self, doors: Doors, tls: Any) -> None:
        """Go through `doors` alone; check certificates by `tls`, an SSLContext."""
        super().__init__(verify=tls, trust_env=False)
        self._network = CheckedNetwork(doors)
        # The one place that httpx leaves for a network of one's own.
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls,
            max_connections=None,
            max_keepalive_connections=MAX_IDLE,
            keepalive_expiry=IDLE_S,
            network_backend=self._network,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask, and wait for the answer's head; the `exchange` among the request's extensions bounds all of it."""
        self._network.of_thread.exchange = request.extensions.get("exchange")
        try:
            return super().handle_request(request)
        finally:
            self._network.of_thread.exchange = None


MAX_IDLE = 1024
IDLE_S = 120.0
