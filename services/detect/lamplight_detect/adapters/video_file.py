"""Video files through PyAV's demuxer and detect's own bounded decoders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from lamplight_detect.decode import Unreadable, VideoDecoder, decode_still
from lamplight_detect.decode.exif import turned
from lamplight_detect.decode.limits import MAX_PX
from lamplight_detect.decode.steady import hole_over
from lamplight_detect.decode.video import UNNUMBERED

_ANNEX_B = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}
_STILLS = frozenset({"mjpeg", "png"})
_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,ivf,h264,hevc,m4v,mjpeg,mpjpeg",
}
"""No demuxer that opens further files, as those of playlists do."""
DEFAULT_RATE = Fraction(25)


@dataclass(frozen=True)
class Shown:
    """A decoded picture of a file: `bgr` [H, W, 3] upright, `at_s` after the file's start."""

    bgr: NDArray[np.uint8]
    at_s: float


class VideoFile:
    """Reads one video file; pictures that are damaged or follow a gap are left out and counted."""

    def __init__(self, path: Path) -> None:
        """Open `path`; Unreadable where it is no video file."""
        try:
            self._container = av.open(str(path), options=dict(_OPTIONS), timeout=20.0)
        except (FFmpegError, OSError, ValueError) as error:
            message = f"{path.name}: no video found ({type(error).__name__}), a file with pictures expected"
            raise Unreadable(message) from None
        if not self._container.streams.video:
            self._container.close()
            message = f"{path.name}: no video track found, one expected"
            raise Unreadable(message)
        self._stream = self._container.streams.video[0]
        self.rate = Fraction(self._stream.average_rate or DEFAULT_RATE).limit_denominator(1001)
        self._path, self._turns = path, _rotation_deg(path)
        self._aspect = self._stream.sample_aspect_ratio
        self.damaged = 0
        self.duration_s = float((self._container.duration or 0) / av.time_base)
        self.expected = self._stream.frames or round(self.duration_s * float(self.rate))

    def pictures(self) -> Iterator[Shown]:
        """Yield the pictures in the order in which they are shown."""
        try:
            yield from self._pictures()
        finally:
            self._container.close()

    def _pictures(self) -> Iterator[Shown]:
        name = self._stream.codec_context.name
        decoder = None if name in _STILLS else VideoDecoder[float](name, self._extradata(name), self._aspect)
        turns = self._turns
        for packet, at_s, is_gap in self._packets(name):
            try:
                found = _decoded(decoder, packet, at_s, is_gap=is_gap)
            except Unreadable:
                self.damaged += 1
                continue
            yield from (Shown(turned(one.bgr, turns), one.at_s) if turns else one for one in found)
        if decoder is not None:
            for one in self._drained(decoder):
                yield Shown(turned(one.bgr, turns), one.at_s) if turns else one

    def _drained(self, decoder: VideoDecoder[float]) -> list[Shown]:
        try:
            return [Shown(one.bgr, one.stamp) for one in decoder.drain() if one.bgr is not None]
        except Unreadable:
            self.damaged += 1
            return []

    def _packets(self, name: str) -> Iterator[tuple[av.Packet[av.VideoStream], float, bool]]:
        """Yield the packets, H.264 and H.265 as Annex B, with their times; ends where the file is damaged.

        The last value tells whether one is missing before it.
        """
        annex_b = av.BitStreamFilterContext(_ANNEX_B[name], self._stream) if name in _ANNEX_B else None
        start = self._stream.start_time or 0
        step = 1 / float(self.rate)
        last_s, last_dts, is_gap = -step, None, False
        hole = hole_over(_times(self._path)) if name in UNNUMBERED else None
        try:
            for packet in self._container.demux(self._stream):
                if packet.size == 0:
                    continue
                if packet.is_corrupt:  # the demuxer met an end, or lost part of it
                    is_gap, self.damaged = True, self.damaged + 1
                    continue
                pts = packet.pts if packet.pts is not None else packet.dts
                at_s = last_s + step if pts is None else float((pts - start) * (self._stream.time_base or step))
                last_s = at_s
                if packet.dts is not None:
                    is_gap = is_gap or (hole is not None and last_dts is not None and packet.dts - last_dts > hole)
                    last_dts = packet.dts
                is_key = packet.is_keyframe
                for one in annex_b.filter(packet) if annex_b else [packet]:
                    one.is_keyframe = is_key
                    yield one, at_s, is_gap
                    is_gap = False
        except FFmpegError:
            self.damaged += 1

    def _extradata(self, name: str) -> bytes:
        return b"" if name in _ANNEX_B else bytes(self._stream.codec_context.extradata or b"")


def _decoded(
    decoder: VideoDecoder[float] | None, packet: av.Packet[av.VideoStream], at_s: float, *, is_gap: bool
) -> list[Shown]:
    """Return the pictures that come of a packet; no decoder is needed where each is a file of its own."""
    if decoder is None:
        return [Shown(decode_still(bytes(packet)), at_s)]
    found = decoder.decode(bytes(packet), at_s, is_key=packet.is_keyframe, after_gap=is_gap)
    return [Shown(one.bgr, one.stamp) for one in found if one.bgr is not None]


def _times(path: Path) -> list[int]:
    """Return the times of the packets, in the file's own ticks and order, up to where it is damaged."""
    times: list[int] = []
    with av.open(str(path), options=dict(_OPTIONS), timeout=20.0) as container, suppress(FFmpegError):
        times.extend(one.dts for one in container.demux(container.streams.video[0]) if one.dts is not None)
    return times


def _rotation_deg(path: Path) -> int:
    """Return the clockwise quarter turns that the container asks for; PyAV shows them on decoded pictures only."""
    with av.open(str(path), options=dict(_OPTIONS), timeout=20.0) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"max_pixels": str(MAX_PX)}
        stream.codec_context.thread_count = 1
        try:
            first = next(container.decode(stream), None)
        except FFmpegError:
            return 0
        return 0 if first is None else -round(first.rotation / 90) * 90 % 360
