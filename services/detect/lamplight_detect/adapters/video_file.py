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
_OPTIONS = {"protocol_whitelist": "file"}
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
        decoder = None if name in _STILLS else VideoDecoder[float](name, self._extradata(name))
        turns = self._turns
        for packet, at_s in self._packets(name):
            try:
                if decoder is None:
                    found = [Shown(decode_still(bytes(packet)), at_s)]
                else:
                    decoded = decoder.decode(bytes(packet), at_s, is_key=packet.is_keyframe)
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

    def _packets(self, name: str) -> Iterator[tuple[av.Packet[av.VideoStream], float]]:
        """Yield the packets, H.264 and H.265 as Annex B, with their times; ends where the file is damaged."""
        annex_b = av.BitStreamFilterContext(_ANNEX_B[name], self._stream) if name in _ANNEX_B else None
        start = self._stream.start_time or 0
        step = 1 / float(self.rate)
        last_s = -step
        try:
            for packet in self._container.demux(self._stream):
                if packet.size == 0:
                    continue
                pts = packet.pts if packet.pts is not None else packet.dts
                at_s = last_s + step if pts is None else float((pts - start) * (self._stream.time_base or step))
                last_s = at_s
                is_key = packet.is_keyframe
                for one in annex_b.filter(packet) if annex_b else [packet]:
                    one.is_keyframe = is_key
                    yield one, at_s
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
