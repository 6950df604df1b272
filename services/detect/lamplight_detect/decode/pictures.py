"""Frames into pictures, one decoder a camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from lamplight.frame.v1 import frame_pb2
from numpy.typing import NDArray

from lamplight_detect.decode.exif import turned
from lamplight_detect.decode.limits import LeftOut, Unreadable
from lamplight_detect.decode.pause import Pause
from lamplight_detect.decode.stills import decode_still
from lamplight_detect.decode.video import UNNUMBERED, VideoDecoder

STILLS = frozenset({"mjpeg", "png", ""})
QUARTER_TURNS = frozenset({0, 90, 180, 270})
_LEANS = (
    "a picture that leans on earlier ones found, a key picture expected: this coding does not number its pictures, "
    "so a lost one would not show; set the camera to H.264 or H.265, or sample it by keyframes"
)


@dataclass(frozen=True)
class Stamp:
    """What a Frame says besides its pixels."""

    camera_id: str
    epoch: int
    seq: int
    at_ns: int
    at_is_receipt: bool
    same_as_before: bool
    rotation_deg: int

    @classmethod
    def of(cls, frame: frame_pb2.Frame) -> Stamp:
        """Read it off a Frame."""
        return cls(
            frame.camera_id,
            frame.epoch,
            frame.seq,
            frame.at_ns,
            frame.at_is_receipt,
            frame.same_as_before,
            frame.rotation_deg,
        )


@dataclass(frozen=True)
class Picture:
    """A decoded picture to examine: `bgr` [H, W, 3] 8 bits, upright."""

    bgr: NDArray[np.uint8]
    stamp: Stamp

    @property
    def frame_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.bgr.shape[0], self.bgr.shape[1]


class Decoder:
    """Decodes one camera's Frames, in their order."""

    def __init__(self) -> None:
        """Start without knowing the camera's coding."""
        self._video: VideoDecoder[Stamp] | None = None
        self._pause = Pause()

    def decode(self, frame: frame_pb2.Frame, *, each_alone: bool) -> list[Picture]:
        """Return the pictures to examine that `frame` brings, in order of time: none, its own, or ones before it.

        `each_alone` says that only key pictures are sent (sampling `keyframes`). Raises Unreadable with the reason, and
        LeftOut for what leans on earlier pictures in a coding that does not number them.
        """
        if frame.rotation_deg not in QUARTER_TURNS:
            message = f"a rotation of {frame.rotation_deg} degrees found, one of 0, 90, 180 and 270 expected"
            raise Unreadable(message)
        if frame.codec in STILLS:
            return [_picture(decode_still(frame.data), Stamp.of(frame))] if frame.examine else []
        is_numbered = frame.codec not in UNNUMBERED
        if not is_numbered and not frame.is_key:
            raise LeftOut(f"{frame.codec}: {_LEANS}")
        self._pause, is_long = self._pause.after(frame.at_ns, is_key=frame.is_key)
        video = self._decoder(frame)
        is_gap = frame.after_gap or is_long
        found = video.decode(
            frame.data, Stamp.of(frame), is_key=frame.is_key, after_gap=is_gap, is_wanted=frame.examine
        )
        if each_alone or not is_numbered:
            found = [*found, *video.drain()]
        return [_picture(one.bgr, one.stamp) for one in found if one.bgr is not None]

    def _decoder(self, frame: frame_pb2.Frame) -> VideoDecoder[Stamp]:
        known = self._video
        if known is None or known.codec != frame.codec or known.extradata != frame.extradata:
            self._video = known = VideoDecoder(frame.codec, frame.extradata)
        return known


def _picture(bgr: NDArray[np.uint8], stamp: Stamp) -> Picture:
    return Picture(turned(bgr, stamp.rotation_deg) if stamp.rotation_deg else bgr, stamp)
