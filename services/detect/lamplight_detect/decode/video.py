"""One stream's video decoder (libavcodec through PyAV): bounded, strict, and silent after a gap until the next key."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Generic, TypeVar, cast

import av
import cv2
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from lamplight_detect.decode.h264 import GapCheck
from lamplight_detect.decode.hevc import SliceCheck
from lamplight_detect.decode.limits import MAX_PX, Unreadable, check_bytes, check_size
from lamplight_detect.decode.order import Order
from lamplight_detect.decode.packet import packet_of

CODECS = frozenset({"h264", "hevc", "mpeg4", "vp8", "vp9"})
UNNUMBERED = frozenset({"mpeg4", "vp8", "vp9"})
"""Codings that do not number their pictures: nothing in them tells that one is missing (docs/decisions/0095)."""
MAX_WAITING = 64
"""Pictures that a decoder may hold back to put them in order; H.264 and H.265 allow 16."""
ASPECT_SLACK, MOST_ASPECT = 1.15, 4
"""Pixels this much wider or taller than square are taken as square, up to PAL's 12:11."""
Mark = TypeVar("Mark")
_OPTIONS = {"max_pixels": str(MAX_PX), "err_detect": "crccheck+explode", "threads": "1"}


@dataclass(frozen=True)
class Decoded(Generic[Mark]):
    """A decoded picture and the stamp it was sent in with; `bgr` is None where its pixels were not wanted."""

    stamp: Mark
    bgr: NDArray[np.uint8] | None


class VideoDecoder(Generic[Mark]):
    """Decodes one stream; after damage or a gap it gives nothing until the next key picture."""

    def __init__(self, codec: str, extradata: bytes, aspect: Fraction | None = None) -> None:
        """Open a decoder of `codec`; Unreadable where it is not one of CODECS.

        `aspect` is the width of a pixel to its height, where the container says it and the stream does not.
        """
        if codec not in CODECS:
            message = f"codec {codec!r} found, one of mjpeg, png, {', '.join(sorted(CODECS))} expected"
            raise Unreadable(message)
        self.codec, self.extradata, self._aspect = codec, extradata, aspect
        self._context = self._opened()
        self._gaps = GapCheck()
        self._slices = SliceCheck()
        self._awaits_key = True
        self._number = 0
        self._waiting: OrderedDict[int, tuple[Mark, bool]] = OrderedDict()

    def decode(
        self, data: bytes, stamp: Mark, *, is_key: bool, after_gap: bool = False, is_wanted: bool = True
    ) -> list[Decoded[Mark]]:
        """Take one access unit; return the pictures that are now in order (none, its own, or earlier ones).

        Raises Unreadable where it is damaged or stands behind a gap; the next key picture starts afresh.
        """
        check_bytes(data)
        self._check_order(data, is_key=is_key, after_gap=after_gap)
        self._number += 1
        self._waiting[self._number] = (stamp, is_wanted)
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)
        packet = packet_of(data)
        packet.pts = packet.dts = self._number
        return self._run(packet)

    def drain(self) -> list[Decoded[Mark]]:
        """Return the pictures still held back; the next one must be a key picture."""
        found = self._run(None)
        self._reset()
        return found

    def _check_order(self, data: bytes, *, is_key: bool, after_gap: bool) -> None:
        gap = after_gap
        if self.codec == "hevc":
            self._check_slices(data, is_key=is_key)
        if self.codec == "h264":
            if is_key and self._awaits_key:
                self._gaps = GapCheck(self._gaps.sps)
            self._gaps, missing = self._gaps.after(data)
            gap = gap or missing
        if is_key and (gap or self._awaits_key):
            self._reset()
            self._awaits_key = False
        elif gap or self._awaits_key:
            self._reset()
            message = "a picture behind a gap found, a key picture expected; it is left out until the next key picture"
            raise Unreadable(message)

    def _check_slices(self, data: bytes, *, is_key: bool) -> None:
        """Raise Unreadable where H.265 shows a loss that its decoder does not report."""
        if is_key and self._awaits_key:
            self._slices = replace(self._slices, order=Order())
        self._slices, odd = self._slices.after(data, is_key=is_key)
        if odd:
            self._reset()
            message = (
                f"hevc: {odd} found, none lost expected; left out until the next key picture; where it lasts, set the "
                "camera to one slice a picture"
            )
            raise Unreadable(message)

    def _run(self, packet: av.Packet[av.VideoStream] | None) -> list[Decoded[Mark]]:
        try:
            frames = self._context.decode(packet)
        except (FFmpegError, MemoryError, ValueError) as error:
            self._reset()
            message = f"{self.codec}: a decoder's error found ({type(error).__name__}), a whole picture expected"
            raise Unreadable(message) from None
        found = [self._picture(frame) for frame in frames]
        return [one for one in found if one is not None]

    def _picture(self, frame: av.VideoFrame) -> Decoded[Mark] | None:
        stamp, is_wanted = self._waiting.pop(frame.pts or 0, (None, False))
        if frame.is_corrupt:
            self._reset()
            message = (
                f"{self.codec}: a damaged picture found, a whole one expected; left out until the next key picture"
            )
            raise Unreadable(message)
        if stamp is None:
            return None
        check_size(frame.width, frame.height)
        aspect = self._context.sample_aspect_ratio or self._aspect
        return Decoded(stamp, squared(as_bgr(frame), aspect) if is_wanted else None)

    def _opened(self) -> av.VideoCodecContext:
        context = cast("av.VideoCodecContext", av.CodecContext.create(self.codec, "r"))
        context.thread_count = 1
        context.options = dict(_OPTIONS)
        if self.extradata:
            context.extradata = self.extradata
        return context

    def _reset(self) -> None:
        self._context = self._opened()
        self._waiting.clear()
        self._awaits_key = True


def as_bgr(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Return a decoded frame as [H, W, 3], blue first, 8 bits; whatever its pixel format is."""
    return np.ascontiguousarray(frame.to_ndarray(format="bgr24"), np.uint8)


def squared(bgr: NDArray[np.uint8], aspect: Fraction | None) -> NDArray[np.uint8]:
    """Return `bgr` [H, W, 3] with square pixels, its smaller side grown by `aspect` (a pixel's width to its height).

    The models know square pixels alone: whoever is squeezed is not found. Unreadable beyond MOST_ASPECT.
    """
    if not aspect or aspect <= 0 or 1 / ASPECT_SLACK <= aspect <= ASPECT_SLACK:
        return bgr
    if not 1 / MOST_ASPECT <= aspect <= MOST_ASPECT:
        message = f"pixels of {float(aspect):.3g} times their height found, at most {MOST_ASPECT} times expected"
        raise Unreadable(message)
    height, width = bgr.shape[:2]
    size = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    check_size(*size)
    return cv2.resize(bgr, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
