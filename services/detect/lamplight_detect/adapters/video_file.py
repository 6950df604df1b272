"""Video files through PyAV's demuxer and detect's own bounded decoders."""

from __future__ import annotations

from collections.abc import Iterator
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

_ANNEX_B = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}
_STILLS = frozenset({"mjpeg", "png"})
_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,ivf,h264,hevc,m4v,mjpeg,mpjpeg",
}
"""No demuxer that opens further files, as those of playlists do."""
_UNNUMBERED = frozenset({"mpeg4", "vp8", "vp9"})
"""Codings that do not number their pictures: a lost one shows in the times alone."""
LATE_SHARE = 0.5
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
        self._turns = _rotation_deg(path)
        self._aspect = self._stream.sample_aspect_ratio
        self.damaged = 0
        self.duration_s = float((self._container.duration or 0) / av.time_base)

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
        for packet, at_s, is_late in self._packets(name):
            is_gap = is_late and name in _UNNUMBERED
            try:
                if decoder is None:
                    found = [Shown(decode_still(bytes(packet)), at_s)]
                else:
                    decoded = decoder.decode(bytes(packet), at_s, is_key=packet.is_keyframe, after_gap=is_gap)
                    found = [Shown(one.bgr, one.stamp) for one in decoded if one.bgr is not None]
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

        The last value tells whether one comes later than the one before lasts.
        """
        annex_b = av.BitStreamFilterContext(_ANNEX_B[name], self._stream) if name in _ANNEX_B else None
        start = self._stream.start_time or 0
        step = 1 / float(self.rate)
        last_s = -step
        due: int | None = None
        try:
            for packet in self._container.demux(self._stream):
                if packet.size == 0:
                    continue
                pts = packet.pts if packet.pts is not None else packet.dts
                at_s = last_s + step if pts is None else float((pts - start) * (self._stream.time_base or step))
                last_s = at_s
                ticks = packet.duration or round(step / float(self._stream.time_base or step))
                is_late = due is not None and packet.dts is not None and packet.dts > due + ticks * LATE_SHARE
                due = None if packet.dts is None else packet.dts + ticks
                is_key = packet.is_keyframe
                for one in annex_b.filter(packet) if annex_b else [packet]:
                    one.is_keyframe = is_key
                    yield one, at_s, is_late
        except FFmpegError:
            self.damaged += 1

    def _extradata(self, name: str) -> bytes:
        return b"" if name in _ANNEX_B else bytes(self._stream.codec_context.extradata or b"")


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
