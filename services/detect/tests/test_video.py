"""Streams: order, damage, gaps, and the one bounded decoder."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from lamplight.frame.v1 import frame_pb2
from lamplight_detect.decode import Decoder, Unreadable, VideoDecoder
from lamplight_detect.decode.bits import nals
from lamplight_detect.decode.h264 import GapCheck

Unit = tuple[bytes, bool]
"""An access unit, Annex B, and whether it is a key picture."""


def stream(count: int = 20, size: tuple[int, int] = (96, 64), every: int = 10, b_frames: int = 0) -> list[Unit]:
    """Return a grey stream whose level counts up, a key picture `every` so many."""
    options = {"g": str(every), "bf": str(b_frames), "x264-params": "scenecut=0:keyint_min=1:threads=1"}
    with av.open(io.BytesIO(), "w", format="h264") as container:
        encoder = container.add_stream("libx264", rate=10, options=options)
        encoder.width, encoder.height = size
        encoder.pix_fmt = "yuv420p"
        packets = []
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(
                np.full((size[1], size[0], 3), 40 + 8 * (number % 20), np.uint8), format="bgr24"
            )
            packets += encoder.encode(frame)
        packets += encoder.encode(None)
        return [(bytes(packet), packet.is_keyframe) for packet in packets if packet.size]


def levels(decoder: VideoDecoder[int], units: list[Unit]) -> list[int]:
    """Return the pictures' numbers by their grey levels."""
    found = [one for n, (data, is_key) in enumerate(units) for one in decoder.decode(data, n, is_key=is_key)]
    found += decoder.drain()
    return [round((float(one.bgr.mean()) - 40) / 8) for one in found if one.bgr is not None]


@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_whole_stream_comes_out_in_order(b_frames: int) -> None:
    """Every picture comes out once, in the order in which it is shown, also where the coding reorders them."""
    assert levels(VideoDecoder[int]("h264", b""), stream(b_frames=b_frames)) == list(range(20))


def test_pictures_behind_a_missing_one_wait_for_the_next_key() -> None:
    """A reference picture that is lost hides all that leans on it, though libavcodec would conceal it."""
    units = stream()
    decoder = VideoDecoder[int]("h264", b"")
    refused = []
    found: list[int] = []
    for number, (data, is_key) in enumerate(units):
        if number == 4:
            continue
        try:
            found += [one.stamp for one in decoder.decode(data, number, is_key=is_key)]
        except Unreadable:
            refused.append(number)
    found += [one.stamp for one in decoder.drain()]
    assert refused == [5, 6, 7, 8, 9]
    assert found == [0, 1, 2, 3, *range(10, 20)]


def test_a_gap_that_the_sender_tells_of_is_believed() -> None:
    """A unit that follows a gap by its sender's word is left out until the next key picture."""
    (key, _), (second, _), *_ = stream()
    decoder = VideoDecoder[int]("h264", b"")
    decoder.decode(key, 0, is_key=True)
    with pytest.raises(Unreadable, match="key picture"):
        decoder.decode(second, 1, is_key=False, after_gap=True)
    assert levels(decoder, stream()[10:]) == list(range(10, 20))


def test_a_stream_begins_with_a_key() -> None:
    """Units before the first key picture are left out."""
    with pytest.raises(Unreadable, match="key picture"):
        VideoDecoder[int]("h264", b"").decode(stream()[3][0], 0, is_key=False)


def test_damage_is_refused_and_the_next_key_starts_afresh() -> None:
    """A unit whose bytes are spoilt gives no picture, and does not spoil what comes after the next key."""
    units = stream(size=(320, 240))
    key = bytearray(units[0][0])
    key[-60:] = bytes(60)
    decoder = VideoDecoder[int]("h264", b"")
    with pytest.raises(Unreadable):
        levels(decoder, [(bytes(key), True), units[1]])
    assert levels(decoder, units[10:]) == list(range(10, 20))


def test_a_change_of_size_starts_with_its_key() -> None:
    """A stream that goes on in another size is decoded on from its key picture."""
    units = stream(3) + stream(3, size=(64, 48))
    decoder = VideoDecoder[int]("h264", b"")
    found = [one for n, (data, is_key) in enumerate(units) for one in decoder.decode(data, n, is_key=is_key)]
    found += decoder.drain()
    assert [one.bgr.shape[:2] for one in found if one.bgr is not None] == [(64, 96)] * 3 + [(48, 64)] * 3


def test_unwanted_pictures_are_decoded_but_not_converted() -> None:
    """A picture that only leads to later ones has no array."""
    decoder = VideoDecoder[int]("h264", b"")
    found = decoder.decode(stream()[0][0], 7, is_key=True, is_wanted=False) + decoder.drain()
    assert [(one.stamp, one.bgr) for one in found] == [(7, None)]


def test_a_picture_too_large_is_never_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder itself refuses what is over the limit, before it holds memory for it."""
    monkeypatch.setattr("lamplight_detect.decode.video._OPTIONS", {"max_pixels": "4000", "err_detect": "explode"})
    with pytest.raises(Unreadable):
        levels(VideoDecoder[int]("h264", b""), stream(1))


@pytest.mark.parametrize("codec", ["gif", "tiff", "prores", "h264_cuvid", ""])
def test_codecs_that_are_not_listed_are_refused(codec: str) -> None:
    """Only a short list of codecs is ever opened."""
    with pytest.raises(Unreadable, match="expected"):
        VideoDecoder[int](codec, b"")


def test_numbers_are_checked_across_their_wrap() -> None:
    """A hundred reference pictures in a row, whose numbers wrap, show no gap; a missing one does."""
    units = stream(100, every=100)
    check = GapCheck()
    for data, _ in units:
        check, gap = check.after(data)
        assert not gap
    check = GapCheck()
    gaps = []
    for number, (data, _) in enumerate(units):
        if number != 50:
            check, gap = check.after(data)
            gaps += [number] if gap else []
    assert gaps == [51]


def test_units_are_cut_at_start_codes() -> None:
    """Long and short start codes both part units; nothing is no unit."""
    assert [nal[:1] for nal in nals(b"\x00\x00\x00\x01\x67ab\x00\x00\x01\x68c")] == [b"\x67", b"\x68"]
    assert not list(nals(b"no start code"))


def frame(data: bytes, **more: object) -> frame_pb2.Frame:
    """Return a key Frame to examine."""
    told = {"codec": "h264", "is_key": True, "examine": True, "camera_id": "c", **more}
    return frame_pb2.Frame(data=data, **told)  # type: ignore[arg-type] # a test's own mixture of fields


def test_key_pictures_alone_come_out_at_once() -> None:
    """Sampled by key pictures, each Frame gives its own picture, upright and with its own stamp."""
    units = [unit for unit in stream() if unit[1]]
    decoder = Decoder()
    for number, (data, _) in enumerate(units):
        (picture,) = decoder.decode(frame(data, seq=number, at_ns=5, rotation_deg=90), each_alone=True)
        assert (picture.stamp.seq, picture.frame_hw) == (number, (96, 64))


def test_an_odd_rotation_is_refused() -> None:
    """A container can only ask for quarter turns."""
    with pytest.raises(Unreadable, match="45 degrees"):
        Decoder().decode(frame(b"x", rotation_deg=45), each_alone=True)
