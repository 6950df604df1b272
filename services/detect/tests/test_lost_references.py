"""Lost references: whatever is missing from a stream, what comes out was filmed so, and never a decoder's guess."""

from __future__ import annotations

import functools
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight_detect.adapters.video_file import VideoFile
from lamplight_detect.decode import Decoder, LeftOut, Unreadable
from lamplight_detect.decode.bits import nals
from lamplight_detect.decode.hevc import SliceCheck
from lamplight_detect.decode.steady import hole_over
from lamplight_detect.decode.video import UNNUMBERED
from lamplight_detect.testing import Room
from numpy.typing import NDArray

HW = (128, 96)
COUNT, EVERY = 30, 10
STEP_NS = 100_000_000
X265 = f"keyint={EVERY}:min-keyint={EVERY}:scenecut=0:open-gop=0:log-level=none:repeat-headers=1"
CODINGS: dict[str, tuple[str, str, dict[str, str]]] = {
    "h264": ("h264", "libx264", {"bf": "0"}),
    "h264 both ways": ("h264", "libx264", {"bf": "2", "x264-params": "scenecut=0:b-pyramid=normal"}),
    "hevc": ("hevc", "libx265", {"x265-params": f"{X265}:bframes=0"}),
    "hevc both ways": ("hevc", "libx265", {"x265-params": f"{X265}:bframes=2"}),
    "hevc slices": ("hevc", "libx265", {"tune": "zerolatency", "x265-params": f"{X265}:slices=2:ctu=16:min-cu-size=8"}),
    "mpeg4": ("mpeg4", "mpeg4", {"bf": "0"}),
    "vp8": ("vp8", "libvpx", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    "vp9": ("vp9", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
}
Unit = tuple[bytes, bool, int]
"""An encoded picture, whether it is a key, and its place in time."""


def scene(number: int) -> NDArray[np.uint8]:
    """Return a still street through which something striped walks."""
    one = np.random.default_rng(0).integers(60, 200, (HW[0] // 8, HW[1] // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    left = 4 + 4 * number
    one[16:56:4, left : left + 12] = 250
    one[18:56:4, left : left + 12] = 10
    return one


@functools.cache
def stream(coding: str) -> tuple[tuple[Unit, ...], bytes]:
    """Return the encoded street and its extradata."""
    _, encoder, options = CODINGS[coding]
    context = cast("av.VideoCodecContext", av.CodecContext.create(encoder, "w"))
    context.width, context.height, context.pix_fmt = HW[1], HW[0], "yuv420p"
    context.framerate, context.time_base = Fraction(10), Fraction(1, 10)
    context.options, context.gop_size = options, EVERY
    made = []
    for number in range(COUNT):
        frame = av.VideoFrame.from_ndarray(scene(number), format="bgr24")
        frame.pts = number
        made += context.encode(frame)
    made += context.encode(None)
    return tuple((bytes(one), one.is_keyframe, one.pts or 0) for one in made), bytes(context.extradata or b"")


def frame(coding: str, unit: Unit, seq: int, extradata: bytes) -> frame_pb2.Frame:
    """Return a Frame as ingest sends it, with no word of any gap."""
    codec, is_nal = CODINGS[coding][0], CODINGS[coding][0] in {"h264", "hevc"}
    return frame_pb2.Frame(
        camera_id="c",
        epoch=1,
        seq=seq,
        at_ns=(unit[2] + 1) * STEP_NS,
        codec=codec,
        data=unit[0],
        extradata=b"" if is_nal else extradata,
        is_key=unit[1],
        examine=True,
    )


def shown(coding: str, kept: list[Unit]) -> dict[int, NDArray[np.uint8]]:
    """Return what the live decoder gives of the units that arrived, by time."""
    decoder = Decoder()
    found: dict[int, NDArray[np.uint8]] = {}
    for seq, unit in enumerate(kept):
        try:
            pictures = decoder.decode(frame(coding, unit, seq, stream(coding)[1]), each_alone=False)
        except Unreadable:
            continue
        found.update({one.stamp.at_ns // STEP_NS - 1: one.bgr for one in pictures})
    return found


@functools.cache
def whole(coding: str) -> dict[int, NDArray[np.uint8]]:
    """Return what the live decoder gives of the whole stream."""
    return shown(coding, list(stream(coding)[0]))


@pytest.mark.parametrize("coding", CODINGS)
def test_of_a_whole_stream_all_comes_out_that_can_be_vouched_for(coding: str) -> None:
    """Every picture of a coding that numbers them (save those still held back), of the others the key pictures."""
    times = sorted(whole(coding))
    if CODINGS[coding][0] in UNNUMBERED:
        assert times == [unit[2] for unit in stream(coding)[0] if unit[1]]
        assert len(times) == COUNT // EVERY
    else:
        assert times == list(range(len(times)))
        assert len(times) > COUNT - 4


LOST = st.one_of(
    st.sets(st.integers(EVERY + 1, COUNT - 1), max_size=6),
    st.builds(lambda one, more: set(range(one, one + more)), st.integers(EVERY + 1, COUNT - 1), st.integers(1, 12)),
)
"""What is missing: here and there or in a row, once two key pictures have told how far apart they are."""


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(sorted(CODINGS)), LOST)
def test_whatever_is_lost_nothing_comes_out_that_never_was(coding: str, lost: set[int]) -> None:
    """With any pictures missing and nobody saying so, each picture that comes out is the one that was filmed."""
    found = shown(coding, [unit for number, unit in enumerate(stream(coding)[0]) if number not in lost])
    for at, picture in found.items():
        assert np.array_equal(picture, whole(coding)[at]), (coding, sorted(lost), at)


@pytest.mark.soak
@settings(max_examples=1000, deadline=None)
@given(st.sampled_from(sorted(CODINGS)), LOST)
def test_whatever_is_lost_nothing_comes_out_that_never_was_a_thousand_times(coding: str, lost: set[int]) -> None:
    """The same, long."""
    found = shown(coding, [unit for number, unit in enumerate(stream(coding)[0]) if number not in lost])
    for at, picture in found.items():
        assert np.array_equal(picture, whole(coding)[at]), (coding, sorted(lost), at)


@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("at", [1, 4, EVERY])
def test_a_lost_slice_of_h265_is_noticed(lost: int, at: int) -> None:
    """The decoder says nothing of it and shows what its buffer held; the number of slices tells."""
    units = list(stream("hevc slices")[0])
    data, is_key, time = units[at]
    parts = list(nals(data))
    slices = [number for number, nal in enumerate(parts) if nal[0] >> 1 & 0x3F < 32]
    assert len(slices) == 2
    kept = b"".join(b"\x00\x00\x00\x01" + nal for number, nal in enumerate(parts) if number != slices[lost])
    units[at] = kept, is_key, time
    found = shown("hevc slices", units)
    assert at not in found
    for number, picture in found.items():
        assert np.array_equal(picture, whole("hevc slices")[number])
    assert max(found) >= 2 * EVERY


def test_a_new_number_of_slices_costs_one_key_interval() -> None:
    """A camera whose setting is changed is taken at its new word from the next picture of the kind."""
    one, two = (b"\x00\x00\x01\x02\x01x" * count for count in (1, 2))
    count, is_odd = SliceCheck().after(one, is_key=True)
    assert not is_odd
    count, is_odd = count.after(two, is_key=False)
    assert is_odd
    count, is_odd = count.after(two, is_key=False)
    assert not is_odd
    count, is_odd = count.after(one, is_key=False)
    assert is_odd
    count, is_odd = count.after(two, is_key=True)
    assert not is_odd
    count, is_odd = count.after(one, is_key=True)
    assert is_odd
    assert not count.after(one, is_key=True)[1]


@pytest.mark.parametrize("coding", sorted(UNNUMBERED))
def test_a_camera_of_such_a_coding_is_told_why_and_goes_on_with_its_keys(room: Room, coding: str) -> None:
    """A picture that leans on others is turned away with the cure, counted, told as no fault; the next key is taken."""
    room.things.whole_hw = HW
    camera = camera_pb2.Camera(id="c", sampling=camera_pb2.Sampling(pictures=camera_pb2.Sampling.PICTURES_ALL))
    units, extradata = stream(coding)
    results = [room.detector.handle(frame(coding, unit, seq, extradata), camera) for seq, unit in enumerate(units)]
    for unit, result in zip(units, results, strict=True):
        is_refused = result.verdict.outcome == frame_pb2.Verdict.OUTCOME_REFUSED
        assert is_refused == (not unit[1])
        if is_refused:
            assert "set the camera to H.264" in result.verdict.reason
            assert (result.records, bool(result.gate_closed)) == ((), True)
        else:
            assert any(record.topic == "observations" for record in result.records)


def test_a_lost_key_interval_is_told_by_its_time() -> None:
    """Without exactly one interval the numbers go on as if nothing were missing; the time does not."""
    units = stream("h264")[0]
    found = shown("h264", [unit for number, unit in enumerate(units) if not EVERY < number <= 2 * EVERY])
    assert sorted(found) == list(range(EVERY + 1))


def test_what_is_left_out_says_so_by_its_class() -> None:
    """No decoder is even opened for a picture that leans on others."""
    with pytest.raises(LeftOut, match="keyframes"):
        Decoder().decode(frame_pb2.Frame(codec="vp8", data=b"x", examine=True), each_alone=False)


def written(path: Path, coding: str, times: list[int], lost: frozenset[int]) -> Path:
    """Write the stream to a file, its pictures at `times` (milliseconds), without those that are lost."""
    units, extradata = stream(coding)
    with av.open(str(path), "w") as container:
        out = cast("av.VideoStream", container.add_stream(CODINGS[coding][1], rate=10))
        out.width, out.height, out.pix_fmt = HW[1], HW[0], "yuv420p"
        out.codec_context.extradata = extradata or None
        out.time_base = Fraction(1, 1000)
        for number, (data, is_key, _) in enumerate(units):
            if number in lost:
                continue
            packet = cast("av.Packet[av.VideoStream]", av.Packet(data))
            packet.pts = packet.dts = times[number]
            packet.time_base, packet.is_keyframe, packet.stream = Fraction(1, 1000), is_key, out
            container.mux(packet)
    return path


@pytest.mark.parametrize("coding", sorted(UNNUMBERED))
def test_a_file_of_even_times_shows_nothing_behind_a_hole(tmp_path: Path, coding: str) -> None:
    """Without the pictures 2 and 3 nothing comes out up to the next key; all of a whole file does."""
    even = [100 * number for number in range(COUNT)]
    full = list(VideoFile(written(tmp_path / "whole.mkv", coding, even, frozenset())).pictures())
    assert len(full) == COUNT
    video = VideoFile(written(tmp_path / "lost.mkv", coding, even, frozenset({2, 3})))
    found = list(video.pictures())
    assert [round(10 * one.at_s) for one in found] == [0, 1, *range(EVERY, COUNT)]
    assert video.damaged == EVERY - 4
    assert all(np.array_equal(one.bgr, full[round(10 * one.at_s)].bgr) for one in found)


def test_a_file_of_uneven_times_is_shown_whole(tmp_path: Path) -> None:
    """A phone or a screen gives pictures when it has some: their times say nothing of a loss."""
    uneven = np.cumsum(np.tile([30, 90, 200, 60], COUNT)[:COUNT]).tolist()
    video = VideoFile(written(tmp_path / "phone.mkv", "vp8", uneven, frozenset()))
    assert (len(list(video.pictures())), video.damaged) == (COUNT, 0)


@pytest.mark.parametrize(
    ("times", "hole"),
    [([0, 10, 20, 30, 40, 50], 15.0), ([0, 33, 67, 100, 133, 167], 49.5), ([0, 10, 50, 60, 95, 100], None), ([], None)],
    ids=["even", "rounded", "uneven", "none"],
)
def test_steps_are_even_or_say_nothing(times: list[int], hole: float | None) -> None:
    """Times that are rounded are even; times that vary tell of no hole."""
    found = hole_over(times)
    assert found == pytest.approx(hole, abs=1.5) if hole else found is None
