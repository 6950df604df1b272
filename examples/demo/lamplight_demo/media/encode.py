"""Pictures into files a camera can show: H.264 in MP4 by the encoder that PyAV brings, and JPEG."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""One picture, height x width x 3, BGR."""


def write_mp4(
    pictures: Iterable[Picture], path: Path, *, fps: float = 10, key_every_s: float = 1.0, crf: int = 24
) -> None:
    """Write `pictures` (all of one even size) to `path` as H.264 with a keyframe every `key_every_s` seconds.

    The file appears whole or not at all. `ValueError` where `pictures` is empty.
    """
    part = path.with_name(path.name + ".part")
    with av.open(str(part), "w", format="mp4") as container:
        options = {"crf": str(crf), "preset": "veryfast", "bf": "0", "sc_threshold": "0", "threads": "1"}
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=options)
        stream.pix_fmt = "yuv420p"
        stream.gop_size = max(1, round(fps * key_every_s))
        count = 0
        for count, picture in enumerate(pictures, start=1):
            if count == 1:
                stream.height, stream.width = picture.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        if count:
            container.mux(stream.encode())
    if not count:
        part.unlink()
        message = f"{path.name}: no pictures given, at least one expected"
        raise ValueError(message)
    part.replace(path)


def jpeg(picture: Picture, quality: int = 88) -> bytes:
    """Return `picture` as JPEG."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()
