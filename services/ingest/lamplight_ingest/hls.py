"""HTTP Live Streaming playlists (RFC 8216), read; pure: text in, what to fetch out, everything bounded."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from lamplight_ingest.model import NS_PER_S

MAX_BYTES = 1 << 20
MAX_SEGMENTS = 10_000
MAX_SEGMENT_S = 3_600.0
ENOUGH_LINES = 360
"""The least height of a picture in which things are still found; a taller one only costs more."""
_TYPES = frozenset({"application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl"})
_ATTRIBUTE = re.compile(r'([A-Z0-9-]{1,60})=("[^"]*"|[^,"]*)')
_OPEN_KEYS = frozenset({"", "NONE"})


class NoPlaylist(ValueError):  # noqa: N818 - named after what is the case
    """The text is no playlist that we can follow; says why."""


@dataclass(frozen=True)
class Piece:
    """Bytes to fetch: a URL, and from where how many of it (None: all)."""

    url: str
    span: tuple[int, int] | None = None


@dataclass(frozen=True)
class Segment:
    """One media segment; `key` is how it is encrypted (empty: not), `init` what goes before fragmented MP4."""

    piece: Piece
    sequence: int
    duration_s: float
    init: Piece | None = None
    key: str = ""
    is_discontinuity: bool = False
    is_gap: bool = False
    at_ns: int | None = None


@dataclass(frozen=True)
class Variant:
    """One of the streams that a master playlist offers; `lines` is the height of its pictures, 0 where not told."""

    url: str
    bandwidth: int
    lines: int
    codecs: str


@dataclass(frozen=True)
class Playlist:
    """A master playlist (variants) or a media playlist (segments)."""

    variants: Sequence[Variant] = ()
    segments: Sequence[Segment] = ()
    target_s: float = 6.0
    is_ended: bool = False


def is_playlist(content_type: str, url: str) -> bool:
    """Tell whether an answer is a playlist, by its type or its address."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind in _TYPES or urlsplit(url).path.lower().endswith((".m3u8", ".m3u"))


def parse(text: str, base_url: str) -> Playlist:
    """Read a playlist that was fetched from `base_url`; raises `NoPlaylist`."""
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines() if line.strip()]
    if not lines or not lines[0].startswith("#EXTM3U"):
        message = "no playlist found, a text that begins with #EXTM3U expected"
        raise NoPlaylist(message)
    if any(line.startswith("#EXT-X-STREAM-INF") for line in lines):
        return Playlist(variants=tuple(_variants(lines, base_url)))
    return _Reader(base_url).read(lines)


def choose(variants: Sequence[Variant]) -> Variant:
    """Return the cheapest variant whose pictures are tall enough, else the tallest; raises `NoPlaylist` for none."""
    videos = [each for each in variants if each.lines or not each.codecs or _has_video(each.codecs)]
    if not videos:
        message = "no video among the variants of the playlist found, one expected"
        raise NoPlaylist(message)
    enough = [each for each in videos if each.lines >= ENOUGH_LINES]
    if enough:
        return min(enough, key=lambda each: each.bandwidth)
    return max(videos, key=lambda each: (each.lines, each.bandwidth))


def _has_video(codecs: str) -> bool:
    return any(name.strip().startswith(("avc", "hvc", "hev")) for name in codecs.split(","))


def _variants(lines: Sequence[str], base_url: str) -> Iterator[Variant]:
    told: Mapping[str, str] | None = None
    for line in lines:
        if line.startswith("#EXT-X-STREAM-INF:"):
            told = _attributes(line.partition(":")[2])
        elif told is not None and not line.startswith("#"):
            lines_told = told.get("RESOLUTION", "").lower().partition("x")[2]
            yield Variant(
                urljoin(base_url, line),
                _whole(told.get("BANDWIDTH", ""), 0),
                _whole(lines_told, 0),
                told.get("CODECS", "").lower(),
            )
            told = None


@dataclass
class _Reader:
    """What the lines so far say of the next segment."""

    base_url: str
    target_s: float = 6.0
    sequence: int = 0
    is_ended: bool = False
    duration_s: float | None = None
    span: tuple[int, int] | None = None
    init: Piece | None = None
    key: str = ""
    is_discontinuity: bool = False
    is_gap: bool = False
    at_ns: int | None = None
    span_ends: dict[str, int] = field(default_factory=dict)

    def read(self, lines: Sequence[str]) -> Playlist:
        segments: list[Segment] = []
        for line in lines[1:]:
            if line.startswith("#"):
                self._tag(line)
            elif self.duration_s is not None:
                segments.append(self._segment(line))
                if len(segments) > MAX_SEGMENTS:
                    message = f"more than {MAX_SEGMENTS} segments in a playlist found"
                    raise NoPlaylist(message)
        return Playlist(segments=tuple(segments), target_s=self.target_s, is_ended=self.is_ended)

    def _tag(self, line: str) -> None:
        name, _, value = line.partition(":")
        match name:
            case "#EXTINF":
                self.duration_s = _seconds(value.partition(",")[0])
            case "#EXT-X-TARGETDURATION":
                self.target_s = max(0.5, _seconds(value))
            case "#EXT-X-MEDIA-SEQUENCE":
                self.sequence = _whole(value, 0)
            case "#EXT-X-ENDLIST":
                self.is_ended = True
            case "#EXT-X-DISCONTINUITY":
                self.is_discontinuity = True
            case "#EXT-X-GAP":
                self.is_gap = True
            case "#EXT-X-PROGRAM-DATE-TIME":
                self.at_ns = _date_ns(value)
            case _:
                self._where(name, value)

    def _where(self, name: str, value: str) -> None:
        """Take a tag that tells where bytes are, or how they are encrypted."""
        told = _attributes(value)
        match name:
            case "#EXT-X-BYTERANGE":
                self.span = self._span(value)
            case "#EXT-X-KEY":
                method = told.get("METHOD", "")
                self.key = "" if method in _OPEN_KEYS else method
            case "#EXT-X-MAP":
                span = self._span(told["BYTERANGE"]) if "BYTERANGE" in told else None
                url = urljoin(self.base_url, told.get("URI", ""))
                self.init = Piece(url, (max(0, span[0]), span[1]) if span else None)
            case _:
                pass

    def _segment(self, uri: str) -> Segment:
        url, duration_s, span = urljoin(self.base_url, uri), self.duration_s or 0.0, self.span
        if span is not None:
            start = span[0] if span[0] >= 0 else self.span_ends.get(url, 0)
            span = (start, span[1])
            self.span_ends = {url: start + span[1]}
        made = Segment(
            Piece(url, span),
            self.sequence,
            duration_s,
            self.init,
            self.key,
            self.is_discontinuity,
            self.is_gap,
            self.at_ns,
        )
        if self.at_ns is not None:
            self.at_ns += round(duration_s * NS_PER_S)
        self.sequence += 1
        self.duration_s, self.span, self.is_discontinuity, self.is_gap = None, None, False, False
        return made

    @staticmethod
    def _span(text: str) -> tuple[int, int]:
        """Return start (-1: where the one before ended) and length."""
        length, at, start = text.strip().partition("@")
        return (_whole(start, 0) if at else -1, _whole(length, 0))


def _attributes(text: str) -> Mapping[str, str]:
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(text)}


def _whole(text: str, otherwise: int) -> int:
    digits = re.match(r"\s*(\d{1,18})", text)
    return int(digits[1]) if digits else otherwise


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        return 0.0
    return min(max(found, 0.0), MAX_SEGMENT_S) if math.isfinite(found) else 0.0


def _date_ns(text: str) -> int | None:
    try:
        found = dt.datetime.fromisoformat(text.strip())
        aware = found if found.tzinfo else found.replace(tzinfo=dt.UTC)
        return int((aware - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(microseconds=1)) * 1000
    except (ValueError, OverflowError):
        return None
