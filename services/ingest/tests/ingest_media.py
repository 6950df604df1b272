"""Small media that tests make for themselves: pictures, videos, and the kinds of broken files that streams bring."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FPS = 10


def png(width: int = 2, height: int = 2) -> bytes:
    """Return a grey PNG, written by hand; its header may claim any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\x00\x80\x80" * 2)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg(mark: bytes = b"") -> bytes:
    """Return bytes that begin and end as a JPEG does, with `mark` inside; nothing here decodes them."""
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + mark + b"\xff\xd9"


def video(
    path: Path,
    seconds: float = 2.0,
    key_every_s: float = 0.5,
    codec: str = "libx264",
    size: tuple[int, int] = (64, 48),
    b_frames: int = 0,
) -> Path:
    """Write a video of changing grey; its container is what the path's suffix says."""
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "sc_threshold": "0", "bf": str(b_frames), "threads": "1"}
        if codec == "libx265":
            keys = f"keyint={round(FPS * key_every_s)}:scenecut=0:log-level=none:bframes={b_frames}:pools=none"
            options = {"preset": "ultrafast", "x265-params": keys}
        stream = container.add_stream(codec, rate=Fraction(FPS), options=options if codec.startswith("lib") else {})
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.gop_size = max(1, round(FPS * key_every_s))
        for index in range(round(seconds * FPS)):
            grey = np.full((size[1], size[0], 3), 40 + index * 7 % 180, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="bgr24")))
        container.mux(stream.encode())
    return path


def sound(path: Path) -> Path:
    """Write a file that holds sound and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def decoded(codec: str, units: list[bytes], extradata: bytes = b"") -> int:
    """Return how many pictures a decoder makes of `units`: in tests alone, to prove that they are whole."""
    context = av.CodecContext.create(codec, "r")
    if extradata:
        context.extradata = extradata
    packets = [av.Packet(unit) for unit in units]
    return sum(len(context.decode(packet)) for packet in [*packets, None])
