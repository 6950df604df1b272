"""Cameras over HTTP(S) on one event loop: snapshots polled, MJPEG read; HLS is left to the source that waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

import aiohttp
from lamplight_kit.clock import Clock

from lamplight_ingest import bitstream, hls, http_times, multipart
from lamplight_ingest.adapters.http_async import AsyncClient, AsyncHosts
from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.doors import Address
from lamplight_ingest.model import Listener, LiveSource, Picture, SourceAway, SourceRefused, SourceSilent

BABBLE_S = 120.0
"""A stream that sends so long without a whole picture is left, and asked again as one that fell silent."""
_OK, _NOT_MODIFIED = 200, 304
_BUSY = frozenset({429, 503})


class HttpLive:
    """Polls snapshots every `gap_s` seconds (politer where the server asks for it), or reads MJPEG as it comes."""

    ends = False

    def __init__(
        self,
        address: Address,
        credentials: Credentials | None,
        hosts: AsyncHosts,
        clock: Clock,
        *,
        gap_s: float,
        max_bytes: int,
        by_hls: Callable[[], LiveSource],
    ) -> None:
        """Prepare; nothing connects until `watch`. `by_hls` makes the source for an address that gives a playlist."""
        self.transport = "http-snapshot"
        self._client = AsyncClient(address, credentials, hosts)
        self._clock = clock
        self._gap_s = gap_s
        self._max_bytes = max_bytes
        self._by_hls = by_hls
        self._tags: dict[str, str] = {}
        self._last: tuple[str, bytes] | None = None
        self._hint = ""

    @property
    def rest(self) -> str:
        """Why this camera's server is left alone for long, and until when; empty where it did not ask of this one."""
        return self._client.manners.quiet_because if self._hint else ""

    def hint(self) -> str:
        """Say what the server answered in place of a picture; empty where it answered nothing."""
        return self._client.manners.quiet_because or self._hint

    async def watch(self, to: Listener) -> None:
        """Ask until the server fails."""
        while True:
            await self._client.manners.wait()
            asked_s = time.monotonic()
            wait_s = await self._turn(to)
            if wait_s is None:
                break
            await asyncio.sleep(max(0.0, asked_s + wait_s - time.monotonic()))
        if self.transport == "http-hls":
            await self._by_hls().watch(to)

    async def _turn(self, to: Listener) -> float | None:
        """Ask once; return how long to wait from the asking, None where it was no snapshot."""
        async with self._client.turn() as turn, self._client.get(self._tags) as response:
            to.opened()
            kind = response.headers.get("content-type", "")
            delimiter = multipart.boundary_of(kind)
            if response.status == _OK and delimiter is not None:
                self.transport = "http-mjpeg"
                turn.end()  # a stream goes on for ever, and others have their turns
                await self._stream(response, delimiter, to)
                return None
            if response.status == _OK and hls.is_playlist(kind, str(response.url)):
                self.transport = "http-hls"
                return None
            self.transport, self._hint = "http-snapshot", ""
            asked_to_wait_s = self._asked_to_wait_s(response)
            picture = await self._snapshot(response) if asked_to_wait_s is None else None
        if picture is not None:
            to.took(picture)
        if asked_to_wait_s is not None:
            self._hint = http_times.rest_text(response.status, asked_to_wait_s, self._clock.now_ns())
            is_long = asked_to_wait_s >= http_times.LONG_REST_S
            self._client.manners.rest(asked_to_wait_s, self._hint if is_long else "")
        return max(self._gap_s, asked_to_wait_s or 0.0)

    def _asked_to_wait_s(self, response: aiohttp.ClientResponse) -> float | None:
        """Return how long a busy server wants to be left alone; None where it gives a picture."""
        if response.status in _BUSY:
            asked_s = http_times.retry_after_s(response.headers.get("retry-after"), self._clock.now_ns())
            if asked_s is not None:
                return asked_s
        if response.status not in (_OK, _NOT_MODIFIED):
            self._client.refuse(response)
        return None

    async def _snapshot(self, response: aiohttp.ClientResponse) -> Picture:
        source_at_ns = http_times.taken_ns(_lower(response.headers))
        if response.status == _NOT_MODIFIED:
            if self._last is None:
                text = self._client.said("status 304 found before any picture; a picture expected")
                raise SourceAway(text)
            found, is_same = self._last, True
        else:
            found = self._checked(await self._client.body(response, self._max_bytes))
            is_same = found == self._last
            tags = {"If-None-Match": response.headers.get("etag", "")}
            tags["If-Modified-Since"] = response.headers.get("last-modified", "")
            self._tags = {name: value for name, value in tags.items() if value}
        self._last = found
        # The same picture again tells how things stand now, not when it was taken.
        told_ns = None if is_same else source_at_ns
        now_ns = self._clock.now_ns()
        return Picture(*found, is_key=True, received_ns=now_ns, source_at_ns=told_ns, same_as_before=is_same)

    def _checked(self, body: bytes) -> tuple[str, bytes]:
        codec = bitstream.still_codec(body)
        if codec is None:
            # Away, not refused: cameras answer so while they start or are overloaded, and asking again mends it.
            text = self._client.said(f"{len(body)} bytes that are neither JPEG nor PNG found, one of them expected")
            raise SourceAway(text)
        return codec, body

    async def _stream(self, response: aiohttp.ClientResponse, delimiter: bytes, to: Listener) -> None:
        pictures = multipart.Pictures(delimiter, self._max_bytes)
        last, heard_s = b"", time.monotonic()
        try:
            async for chunk in response.content.iter_any():
                busy_s = time.thread_time()
                received_ns = self._clock.now_ns()
                if time.monotonic() - heard_s > BABBLE_S:
                    raise SourceSilent(self._client.said(f"no whole picture of a stream within {BABBLE_S:g} s"))
                for codec, part in pictures.feed(chunk):
                    data, heard_s = part.body, time.monotonic()
                    told_ns = http_times.taken_ns(part.headers)
                    is_same = data == last
                    to.took(
                        Picture(
                            codec,
                            data,
                            is_key=True,
                            received_ns=received_ns,
                            source_at_ns=told_ns,
                            same_as_before=is_same,
                        )
                    )
                    last = data
                await asyncio.sleep(multipart.REST * (time.thread_time() - busy_s))
            pictures.end()
        except (multipart.TooLarge, multipart.NoBoundary) as error:
            raise SourceRefused(self._client.said(str(error))) from None
        except multipart.NoPictures as error:
            raise SourceAway(self._client.said(str(error))) from None


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
