"""Session descriptions (RFC 8866) as cameras write them: leniently read, bounded, only what a video needs."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lamplight_ingest.heard import codings, kinds
from lamplight_ingest.rtsp.events import Fault, SessionError
from lamplight_ingest.rtsp.nal import CODECS, Codec

MAX_LINES = 2000
MAX_MEDIA = 64
_NUMBER = re.compile(r"[0-9]{1,3}")
_RTPMAP = re.compile(r"([0-9]{1,3})\s+([^/\s]+)/([0-9]{1,9})(?:/.*)?")
_SETS = ("sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets")
_STARTS = (b"\x00\x00\x00\x01", b"\x00\x00\x01")


@dataclass
class Media:
    """One `m=` section: kind (video, audio, application), transport, payload types, and what is said of them."""

    kind: str
    protocol: str
    payload_types: tuple[int, ...]
    control: str | None = None
    encodings: dict[int, tuple[str, int]] = field(default_factory=dict)
    parameters: dict[int, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Description:
    """What a server says of its stream; `control` is the whole presentation's."""

    control: str | None
    media: tuple[Media, ...]


@dataclass(frozen=True)
class VideoFormat:
    """The video to be set up: its control, RTP payload type, codec, clock, and parameter sets told beforehand."""

    control: str | None
    payload_type: int
    codec: Codec
    clock_hz: int
    parameter_sets: tuple[bytes, ...]


def parse(body: bytes) -> Description:
    """Read a description; lines that make no sense are passed over."""
    control: str | None = None
    media: list[Media] = []
    for line in body.decode("utf-8", "surrogateescape").splitlines()[:MAX_LINES]:
        kind, _, value = line.strip().partition("=")
        if kind == "m" and len(media) < MAX_MEDIA:
            media.append(_media(value))
        elif kind == "a" and value.startswith("control:") and not media:
            control = value.partition(":")[2].strip()
        elif kind == "a" and media:
            _attribute(media[-1], value)
    return Description(control, tuple(media))


def video_of(description: Description) -> VideoFormat:
    """Return the first video that this client can receive; raises `SessionError` that says what there is instead."""
    videos = [media for media in description.media if media.kind == "video"]
    for media in videos:
        for payload_type in media.payload_types:
            name, clock_hz = media.encodings.get(payload_type, ("", 0))
            codec, parameters = CODECS.get(name.upper()), media.parameters.get(payload_type, {})
            if codec and clock_hz and _is_plain(parameters) and media.protocol.upper().startswith("RTP/"):
                return VideoFormat(media.control, payload_type, codec, clock_hz, tuple(_parameter_sets(parameters)))
    if not videos:
        found = kinds(media.kind for media in description.media)
        raise SessionError(Fault.REFUSED, f"{found} found in the description, a video expected; give another stream")
    found = codings(name for media in videos for name, _ in media.encodings.values())
    raise SessionError(Fault.ODD, f"{found} found, plain H264 or H265 over RTP expected")


def _is_plain(parameters: dict[str, str]) -> bool:
    """Tell whether packets come in decoding order (RFC 6184, 6.3; RFC 7798, 7.1)."""
    return parameters.get("packetization-mode", "0") != "2" and parameters.get("sprop-max-don-diff", "0") == "0"


def _parameter_sets(parameters: dict[str, str]) -> Iterator[bytes]:
    for name in _SETS:
        for text in filter(None, parameters.get(name, "").split(",")):
            try:
                nal = base64.b64decode(text.strip() + "=" * (-len(text.strip()) % 4))
            except (binascii.Error, ValueError):
                continue
            for start in _STARTS:
                nal = nal.removeprefix(start)
            yield nal


def _media(value: str) -> Media:
    words = value.split()
    kind, protocol = (words[0].lower() if words else ""), (words[2] if len(words) > 2 else "")
    return Media(kind, protocol, tuple(int(word) for word in words[3:] if _NUMBER.fullmatch(word)))


def _attribute(media: Media, value: str) -> None:
    name, _, rest = value.partition(":")
    rest = rest.strip()
    if name == "control":
        media.control = rest
    elif name == "rtpmap" and (match := _RTPMAP.fullmatch(rest)):
        media.encodings[int(match[1])] = (match[2], int(match[3]))
    elif name == "fmtp":
        number, _, text = rest.partition(" ")
        if _NUMBER.fullmatch(number):
            known = media.parameters.setdefault(int(number), {})
            for key, _, told in (item.partition("=") for item in text.split(";")):
                _learn(known, key.strip().lower(), told.strip())


def _learn(known: dict[str, str], key: str, told: str) -> None:
    """Take one parameter; what several lines say of one payload type holds together, sets one after the other."""
    before = known.get(key, "")
    known[key] = f"{before},{told}" if before and key in _SETS else told or before
