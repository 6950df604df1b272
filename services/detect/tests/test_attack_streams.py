"""Attacks by streams: lost references and lost slices, in every coding that is decoded."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from lamplight_detect.decode import Unreadable, VideoDecoder
from lamplight_detect.decode.bits import nals
from numpy.typing import NDArray

HW = (128, 160)
SCENE = np.random.default_rng(0).integers(60, 200, (HW[0] // 8, HW[1] // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)


def pictures(count: int) -> list[NDArray[np.uint8]]:
    """Return a still scene through which a striped figure walks."""
    made = []
    for number in range(count):
        one = SCENE.copy()
        left = 8 + 10 * number
        one[40:100:4, left : left + 20] = 250
        one[42:100:4, left : left + 20] = 10
        made.append(one)
    return made


def packets(codec: str, count: int = 10, **options: str) -> tuple[list[tuple[bytes, bool]], bytes]:
    """Return access units with whether each is a key, and the extradata."""
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = HW[1], HW[0], "yuv420p"
    context.framerate, context.time_base = 10, Fraction(1, 10)
    context.options = options
    context.gop_size = 100
    made = []
    for number, one in enumerate(pictures(count)):
        frame = av.VideoFrame.from_ndarray(one, format="bgr24")
        frame.pts = number
        made.extend((bytes(packet), packet.is_keyframe) for packet in context.encode(frame))
    made.extend((bytes(packet), packet.is_keyframe) for packet in context.encode(None))
    return made, bytes(context.extradata or b"")


CODINGS = {
    "h264": ("libx264", {"tune": "zerolatency", "bf": "0"}),
    "hevc": ("libx265", {"x265-params": "bframes=0:keyint=100:log-level=none:repeat-headers=1", "tune": "zerolatency"}),
    "mpeg4": ("mpeg4", {"bf": "0"}),
    "vp8": ("libvpx", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
}

# These tell no order of their own: test_lost_references.py.
TIMELESS = {"mpeg4", "vp8", "vp9"}


def decoded(codec: str, units: list[tuple[bytes, bool]], extradata: bytes) -> tuple[dict[int, NDArray[np.uint8]], int]:
    """Return the pictures by number, and how many units were refused."""
    decoder: VideoDecoder[int] = VideoDecoder(codec, extradata)
    found: dict[int, NDArray[np.uint8]] = {}
    refused = 0
    for number, (data, is_key) in enumerate(units):
        try:
            for one in decoder.decode(data, number, is_key=is_key):
                if one.bgr is not None:
                    found[one.stamp] = one.bgr
        except Unreadable:
            refused += 1
    try:
        found.update({one.stamp: one.bgr for one in decoder.drain() if one.bgr is not None})
    except Unreadable:
        refused += 1
    return found, refused


@pytest.mark.parametrize("codec", sorted(CODINGS.keys() - TIMELESS))
def test_nothing_is_shown_behind_a_lost_reference(codec: str) -> None:
    """Without the pictures 4 and 5 the rest, up to the next key, is guesswork: in every coding it is refused."""
    encoder, options = CODINGS[codec]
    units, extradata = packets(encoder, **options)
    whole, refused = decoded(codec, units, extradata)
    assert (len(whole), refused) == (10, 0)
    found, refused = decoded(codec, units[:4] + units[6:], extradata)
    assert refused > 0
    assert max(found, default=0) <= 3


@pytest.mark.parametrize("lost", [0, 1, 3])
@pytest.mark.parametrize("at", [0, 5])
def test_nothing_is_shown_of_a_picture_that_lost_a_slice(lost: int, at: int) -> None:
    """An H.264 picture of four slices of which one is lost is concealed by the decoder: it is refused instead."""
    units, extradata = packets("libx264", tune="zerolatency", bf="0", **{"x264-params": "slices=4:sliced-threads=0"})
    data, is_key = units[at]
    parts = list(nals(data))
    slices = [number for number, nal in enumerate(parts) if nal[0] & 0x1F in {1, 5}]
    assert len(slices) == 4
    kept = b"".join(b"\x00\x00\x00\x01" + nal for number, nal in enumerate(parts) if number != slices[lost])
    spoilt = [*units[:at], (kept, is_key), *units[at + 1 :]]
    found, refused = decoded("h264", spoilt, extradata)
    assert at not in found
    assert refused > 0
