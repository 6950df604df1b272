"""What one HTTP camera asks: its address, checked redirects, its own credentials, bounded bodies."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping

import httpx

from lamplight_ingest import doors as addresses
from lamplight_ingest.adapters.http_auth import AsAsked, origin_of
from lamplight_ingest.adapters.http_hosts import HttpHosts, Origin, Turn
from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.doors import Address
from lamplight_ingest.model import SourceAway, SourceRefused
from lamplight_ingest.scrub import scrub

MAX_REDIRECTS = 3
_REFUSING = frozenset({400, 401, 403, 404, 405, 406, 410, 451})
_WHOLE_BODY_TIMEOUTS = 3


class HttpClient:
    """Asks one camera's server; every response is closed by the block that asked for it."""

    def __init__(self, address: Address, credentials: Credentials | None, hosts: HttpHosts) -> None:
        """Prepare; nothing connects until `get`. A whole body may take three times the hosts' time-out."""
        self.address = address
        self.closed = threading.Event()
        self.whole_s = _WHOLE_BODY_TIMEOUTS * hosts.timeout_s
        self._hosts = hosts
        self._known = credentials.known if credentials else ()
        own: Origin = origin_of(httpx.URL(address.text))
        self._host = hosts.of(own)
        self._auth = AsAsked(credentials, own) if credentials else None

    @contextlib.contextmanager
    def get(
        self, headers: Mapping[str, str], url: str | None = None, *, method: str = "GET", body: bytes | None = None
    ) -> Iterator[tuple[httpx.Response, Turn]]:
        """Ask the camera's address, or another `url`, following a few checked redirects.

        Gives the response with its body still to be read, and the place among the requests to the camera's host.
        """
        try:
            with self._host.turn(self.whole_s, self.closed) as turn:
                address = self.address if url is None else self._allowed(url, "leads")
                response = self._follow(address, method, headers, body)
                try:
                    yield response, turn
                finally:
                    response.close()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise SourceAway(self.said(f"{type(error).__name__} {error}")) from None

    def may_ask(self) -> bool:
        """Wait while the host wants to be left alone; tell whether to ask it then, or false once closed."""
        self._host.wait(self.closed)
        return not self.closed.is_set()

    def rest(self, wait_s: float) -> None:
        """Leave the host alone for `wait_s` seconds."""
        self._host.rest(wait_s)

    def body(self, response: httpx.Response, max_bytes: int, what: str) -> bytes:
        """Read a body within its bounds of bytes and time."""
        until_s = time.monotonic() + self.whole_s
        held = bytearray()
        for chunk in response.iter_raw():  # as it comes: httpx would hold a slow body back to fill larger chunks
            held += chunk
            if len(held) > max_bytes:
                raise SourceRefused(self.said(f"more than {max_bytes} bytes found in {what}; ask for a smaller one"))
            if time.monotonic() > until_s or self.closed.is_set():
                raise SourceAway(self.said(f"{what} took more than {self.whole_s:g} s"))
        return bytes(held)

    def said(self, reason: str) -> str:
        """Return an error's text that names the server and holds no credentials."""
        return scrub(f"http server {self.address.host}:{self.address.port}: {reason}", self._known)

    def refuse(self, response: httpx.Response) -> None:
        """Raise what a status other than 200, 304, 429 and 503 means."""
        text = self.said(f"status {response.status_code} {response.reason_phrase} found, 200 expected")
        raise SourceRefused(text) if response.status_code in _REFUSING else SourceAway(text)

    def _follow(self, address: Address, method: str, headers: Mapping[str, str], body: bytes | None) -> httpx.Response:
        client = self._hosts.client
        for _ in range(MAX_REDIRECTS + 1):
            request = client.build_request(method, address.text, headers=headers, content=body)
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
            if "without sending a response" not in str(error):
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
