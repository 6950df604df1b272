"""Encoding a redacted video; the only call of a video encoder in Lamplight."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from lamplight_detect.gate.masks import leaving
from lamplight_detect.gate.picture import GateClosed, RedactedPicture

TIME_BASE = Fraction(1, 90_000)
_OPTIONS = {"crf": "20", "preset": "veryfast", "x264-params": "mbtree=0"}
"""No macroblock tree: x264's reads memory that it never wrote, and what lay there would shape what leaves."""


class RedactedVideo:
    """Writes redacted pictures as H.264 in an MP4 file: pictures alone, no sound, no data track, no metadata."""

    def __init__(self, path: Path, rate: Fraction, threads: int = 1) -> None:
        """Write to `path`, at `rate` pictures a second as the file's header says."""
        self._container = av.open(str(path), "w", format="mp4")
        self._stream = self._container.add_stream("libx264", rate=rate, options=dict(_OPTIONS))
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = TIME_BASE
        self._stream.codec_context.thread_count = threads
        self._path = path
        self._size: tuple[int, int] | None = None
        self._last = -1

    def add(self, picture: RedactedPicture, at_s: float) -> None:
        """Append `picture`, shown `at_s` after the start; GateClosed where its size is not the first one's."""
        picture = leaving(picture)
        if self._size is None:
            self._size = picture.frame_hw
            height, width = picture.frame_hw
            self._stream.width, self._stream.height = width + width % 2, height + height % 2
        if picture.frame_hw != self._size:
            message = (
                f"a picture of {picture.frame_hw} in a video of {self._size} found, one size expected; cut it there"
            )
            raise GateClosed(message)
        frame = av.VideoFrame.from_ndarray(_even(picture.bgr), format="bgr24")
        self._last = max(self._last + 1, round(at_s / TIME_BASE))
        frame.pts, frame.time_base = self._last, TIME_BASE
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> bytes:
        """Complete the file and return its sha256."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        with self._path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._container.close()


def _even(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `bgr` with its last row and column doubled where its sides are odd, as H.264's colours want."""
    height, width = bgr.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return bgr
    border = cv2.copyMakeBorder(bgr, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(border, np.uint8)
