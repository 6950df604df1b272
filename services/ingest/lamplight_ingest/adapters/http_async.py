"""HTTP for thousands of cameras on one event loop: checked addresses, shared connections, good manners to each host.

aiohttp, whose parser is compiled: httpx spends about 2 ms of CPU a request, which is 500 polls a second and core.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from functools import cached_property
from pathlib import Path

import aiohttp
import certifi
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from lamplight_ingest import doors as addresses
from lamplight_ingest.adapters.network import open_addresses
from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.doors import Address, Doors
from lamplight_ingest.heard import fault, http_status
from lamplight_ingest.model import SourceAway, SourceRefused
from lamplight_ingest.rtsp.auth import ELSEWHERE, Authenticator, Login
from lamplight_ingest.scrub import scrub

MAX_REDIRECTS = 3
HEADERS = {
    "Accept": "image/jpeg, image/png, multipart/x-mixed-replace, application/vnd.apple.mpegurl, */*;q=0.5",
    "Accept-Encoding": "identity",
    "User-Agent": "Lamplight",
}
IDLE_S = 120.0
READ_BYTES = 64 << 10
SLOW_S = 3.0
_REFUSING = frozenset({400, 401, 403, 404, 405, 406, 410, 451})
_WHOLE_TIMEOUTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WHO_ARE_YOU = 401


class CheckedResolver(AbstractResolver):
    """Resolves names through the doors; what it gives is what is connected to."""

    def __init__(self, doors: Doors) -> None:
        """Go through `doors` alone."""
        self._doors = doors

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of `host`; raises as `open_addresses` does."""
        found = await asyncio.to_thread(open_addresses, host, port, self._doors)
        return [
            ResolveResult(hostname=host, host=str(address[0]), port=port, family=own, proto=0, flags=0)
            for own, address in found
            if family in (socket.AF_UNSPEC, own)
        ]

    async def close(self) -> None:
        """Hold nothing."""


class TooSlow(Exception):  # noqa: N818 - named after what is the case
    """An answer took too long while the places for slow ones are taken."""


class Manners:
    """Towards one host: so many requests at a time, none while it wants to be left alone.

    A request that takes longer than `SLOW_S` moves to one of as many places for slow ones; whoever was slow begins
    there the next time, so that the slow wait for each other and nobody else for them.
    """

    def __init__(self, at_once: int) -> None:
        """Ask `at_once` at a time, and as many slow ones."""
        self._places = asyncio.Semaphore(at_once)
        self._slow_places = asyncio.Semaphore(at_once)
        self._slow: set[str] = set()
        self._quiet_until_s = 0.0
        self._why_quiet = ""

    @property
    def quiet_because(self) -> str:
        """Why the host is left alone, and until when; empty where it is not, or not for long."""
        return self._why_quiet if time.monotonic() < self._quiet_until_s else ""

    @contextlib.asynccontextmanager
    async def turn(self, who: str) -> AsyncIterator[Turn]:
        """Have a place for a request to the address `who`; raises `TooSlow` where it has to yield."""
        turn = Turn(self._slow_places if who in self._slow else self._places)
        await turn.places.acquire()
        began_s, moving = time.monotonic(), set[asyncio.Task[None]]()
        try:
            async with asyncio.timeout(None) as limit:

                def is_slow() -> None:
                    self._slow.add(who)
                    moving.add(asyncio.create_task(self._move(turn, limit)))

                turn.timer = asyncio.get_running_loop().call_later(SLOW_S, is_slow)
                yield turn
            if time.monotonic() - began_s < SLOW_S:
                self._slow.discard(who)
        except TimeoutError:
            if not limit.expired():
                raise
            text = f"no answer within {SLOW_S:g} s while another slow one of its host is waited for; they take turns"
            raise TooSlow(text) from None
        finally:
            turn.end()

    async def _move(self, turn: Turn, limit: asyncio.Timeout) -> None:
        """Move a slow request out of the others' way, or end it where the places for slow ones are taken."""
        if turn.places is not self._places or turn.is_over:
            return
        if self._slow_places.locked():
            limit.reschedule(0.0)
            return
        await self._slow_places.acquire()  # at once, since one is free
        turn.places = self._slow_places
        self._places.release()

    def rest(self, wait_s: float, why: str = "") -> None:
        """Leave the host alone for `wait_s` seconds, whichever camera it said so of; `why` is for an operator."""
        until_s = time.monotonic() + wait_s
        if until_s > self._quiet_until_s:
            self._quiet_until_s, self._why_quiet = until_s, why

    async def wait(self) -> None:
        """Wait until the host may be asked."""
        while (left_s := self._quiet_until_s - time.monotonic()) > 0:  # noqa: ASYNC110 - it may have moved on
            await asyncio.sleep(left_s)


class Turn:
    """A place among the requests to a host; a stream that goes on for ever gives it back early."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        """Be of `places`, one of which is yet to be taken."""
        self.places = places
        self.timer: asyncio.TimerHandle | None = None
        self.is_over = False

    def end(self) -> None:
        """Give the place back, once."""
        if not self.is_over:
            self.is_over = True
            self.places.release()
        if self.timer is not None:
            self.timer.cancel()


class AsyncHosts:
    """One session for all cameras of an event loop, and manners for each scheme, name and port."""

    def __init__(self, doors: Doors, timeout_s: float, ca_file: Path | None = None, *, at_once: int = 1) -> None:
        """Prepare; nothing connects yet. No wait for a byte is longer than `timeout_s`.

        `ca_file` holds the authorities that a TLS server's certificate is checked by; None: the public ones.
        """
        self.doors = doors
        self.timeout_s = timeout_s
        self._ca_file = ca_file
        self._at_once = at_once
        self._manners: dict[tuple[str, str, int], Manners] = {}

    @cached_property
    def session(self) -> aiohttp.ClientSession:
        """The session, on the loop that first asks for it."""
        tls = ssl.create_default_context(cafile=str(self._ca_file or certifi.where()))
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(self.doors), ssl=tls, limit=0, keepalive_timeout=IDLE_S, use_dns_cache=False
        )
        return aiohttp.ClientSession(
            connector=connector,
            headers=HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=READ_BYTES,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.timeout_s, sock_read=self.timeout_s),
        )

    def of(self, address: Address) -> Manners:
        """Return the manners towards the host of `address`."""
        key = _origin(address)
        if key not in self._manners:
            self._manners[key] = Manners(self._at_once)
        return self._manners[key]

    async def close(self) -> None:
        """Let all connections go."""
        if "session" in self.__dict__:
            await self.session.close()


class AsyncClient:
    """Asks one camera's server; every response is closed by the block that asked for it."""

    def __init__(self, address: Address, credentials: Credentials | None, hosts: AsyncHosts) -> None:
        """Prepare; nothing connects until `get`. A whole answer may take three times the hosts' time-out."""
        self.address = address
        self.manners = hosts.of(address)
        self._hosts = hosts
        self._whole_s = _WHOLE_TIMEOUTS * hosts.timeout_s
        self._known = credentials.known if credentials else ()
        login = Login(credentials.user, credentials.password) if credentials else None
        self._authenticator = Authenticator(login, lambda: secrets.token_hex(8))

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Have a place among the requests to the camera's host; raises `SourceAway` where it has to yield it."""
        try:
            async with self.manners.turn(self.address.text) as turn:
                yield turn
        except TooSlow as slow:
            raise SourceAway(self.said(str(slow))) from None

    @contextlib.asynccontextmanager
    async def get(self, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask, following a few checked redirects; gives the response with its body still to be read."""
        try:
            response = await self._answered(headers)
            try:
                yield response
            finally:
                response.release() if response.content.at_eof() else response.close()
        except TimeoutError:
            raise SourceAway(self.said(f"no answer within {self._hosts.timeout_s:g} s a step")) from None
        except (aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError) as error:
            raise SourceAway(self.said(fault(error))) from None

    async def body(self, response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
        """Read a picture within its bounds of bytes and time."""
        held = bytearray()
        try:
            async with asyncio.timeout(self._whole_s):
                async for chunk in response.content.iter_any():
                    held += chunk
                    if len(held) > max_bytes:
                        text = f"more than {max_bytes} bytes found in a picture; ask for a smaller one"
                        raise SourceRefused(self.said(text))
        except TimeoutError:
            raise SourceAway(self.said(f"a picture took more than {self._whole_s:g} s")) from None
        return bytes(held)

    def said(self, reason: str) -> str:
        """Return an error's text that names the server and holds no credentials."""
        return scrub(f"http server {self.address.host}:{self.address.port}: {reason}", self._known)

    def refuse(self, response: aiohttp.ClientResponse) -> None:
        """Raise what a status other than 200, 304, 429 and 503 means."""
        found = f"status {http_status(response.status)} found, 200 expected"
        if response.status == _WHO_ARE_YOU:
            asked = (response.url.scheme, response.url.host, response.url.port) == _origin(self.address)
            offered = response.headers.getall("www-authenticate", [])
            found += f": {self._authenticator.why_refused(offered) if asked else ELSEWHERE}"
        text = self.said(found)
        raise SourceRefused(text) if response.status in _REFUSING else SourceAway(text)

    async def _answered(self, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Return the answer's head; all of it is to come within the time of a whole answer."""
        address = self.address
        async with asyncio.timeout(self._whole_s):
            for _ in range(MAX_REDIRECTS + 1):
                self._check(address, "leads")
                response = await self._asked(address, headers)
                location = response.headers.get("location")
                if response.status not in _REDIRECTS or location is None:
                    return response
                response.close()
                address = self._redirected(response, location)
        text = self.said(f"more than {MAX_REDIRECTS} redirects found; give the address that they lead to")
        raise SourceRefused(text)

    async def _asked(self, address: Address, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Ask once, and again where the server asks who we are; it is told at our own address alone."""
        is_own = _origin(address) == _origin(self.address)
        url, tries = _url(address.text), 0
        while True:
            response = await self._sent(url, headers, with_login=is_own)
            offered = response.headers.getall("www-authenticate", [])
            if response.status != _WHO_ARE_YOU or not is_own or not self._authenticator.may_answer(offered, tries):
                return response
            response.close()
            tries += 1

    async def _sent(self, url: URL, headers: Mapping[str, str], *, with_login: bool) -> aiohttp.ClientResponse:
        own = self._authenticator.header("GET", url.raw_path_qs) if with_login else None
        # A realm that is no UTF-8 is proved as it came, and told back without what no header of aiohttp's can hold.
        sent = {**headers, "Authorization": own.encode("utf-8", "replace").decode()} if own else headers
        return await self._hosts.session.get(url, headers=sent, allow_redirects=False)

    def _redirected(self, response: aiohttp.ClientResponse, location: str) -> Address:
        try:
            target = str(response.url.join(URL(location)))
            address = addresses.parse(target)
        except ValueError as error:
            raise SourceRefused(self.said(f"redirected to what is no address: {error}")) from None
        is_http = address.scheme in ("http", "https") and not addresses.has_user(target)
        if not is_http:
            text = "redirected to where we may not go: http or https without a user expected"
            raise SourceRefused(self.said(text))
        self._check(address, "redirected")
        return address

    def _check(self, address: Address, how: str) -> None:
        """Refuse what the doors close; a name is checked again where it is resolved, an IP address is here alone."""
        closed = self._hosts.doors.why_closed(address)
        if closed is not None:
            raise SourceRefused(self.said(f"{how} to where we may not go: {closed}"))


def _origin(address: Address) -> tuple[str, str, int]:
    return address.scheme, address.host, address.port


def _url(text: str) -> URL:
    try:
        return URL(text)
    except ValueError:
        message = "http server: an address found that is no URL, one expected"
        raise SourceRefused(message) from None
