"""One bounded HTTP client a source: checked addresses, checked redirects, no proxy, no cookies, no decoding."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

import certifi
import httpx

from lamplight_ingest import doors as addresses
from lamplight_ingest.adapters.http_auth import AsAsked, origin_of
from lamplight_ingest.adapters.network import check_host
from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.doors import Address, Doors
from lamplight_ingest.model import SourceAway, SourceRefused
from lamplight_ingest.scrub import scrub

MAX_REDIRECTS = 3
_HEADERS = {"Accept": "image/jpeg, image/png, multipart/x-mixed-replace", "Accept-Encoding": "identity"}
_REFUSING = frozenset({400, 401, 403, 404, 405, 406, 410, 451})


class HttpClient:
    """Asks one address; every response is closed by the block that asked for it."""

    def __init__(
        self,
        address: Address,
        credentials: Credentials | None,
        doors: Doors,
        timeout_s: float,
        ca_file: Path | None = None,
    ) -> None:
        """Prepare; nothing connects until `get`. No wait for a byte is longer than `timeout_s`."""
        known = ssl.create_default_context(cafile=str(ca_file or certifi.where()))
        self._address = address
        self._doors = doors
        self._known = (credentials.password,) if credentials else ()
        auth = AsAsked(credentials, origin_of(httpx.URL(address.text))) if credentials else None
        self._client = httpx.Client(
            auth=auth, verify=known, timeout=timeout_s, trust_env=False, follow_redirects=False, headers=_HEADERS
        )

    @contextlib.contextmanager
    def get(self, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """Ask, following a few checked redirects; gives the response with its body still to be read."""
        try:
            response = self._follow(headers)
            try:
                yield response
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise SourceAway(self.said(f"{type(error).__name__} {error}")) from None

    def said(self, reason: str) -> str:
        """Return an error's text that names the server and holds no credentials."""
        return scrub(f"http server {self._address.host}:{self._address.port}: {reason}", self._known)

    def refuse(self, response: httpx.Response) -> None:
        """Raise what a status other than 200, 304, 429 and 503 means."""
        text = self.said(f"status {response.status_code} {response.reason_phrase} found, 200 expected")
        raise SourceRefused(text) if response.status_code in _REFUSING else SourceAway(text)

    def close(self) -> None:
        """Let the connection go."""
        self._client.close()

    def _follow(self, headers: Mapping[str, str]) -> httpx.Response:
        address = self._address
        for _ in range(MAX_REDIRECTS + 1):
            check_host(address.host, address.port, self._doors)
            response = self._client.send(self._client.build_request("GET", address.text, headers=headers), stream=True)
            self._client.cookies.clear()
            if not response.has_redirect_location:
                return response
            response.close()
            address = self._redirected(response)
        text = self.said(f"more than {MAX_REDIRECTS} redirects found; give the address that they lead to")
        raise SourceRefused(text)

    def _redirected(self, response: httpx.Response) -> Address:
        target = str(response.url.join(response.headers["location"]))
        try:
            address = addresses.parse(target)
        except ValueError as error:
            raise SourceRefused(self.said(f"redirected to what is no address: {error}")) from None
        is_http = address.scheme in ("http", "https") and not addresses.has_user(target)
        closed = self._doors.why_closed(address) if is_http else "http or https without a user expected"
        if closed is not None:
            raise SourceRefused(self.said(f"redirected to where we may not go: {closed}"))
        return address
