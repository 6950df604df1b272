"""Streams that are hard to enter, from real encoders: what ingest sends on is what detect's decoder can decode."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

import av
import numpy as np
import pytest
from lamplight_detect.decode.video import VideoDecoder
from lamplight_ingest.rtsp.client import Options
from lamplight_ingest.rtsp.events import AccessUnit
from lamplight_ingest.sampler import Choice, Plan, Sampler
from rtsp_wire import Fed, description, fragments, greeting, packets

HW, PICTURES, ENTERED, MTU, TICKS = (96, 128), 50, 13, 300, 4500
KEYS = (20, 30, 40)  # after the picture that is entered at
NAMES = {"h264": "H264", "hevc": "H265"}
OPEN_GOP = "keyint=10:min-keyint=10:open-gop=1:bframes=3:b-adapt=0:scenecut=0:b-pyramid=0"
CLOSED_GOP = "keyint=10:min-keyint=10:bframes=3:b-adapt=0:scenecut=0"
REFRESH = "keyint=20:intra-refresh=1:bframes=0"


def encoded(codec: str, told: str) -> Sequence[tuple[int, bytes]]:
    """Return a moving picture as (picture number, access unit), as libx264 or libx265 encode it."""
    context = av.CodecContext.create("libx264" if codec == "h264" else "libx265", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.height, context.width = HW
    context.pix_fmt, context.framerate, context.time_base = "yuv420p", Fraction(20), Fraction(1, 20)
    context.options = {
        "preset": "veryfast",
        "x264-params": f"{told}:threads=1",
        "x265-params": f"{told}:log-level=none:pools=none",
    }
    scene = np.random.default_rng(4).integers(0, 255, (*HW, 3), np.uint8)
    found = []
    for index in [*range(PICTURES), None]:
        frame = None if index is None else av.VideoFrame.from_ndarray(np.roll(scene, 2 * index, 1), format="bgr24")
        found += [(packet.pts or 0, bytes(packet)) for packet in context.encode(frame)]
    return found


def sent(codec: str, units: Sequence[tuple[int, bytes]]) -> bytes:
    """Return the pictures as packets, fragmented, stamped with the time at which each is shown."""
    data, seq = b"", 0
    for number, unit in units:
        nals = [nal for nal in re.split(b"\x00\x00\x00?\x01", unit) if nal]
        payloads = [part for nal in nals for part in _parts(nal, 1 if codec == "h264" else 2)]
        data += packets(payloads, seq, number * TICKS + 90_000)
        seq += len(payloads)
    return data


def _parts(nal: bytes, header_bytes: int) -> Iterator[bytes]:
    return iter([nal]) if len(nal) < MTU else fragments(nal, MTU, header_bytes)


def received(codec: str, units: Sequence[tuple[int, bytes]], *, keys_only: bool) -> list[AccessUnit]:
    """Return what our client makes of the packets, no parameter sets told beforehand."""
    fed = Fed(Options(keys_only=keys_only)).feed(greeting(sdp=description(NAMES[codec], ())))
    return fed.feed(sent(codec, units)).units


def numbers(units: Sequence[AccessUnit]) -> list[int]:
    """Return which pictures these are."""
    return [(unit.rtp_time - 90_000) // TICKS for unit in units]


def decoded_each(codec: str, units: Sequence[AccessUnit]) -> list[int]:
    """Decode each as detect does where key pictures alone are sent; return the numbers of those that it gives."""
    found = []
    for number, unit in zip(numbers(units), units, strict=True):
        decoder: VideoDecoder[int] = VideoDecoder(codec, b"")
        found += [one.stamp for one in [*decoder.decode(unit.data, number, is_key=True), *decoder.drain()]]
    return found


def decoded_all(codec: str, units: Sequence[AccessUnit]) -> list[int]:
    """Decode, as detect does, what the sampler lets on of all pictures; return their numbers, in the order shown."""
    decoder: VideoDecoder[int] = VideoDecoder(codec, b"")
    sampler, found, begun = Sampler(Plan(wants_all=True, min_gap_s=0, max_gap_s=30)), [], False
    for number, unit in zip(numbers(units), units, strict=True):
        if unit.after_gap:
            sampler, begun = sampler.after_loss(), False
        choice, sampler = sampler.choose(number * 50_000_000, is_key=unit.is_key, stands_alone=False, leads=unit.leads)
        if choice is not Choice.SKIP:
            found += decoder.decode(unit.data, number, is_key=unit.is_key, after_gap=not begun)
            begun = True
    return [one.stamp for one in [*found, *decoder.drain()]]


@pytest.mark.parametrize(
    ("codec", "told"),
    [
        ("h264", OPEN_GOP),
        ("hevc", OPEN_GOP),
        ("h264", CLOSED_GOP),
        ("h264", f"{CLOSED_GOP}:slices=4"),
        ("hevc", CLOSED_GOP),
    ],
)
def test_a_stream_is_entered_in_its_midst(codec: str, told: str) -> None:
    """With B pictures, open and closed: its key pictures decode alone, and from the first on all that can be do."""
    units = encoded(codec, told)[ENTERED:]
    alone = received(codec, units, keys_only=True)
    assert decoded_each(codec, alone) == numbers(alone)
    assert numbers(alone)[:3] == list(KEYS)
    whole = decoded_all(codec, received(codec, units, keys_only=False))
    assert whole == list(range(KEYS[0], whole[-1] + 1))
    assert whole[-1] >= PICTURES - 4


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_loss_costs_pictures_up_to_the_next_key_one_and_no_more(codec: str) -> None:
    """Of an open GOP too: what is shown before the key picture that follows the loss would build on what was lost."""
    units = encoded(codec, OPEN_GOP)
    data, at = sent(codec, units), len(sent(codec, units[:12]))
    length = 4 + int.from_bytes(data[at + 2 : at + 4], "big")
    fed = Fed(Options(keys_only=False)).feed(greeting(sdp=description(NAMES[codec], ())))
    fed.feed(data[:at] + data[at + length :])
    assert sum(unit.after_gap for unit in fed.units) == 1
    shown = decoded_all(codec, fed.units)
    lost = sorted(set(range(PICTURES - 3)) - set(shown))
    assert lost
    assert lost == list(range(lost[0], KEYS[0]))


def test_a_stream_that_refreshes_by_and_by_is_entered_where_all_pictures_are_wanted() -> None:
    """Intra refresh has no key picture to send alone; begun at a recovery point, the scene is whole a round later."""
    units = encoded("h264", REFRESH)[ENTERED:]
    assert received("h264", units, keys_only=True) == []
    shown = decoded_all("h264", received("h264", units, keys_only=False))
    assert shown[0] >= 20
    assert shown == list(range(shown[0], shown[-1] + 1))
    assert len(shown) >= 10
