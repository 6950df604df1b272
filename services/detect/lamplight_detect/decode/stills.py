"""Whole pictures: JPEG and PNG, by their content. Other formats are refused, since their decoders cannot be bounded."""

from __future__ import annotations

import av
import cv2
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from lamplight_detect.decode.exif import upright
from lamplight_detect.decode.jpeg import Jpeg, read_jpeg
from lamplight_detect.decode.limits import MAX_PX, Unreadable, check_bytes
from lamplight_detect.decode.packet import packet_of
from lamplight_detect.decode.png import SIGNATURE, Png, read_png

_OTHERS = {
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"RIFF": "WebP or another RIFF file",
    b"\x00\x00\x01\x00": "an icon",
}


def decode_still(data: bytes) -> NDArray[np.uint8]:
    """Return the picture [H, W, 3], blue first, 8 bits, upright; raises Unreadable with the reason otherwise.

    Grey, CMYK, 16-bit and transparent pictures come out as three channels of 8 bits; transparency is ignored.
    """
    check_bytes(data)
    still = _structure(data)
    if isinstance(still, Jpeg):
        check_whole(still)
    try:
        found = cv2.imdecode(np.frombuffer(still.data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except (cv2.error, MemoryError) as error:
        message = f"{type(still).__name__}: a decoder's error found ({type(error).__name__}), a picture expected"
        raise Unreadable(message) from None
    if found is None or found.shape != (still.height, still.width, 3) or found.dtype != np.uint8:
        shape = None if found is None else found.shape
        message = f"{type(still).__name__}: decoded to {shape}, {still.width}x{still.height} expected; it is damaged"
        raise Unreadable(message)
    return upright(found.astype(np.uint8, copy=False), still.orientation)


def check_whole(still: Jpeg) -> None:
    """Refuse a JPEG whose scans stop early: the first decoder fills up what is missing and does not tell.

    libavcodec tells, so it decodes the picture a second time, and what it makes of it is dropped.
    """
    context = av.CodecContext.create("mjpeg", "r")
    context.thread_count = 1
    context.options = {"max_pixels": str(MAX_PX), "err_detect": "explode"}
    try:
        frames = context.decode(packet_of(still.data))
    except (FFmpegError, MemoryError, ValueError) as error:
        message = f"Jpeg: scans that end early found ({type(error).__name__}), whole ones expected; it is damaged"
        raise Unreadable(message) from None
    if len(frames) != 1 or frames[0].is_corrupt or (frames[0].width, frames[0].height) != (still.width, still.height):
        message = f"Jpeg: {len(frames)} pictures found, one of {still.width}x{still.height} expected; it is damaged"
        raise Unreadable(message)


def _structure(data: bytes) -> Jpeg | Png:
    if data.startswith(b"\xff\xd8\xff"):
        return read_jpeg(data)
    if data.startswith(SIGNATURE):
        return read_png(data)
    known = next((name for magic, name in _OTHERS.items() if data.startswith(magic)), None)
    known = known or ("AVIF, HEIF or MP4" if data[4:8] == b"ftyp" else "no known format")
    message = f"{known} found, a JPEG or PNG expected; convert it"
    raise Unreadable(message)
