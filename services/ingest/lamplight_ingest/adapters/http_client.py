"""What one HTTP camera asks: its address, checked redirects, its own credentials, bounded bodies."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping

import httpx

from lamplight_ingest import doors as addresses
from lamplight_ingest.adapters.http_auth import AsAsked, origin_of
from lamplight_ingest.adapters.http_exchange import Exchange
from lamplight_ingest.adapters.http_hosts import HttpHosts, Origin, Turn
from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.doors import Address
from lamplight_ingest.heard import fault, http_status
from lamplight_ingest.model import SourceAway, SourceRefused
from lamplight_ingest.scrub import scrub

MAX_REDIRECTS = 3
_REFUSING = frozenset({400, 401, 403, 404, 405, 406, 410, 451})
_WHOLE_TIMEOUTS = 3


class HttpClient:
    """Asks one camera's server; every response is closed by the block that asked for it."""

    def __init__(self, address: Address, credentials: Credentials | None, hosts: HttpHosts) -> None:
        """Prepare; nothing connects until `get`. A whole answer may take three times the hosts' time-out."""
        self.address = address
        self.closed = threading.Event()
        self.whole_s = _WHOLE_TIMEOUTS * hosts.timeout_s
        self._hosts = hosts
        self._known = credentials.known if credentials else ()
        own: Origin = origin_of(httpx.URL(address.text))
        self._host = hosts.of(own)
        self._auth = AsAsked(credentials, own)
        self._exchange = Exchange()

    @contextlib.contextmanager
    def get(
        self, headers: Mapping[str, str], url: str | None = None, *, method: str = "GET", body: bytes | None = None
    ) -> Iterator[tuple[httpx.Response, Turn]]:
        """Ask the camera's address, or another `url`, following a few checked redirects.

        Gives the response with its body still to be read, and the place among the requests to the camera's host.
        """
        try:
            with self._host.turn(self.whole_s, self.closed, self.address.text) as turn:
                address = self.address if url is None else self._allowed(url, "leads")
                exchange = self._begun()
                response = self._follow(address, method, headers, body)
                exchange.answered()
                try:
                    yield response, turn
                finally:
                    response.close()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            if self._exchange.is_cut:
                waited_s = time.monotonic() - self._exchange.began_s
                raise SourceAway(self.said(f"no whole answer after {waited_s:.0f} s, when it was closed")) from None
            raise SourceAway(self.said(fault(error))) from None

    def may_ask(self) -> bool:
        """Wait while the host wants to be left alone; tell whether to ask it then, or false once closed."""
        self._host.wait(self.closed)
        return not self.closed.is_set()

    def rest(self, wait_s: float) -> None:
        """Leave the host alone for `wait_s` seconds."""
        self._host.rest(wait_s)

    def endless(self) -> None:
        """Let the answer that is being read go on for ever: it is a stream."""
        self._exchange.endless()

    def close(self) -> None:
        """Ask no more, and end the wait for an answer; any thread."""
        self.closed.set()
        self._exchange.cut()

    def body(self, response: httpx.Response, max_bytes: int, what: str) -> bytes:
        """Read a body within its bound of bytes, and what is left of the time for the whole answer."""
        held = bytearray()
        for chunk in response.iter_raw():  # as it comes: httpx would hold a slow body back to fill larger chunks
            held += chunk
            if len(held) > max_bytes:
                raise SourceRefused(self.said(f"more than {max_bytes} bytes found in {what}; ask for a smaller one"))
        return bytes(held)

    def said(self, reason: str) -> str:
        """Return an error's text that names the server and holds no credentials."""
        return scrub(f"http server {self.address.host}:{self.address.port}: {reason}", self._known)

    def refuse(self, response: httpx.Response) -> None:
        """Raise what a status other than 200, 304, 429 and 503 means."""
        found = f"status {http_status(response.status_code)} found, 200 expected"
        if response.status_code == httpx.codes.UNAUTHORIZED:
            found += f": {self._auth.why_refused(response)}"
        text = self.said(found)
        raise SourceRefused(text) if response.status_code in _REFUSING else SourceAway(text)

    def _begun(self) -> Exchange:
        """Begin an exchange; one that is begun as all is closed is closed too, whichever of both comes first."""
        self._exchange = exchange = Exchange(self.whole_s)
        if self.closed.is_set():
            exchange.cut()
        return exchange

    def _follow(self, address: Address, method: str, headers: Mapping[str, str], body: bytes | None) -> httpx.Response:
        client = self._hosts.client
        for _ in range(MAX_REDIRECTS + 1):
            about = {"exchange": self._exchange}
            request = client.build_request(method, address.text, headers=headers, content=body, extensions=about)
            response = self._sent(request)
            if not response.has_redirect_location:
                return response
            response.close()
            address = self._allowed(str(response.url.join(response.headers["location"])), "redirected")
        text = self.said(f"more than {MAX_REDIRECTS} redirects found; give the address that they lead to")
        raise SourceRefused(text)

    def _sent(self, request: httpx.Request) -> httpx.Response:
        """Send; once more where the server closed a kept connection in the same moment (RFC 9112, 9.3.1)."""
        client = self._hosts.client
        try:
            return client.send(request, stream=True, auth=self._auth)
        except httpx.RemoteProtocolError as error:
            if "without sending a response" not in str(error) or self.closed.is_set():
                raise
            return client.send(request, stream=True, auth=self._auth)

    def _allowed(self, target: str, how: str) -> Address:
        """Take apart where the server sends us; its host is checked again where it is connected to."""
        try:
            address = addresses.parse(target)
        except ValueError as error:
            raise SourceRefused(self.said(f"{how} to what is no address: {error}")) from None
        is_http = address.scheme in ("http", "https") and not addresses.has_user(target)
        closed = self._hosts.doors.why_closed(address) if is_http else "http or https without a user expected"
        if closed is not None:
            raise SourceRefused(self.said(f"{how} to where we may not go: {closed}"))
        return address
