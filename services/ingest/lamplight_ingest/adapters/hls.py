"""HLS: every playlist and segment is fetched by our own client through the doors; the demuxer gets bytes alone."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import av
import httpx
from lamplight_kit.clock import Clock

from lamplight_ingest import hls
from lamplight_ingest.adapters.container import Unit, Units, open_container, packets, video_of
from lamplight_ingest.adapters.http_client import HttpClient
from lamplight_ingest.hls import Piece, Playlist, Segment
from lamplight_ingest.model import NS_PER_S, Picture, SourceAway, SourceRefused
from lamplight_ingest.scrub import scrub
from lamplight_ingest.timing import OwnTime

MAX_SEGMENT_BYTES = 48 << 20
_OPTIONS = {"protocol_whitelist": "none"}
_MICROSECOND = Fraction(1, 1_000_000)
_MOST_BEHIND = 3
_MOST_MISSED = 5
_PATIENCE_TARGETS = 4
_TS_SYNC = b"\x47"


class _Missing(SourceAway):
    """A segment is not there any more, or not yet."""


class _Pace:
    """When a picture is due: segments come in one go, but their pictures were taken one by one."""

    def __init__(self) -> None:
        self.base_s = 0.0
        self._start_s: float | None = None

    def wait(self, own_s: float, slack_s: float, client: HttpClient) -> None:
        """Wait until `own_s` seconds after the first picture; who is `slack_s` late begins anew from here."""
        now_s = time.monotonic()
        if self._start_s is None or now_s - (self._start_s + own_s) > max(slack_s, 1.0):
            self._start_s = now_s - own_s
        client.closed.wait(max(0.0, self._start_s + own_s - now_s))


@dataclass
class HlsStream:
    """Plays one stream from its newest segment on, at the pace at which it was taken."""

    client: HttpClient
    clock: Clock
    keys_only: bool
    max_bytes: int
    _next: int | None = None
    _lost: bool = False
    _missed: int = 0
    _init: tuple[Piece, bytes] | None = None
    _pace: _Pace = field(default_factory=_Pace)

    def pictures(self, text: str, url: str) -> Iterator[Picture]:
        """Yield pictures, beginning with the playlist `text` that was found at `url`."""
        playlist = self._parsed(text, url)
        if playlist.variants:
            url = self._chosen(playlist)
            playlist = self._fetched(url)
        if playlist.variants:
            raise SourceRefused(self.client.said("a playlist of playlists of playlists found, one less expected"))
        grown_s = time.monotonic()
        while not self.client.closed.is_set():
            asked_s = time.monotonic()
            new = self._new(playlist)
            for segment in new:
                yield from self._played(segment)
            grown_s = asked_s if new else grown_s
            if playlist.is_ended:
                return
            if asked_s - grown_s > _PATIENCE_TARGETS * playlist.target_s:
                raise SourceAway(self.client.said("its playlist grows no more"))
            wait_s = playlist.target_s if new else playlist.target_s / 2  # RFC 8216, 6.3.4
            self.client.closed.wait(max(0.0, asked_s + wait_s - time.monotonic()))
            if self.client.may_ask():
                playlist = self._fetched(url)

    def _new(self, playlist: Playlist) -> Sequence[Segment]:
        """Return the segments to play now: at first the newest, then what is new; too many of them are passed over."""
        segments = playlist.segments
        if not segments:
            return ()
        if self._next is not None and segments[-1].sequence + 1 < self._next:
            self._next, self._lost = segments[-1].sequence, True  # the server began anew
        if self._next is None:
            new = segments if playlist.is_ended else segments[-1:]
        else:
            new = [each for each in segments if each.sequence >= self._next]
            if new and new[0].sequence > self._next:
                self._lost = True
            if len(new) > _MOST_BEHIND and not playlist.is_ended:
                new, self._lost = new[-1:], True
        self._next = segments[-1].sequence + 1
        return new

    def _played(self, segment: Segment) -> Iterator[Picture]:
        if segment.key:
            text = (
                f"segments encrypted by {segment.key} found, clear ones expected; have the server send them over https"
            )
            raise SourceRefused(self.client.said(text))
        if segment.is_gap:
            self._lost = True
            return
        try:
            data = self._bytes(segment)
        except (SourceAway, SourceRefused) as error:
            self._missed += 1
            self._lost = True
            if self._missed >= _MOST_MISSED or not isinstance(error, _Missing):
                raise
            return
        for unit, own_s in self._units(data):
            self._pace.wait(self._pace.base_s + own_s, segment.duration_s, self.client)
            if self.client.closed.is_set():
                return
            self._missed = 0
            lost, self._lost = self._lost or unit.lost_before, False
            yield Picture(
                codec=unit.codec,
                data=unit.data,
                is_key=unit.is_key,
                received_ns=self.clock.now_ns(),
                source_at_ns=None if segment.at_ns is None else segment.at_ns + round(own_s * NS_PER_S),
                extradata=unit.extradata,
                lost_before=lost,
            )
        self._pace.base_s += segment.duration_s

    def _units(self, data: bytes) -> Iterator[tuple[Unit, float]]:
        """Yield the pictures of one segment with their seconds since its first."""
        kind = "mpegts" if data.startswith(_TS_SYNC) else "mov"
        try:
            with open_container(io.BytesIO(data), {**_OPTIONS, "format_whitelist": kind}, 10.0, 10.0) as container:
                stream = video_of(container)
                units = Units(stream, self.max_bytes, keys_only=self.keys_only)
                own_time = OwnTime(stream.time_base or _MICROSECOND, None, None)
                for packet in packets(container, stream, self.client.closed.is_set):
                    own_s = own_time.seconds(packet.pts, packet.dts) if packet.size else 0.0
                    for unit in units.of(packet):
                        yield unit, own_s
        except (av.FFmpegError, ValueError) as error:
            # Half a segment is still half of its pictures; what follows comes after a loss.
            self._lost = True
            self._missed += 1
            if self._missed >= _MOST_MISSED:
                reason = scrub(str(getattr(error, "strerror", None) or error).lower())
                raise SourceAway(self.client.said(f"{self._missed} broken segments in a row ({reason})")) from None

    def _bytes(self, segment: Segment) -> bytes:
        before = b""
        if segment.init is not None:
            if self._init is None or self._init[0] != segment.init:
                self._init = (segment.init, self._piece(segment.init))
            before = self._init[1]
        return before + self._piece(segment.piece)

    def _piece(self, piece: Piece) -> bytes:
        headers: dict[str, str] = {}
        if piece.span is not None:
            start, length = piece.span
            headers["Range"] = f"bytes={start}-{start + length - 1}"
        with self.client.get(headers, piece.url) as (response, _):
            if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
                raise _Missing(self.client.said(f"status {response.status_code} found for a segment, 200 expected"))
            if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
                self.client.refuse(response)
            data = self.client.body(response, MAX_SEGMENT_BYTES, "a segment")
        if piece.span is not None and response.status_code == httpx.codes.OK:
            return data[piece.span[0] : piece.span[0] + piece.span[1]]
        return data

    def _fetched(self, url: str) -> Playlist:
        with self.client.get({}, url) as (response, _):
            if response.status_code != httpx.codes.OK:
                self.client.refuse(response)
            text = self.client.body(response, hls.MAX_BYTES, "a playlist").decode("utf-8", "replace")
            return self._parsed(text, str(response.url))

    def _parsed(self, text: str, url: str) -> Playlist:
        try:
            return hls.parse(text, url)
        except hls.NoPlaylist as error:
            raise SourceAway(self.client.said(str(error))) from None

    def _chosen(self, playlist: Playlist) -> str:
        try:
            return hls.choose(playlist.variants).url
        except hls.NoPlaylist as error:
            raise SourceRefused(self.client.said(str(error))) from None
