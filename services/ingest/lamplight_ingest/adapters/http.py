"""Cameras over HTTP(S): a picture asked for again and again, an endless multipart, or HLS; the first answer tells."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
from lamplight_kit.clock import Clock

from lamplight_ingest import bitstream, hls, http_times, multipart
from lamplight_ingest.adapters.hls import HlsStream
from lamplight_ingest.adapters.http_client import HttpClient
from lamplight_ingest.adapters.http_hosts import HttpHosts
from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.doors import Address
from lamplight_ingest.model import Picture, SourceAway, SourceRefused

_BUSY = frozenset({httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE})


class HttpSource:
    """Polls snapshots every `gap_s` seconds (politer where the server asks for it), or reads what comes as a stream."""

    ends = False

    def __init__(
        self,
        address: Address,
        credentials: Credentials | None,
        hosts: HttpHosts,
        clock: Clock,
        *,
        gap_s: float,
        max_bytes: int,
        keys_only: bool = True,
    ) -> None:
        """Prepare; nothing connects until `open`. A picture may take `max_bytes` and three of the hosts' time-outs.

        `keys_only` copies nothing but keyframes of an HLS stream.
        """
        self._keys_only = keys_only
        self.transport = "http-snapshot"
        self._client = HttpClient(address, credentials, hosts)
        self._clock = clock
        self._gap_s = gap_s
        self._max_bytes = max_bytes
        self._tags: dict[str, str] = {}
        self._last: tuple[str, bytes] | None = None
        self._hint = ""

    def hint(self) -> str:
        """Say what the server answered in place of a picture; empty where it answered nothing of the kind."""
        return self._hint

    def open(self) -> None:
        """Do nothing yet: asking is what `pictures` does."""

    def pictures(self) -> Iterator[Picture]:
        """Yield pictures until closed or until the server fails."""
        while self._client.may_ask():
            asked_s = time.monotonic()
            wait_s = self._gap_s
            with self._client.get(self._tags) as (response, turn):
                delimiter = multipart.boundary_of(response.headers.get("content-type", ""))
                if response.status_code == httpx.codes.OK and delimiter is not None:
                    self.transport = "http-mjpeg"
                    turn.end()
                    self._client.endless()
                    yield from self._stream(response, delimiter)
                    return
                url = str(response.url)
                if response.status_code == httpx.codes.OK and hls.is_playlist(
                    response.headers.get("content-type", ""), url
                ):
                    self.transport = "http-hls"
                    text = self._client.body(response, hls.MAX_BYTES, "a playlist").decode("utf-8", "replace")
                    break
                self.transport = "http-snapshot"
                asked_to_wait_s = self._asked_to_wait_s(response)
                picture = self._snapshot(response) if asked_to_wait_s is None else None
            if picture is not None:
                yield picture
            if asked_to_wait_s is not None:
                wait_s = max(wait_s, asked_to_wait_s)
                self._hint = http_times.rest_text(response.status_code, asked_to_wait_s, self._clock.now_ns())
                self._client.rest(asked_to_wait_s)
            self._client.closed.wait(max(0.0, asked_s + wait_s - time.monotonic()))
        else:
            return
        stream = HlsStream(self._client, self._clock, self._keys_only, self._max_bytes)
        yield from stream.pictures(text, url)

    def close(self) -> None:
        """End, and whatever is waited for; the time-out bounds names and connections that are still being made."""
        self._client.close()

    def _asked_to_wait_s(self, response: httpx.Response) -> float | None:
        """Return how long a busy server wants to be left alone; None where it gives a picture."""
        if response.status_code in _BUSY:
            asked_s = http_times.retry_after_s(response.headers.get("retry-after"), self._clock.now_ns())
            if asked_s is not None:
                return asked_s
        if response.status_code not in (httpx.codes.OK, httpx.codes.NOT_MODIFIED):
            self._client.refuse(response)
        return None

    def _snapshot(self, response: httpx.Response) -> Picture:
        source_at_ns = http_times.taken_ns(response.headers)
        if response.status_code == httpx.codes.NOT_MODIFIED:
            if self._last is None:
                text = self._client.said("status 304 found before any picture; a picture expected")
                raise SourceAway(text)
            found, is_same = self._last, True
        else:
            found = self._checked(self._client.body(response, self._max_bytes, "a picture"))
            is_same = found == self._last
            self._remember_tags(response.headers)
        self._last = found
        # The same picture again tells how things stand now, not when it was taken.
        told_ns = None if is_same else source_at_ns
        now_ns = self._clock.now_ns()
        return Picture(*found, is_key=True, received_ns=now_ns, source_at_ns=told_ns, same_as_before=is_same)

    def _remember_tags(self, headers: httpx.Headers) -> None:
        tags = {"If-None-Match": headers.get("etag", ""), "If-Modified-Since": headers.get("last-modified", "")}
        self._tags = {name: value for name, value in tags.items() if value}

    def _checked(self, body: bytes) -> tuple[str, bytes]:
        codec = bitstream.still_codec(body)
        if codec is None:
            # Away, not refused: cameras answer so while they start or are overloaded, and asking again mends it.
            text = self._client.said(f"{len(body)} bytes that are neither JPEG nor PNG found, one of them expected")
            raise SourceAway(text)
        return codec, body

    def _stream(self, response: httpx.Response, delimiter: bytes) -> Iterator[Picture]:
        pictures = multipart.Pictures(delimiter, self._max_bytes)
        last = b""
        try:
            for chunk in response.iter_raw():
                busy_s = time.thread_time()
                received_ns = self._clock.now_ns()
                for codec, part in pictures.feed(chunk):
                    data = part.body
                    told_ns = http_times.taken_ns(part.headers)
                    is_same = data == last
                    yield Picture(
                        codec, data, is_key=True, received_ns=received_ns, source_at_ns=told_ns, same_as_before=is_same
                    )
                    last = data
                if self._client.closed.wait(multipart.REST * (time.thread_time() - busy_s)):
                    return
            pictures.end()
        except (multipart.TooLarge, multipart.NoBoundary) as error:
            raise SourceRefused(self._client.said(str(error))) from None
        except multipart.NoPictures as error:
            raise SourceAway(self._client.said(str(error))) from None
