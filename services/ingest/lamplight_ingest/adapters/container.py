"""PyAV's demuxer, the one door to libavformat: packets in, pictures out, no decoder ever opened.

`codec_whitelist` names none, so libavformat cannot open a decoder even to guess at a stream; `protocol_whitelist` and
`format_whitelist` keep a file from naming others (playlists, concatenations).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from lamplight_ingest import bitstream
from lamplight_ingest.model import STANDS_ALONE, SourceAway, SourceRefused

NO_DECODER = {"codec_whitelist": "none"}
_FILTERS = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}
_MAX_BAD_IN_A_ROW = 250


@dataclass(frozen=True)
class Unit:
    """One packet of the video, ready for a Frame but for its times; `produced_ns` is the source's own time, if told."""

    codec: str
    data: bytes
    extradata: bytes
    is_key: bool
    lost_before: bool
    pts: int | None
    dts: int | None
    produced_ns: int | None


def open_container(
    address: str | BinaryIO, options: Mapping[str, str], open_timeout_s: float, read_timeout_s: float
) -> InputContainer:
    """Open an address, or bytes; raises PyAV's own errors. No step takes longer than its time-out."""
    av.logging.set_level(None)  # libavformat writes addresses, credentials included, into its log
    return av.open(address, mode="r", options={**NO_DECODER, **options}, timeout=(open_timeout_s, read_timeout_s))


def video_of(container: InputContainer) -> VideoStream:
    """Return the first video that is no cover picture; raises `SourceRefused` where there is none."""
    for stream in container.streams.video:
        if stream.codec_context is not None:
            return stream
    others = ", ".join(sorted({str(stream.type) for stream in container.streams}))
    text = f"{others or 'nothing'} found, a video of a known coding expected; give another source"
    raise SourceRefused(text)


class Units:
    """Turns packets of one video stream into units; what is broken is passed over and leaves its mark."""

    def __init__(self, stream: VideoStream, max_bytes: int, *, keys_only: bool) -> None:
        """Take units of at most `max_bytes`; `keys_only` copies nothing else."""
        context = stream.codec_context
        self.codec = context.codec.canonical_name
        self._stream = stream
        self._keys_only = keys_only
        self._max_bytes = max_bytes
        self._extradata = bytes(context.extradata or b"")
        self._is_nal = self.codec in _FILTERS
        self._filter: BitStreamFilterContext | None = None
        if self._is_nal and self._extradata and not bitstream.is_annex_b(self._extradata):
            self._filter = BitStreamFilterContext(_FILTERS[self.codec], stream)
        self._lost = False
        self._bad_in_a_row = 0

    def of(self, packet: Packet[VideoStream]) -> Iterator[Unit]:
        """Yield the units of `packet`: none, or one."""
        stands_alone = self.codec in STANDS_ALONE
        is_key = stands_alone or bool(packet.is_keyframe)
        if packet.size == 0 or (self._keys_only and not is_key):
            return
        if packet.is_corrupt or packet.size > self._max_bytes:
            self._mark_lost(f"a picture of {packet.size} bytes, broken or more than {self._max_bytes}")
            return
        pts, dts, produced_ns = packet.pts, packet.dts, _produced_ns(packet)
        data = self._annex_b(packet, is_key=is_key) if self._is_nal else bytes(packet)
        if not data:
            return
        extradata = b"" if self._is_nal else self._extradata
        yield Unit(self.codec, data, extradata, is_key, self._lost, pts, dts, produced_ns)
        self._lost = False
        self._bad_in_a_row = 0

    def _annex_b(self, packet: Packet[VideoStream], *, is_key: bool) -> bytes:
        if self._filter is None:
            data, sets = bytes(packet), self._extradata
        else:
            try:
                data, sets = b"".join(bytes(part) for part in self._filter.filter(packet)), b""
            except av.FFmpegError:
                self._filter.flush()
                self._mark_lost("pictures whose inner lengths are wrong")
                return b""
        if len(data) > self._max_bytes:
            self._mark_lost(f"a picture of {len(data)} bytes")
            return b""
        return bitstream.with_parameter_sets(self.codec, data, sets) if is_key else data

    def _mark_lost(self, what: str) -> None:
        self._lost = True
        self._bad_in_a_row += 1
        if self._bad_in_a_row > _MAX_BAD_IN_A_ROW:
            text = f"{self._bad_in_a_row} broken pictures in a row found, the last: {what}; look at the source"
            raise SourceAway(text)


def packets(
    container: InputContainer, stream: VideoStream, is_closed: Callable[[], bool]
) -> Iterator[Packet[VideoStream]]:
    """Yield packets until the end or until closed; raises PyAV's own errors."""
    for packet in container.demux(stream):
        if is_closed():
            return
        yield packet


def _produced_ns(packet: Packet[VideoStream]) -> int | None:
    """Return when the source says it took the picture: RTCP's sender report, as FFmpeg's AVProducerReferenceTime."""
    if not packet.has_sidedata("prft"):
        return None
    raw = bytes(packet.get_sidedata("prft"))
    return int(struct.unpack_from("<q", raw)[0]) * 1000 if len(raw) >= struct.calcsize("<q") else None
