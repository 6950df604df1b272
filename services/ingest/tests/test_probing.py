"""What a source is, from its first pictures: sizes by headers alone, rates as measured, and what that allows."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import ingest_media as media
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lamplight_ingest.adapters.file import FileSource
from lamplight_ingest.adapters.pace import AsFastAsItGoes
from lamplight_ingest.bootstrap import probe
from lamplight_ingest.doors import Doors
from lamplight_ingest.model import NS_PER_S, Picture
from lamplight_ingest.picture_size import frame_hw
from lamplight_ingest.probing import Observed, Report, allowed

NOW_NS = 1_700_000_000 * NS_PER_S


@pytest.mark.parametrize(
    ("codec", "name"), [("libx264", "a.mp4"), ("libx265", "a.mkv"), ("mjpeg", "a.avi"), ("libx264", "a.ts")]
)
@pytest.mark.parametrize("size", [(64, 48), (640, 362), (130, 98)])
def test_sizes_are_told_without_decoding(tmp_path: Path, codec: str, name: str, size: tuple[int, int]) -> None:
    """Cropped ones too."""
    path = media.video(tmp_path / name, seconds=0.3, codec=codec, size=size)
    source = FileSource(path, AsFastAsItGoes(0), Doors(roots=None), keys_only=True, timeout_s=5, max_bytes=1 << 20)
    source.open()
    first = next(iter(source.pictures()))
    assert frame_hw(first.codec, first.data) == (size[1], size[0])


@pytest.mark.parametrize("profile", ["high", "high422", "high444", "baseline"])
@pytest.mark.parametrize("is_interlaced", [False, True])
def test_sizes_of_every_profile(tmp_path: Path, profile: str, is_interlaced: bool) -> None:
    """With and without chroma, fields, scaling matrices."""
    if profile == "baseline" and is_interlaced:
        return
    formats = {"high422": "yuv422p", "high444": "yuv444p"}
    path = tmp_path / "a.ts"
    options = {"profile": profile, "x264-params": f"interlaced={int(is_interlaced)}:cqm=jvt:threads=1:log-level=none"}
    if profile == "baseline":
        options["x264-params"] = "threads=1:log-level=none"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = 100, 76, formats.get(profile, "yuv420p")
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((76, 100, 3), np.uint8), format="bgr24")))
        container.mux(stream.encode())
    source = FileSource(path, AsFastAsItGoes(0), Doors(roots=None), keys_only=True, timeout_s=5, max_bytes=1 << 20)
    source.open()
    assert frame_hw("h264", next(iter(source.pictures())).data) == (76, 100)


def test_sizes_of_stills() -> None:
    """By their headers; a thumbnail inside is not taken for the picture."""
    assert frame_hw("png", media.png(7, 5)) == (5, 7)
    exif = b"\xff\xe1\x00\x10" + b"\xff\xc0\x00\x0b\x08\x00\x01\x00\x01" + b"\x00" * 5
    frame = b"\xff\xc2\x00\x0b\x08" + struct.pack(">HH", 480, 640) + b"\x01\x01\x11\x00"
    assert frame_hw("mjpeg", b"\xff\xd8" + exif + frame) == (480, 640)


@given(st.sampled_from(["h264", "hevc", "mjpeg", "png", "vp9"]), st.binary(max_size=200))
def test_any_bytes_have_a_size_or_none(codec: str, data: bytes) -> None:
    """Whatever they are."""
    for begin in (b"", b"\x00\x00\x01\x67", b"\x00\x00\x01\x42\x01", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"):
        found = frame_hw(codec, begin + data)
        assert found is None or len(found) == 2


def observed(rate_hz: float, key_every: int, seconds: float, late_s: float | None = 0.0) -> Report:
    """Return the report of a stream that is received in bunches of a quarter second."""
    made = Observed()
    for number in range(round(rate_hz * seconds) + 1):
        at_ns = NOW_NS + round(number / rate_hz * NS_PER_S)
        received_ns = at_ns - at_ns % (NS_PER_S // 4) + NS_PER_S // 4
        told_ns = None if late_s is None else at_ns - round(late_s * NS_PER_S)
        is_key = number % key_every == 0
        made.take(Picture("h264", bytes(1000), is_key=is_key, received_ns=received_ns, source_at_ns=told_ns))
    return made.report("rtsp")


def test_a_stream_is_measured_by_its_own_time_or_by_receipt() -> None:
    """Rate, keyframe interval and bits are the same, and which time it was is told."""
    for late_s, time in ((0.1, "source"), (None, "receipt"), (60.0, "receipt")):
        report = observed(25, 50, 8, late_s)
        assert report.rate_hz == pytest.approx(25, rel=0.05)
        assert report.keyframe_interval_s == pytest.approx(2, abs=0.3)
        assert report.bitrate_kbps == pytest.approx(200, rel=0.05)
        assert report.time == time
    assert "60 s from ours" in " ".join(observed(25, 50, 8, 60.0).notes)


def test_what_is_allowed_follows_from_what_was_measured() -> None:
    """A keyframe every ten seconds: dwell below twenty cannot be told by keyframes, and can by all pictures."""
    by_keys, by_all = allowed(observed(25, 250, 30))
    assert (by_keys.every_s, by_keys.dwell_s, by_keys.counts_lines) == (10, 20, False)
    assert "below 20 s cannot be told" in by_keys.words
    assert (by_all.every_s, by_all.dwell_s, by_all.counts_lines) == (0.2, 0.4, True)
    often, _ = allowed(observed(12.5, 12, 8))
    assert often.every_s == pytest.approx(2.88, abs=0.05)  # the third keyframe after the last is the first 2 s after it
    (once,) = allowed(observed(25, 10_000, 8))
    assert once.pictures == "all"
    assert "longer than was watched" in " ".join(observed(25, 10_000, 8).notes)
    assert allowed(Observed().report("rtsp")) == []


def test_a_look_at_what_is_nothing_says_why(tmp_path: Path) -> None:
    """In words; nothing is raised."""
    (tmp_path / "a.txt").write_text("no picture")
    for source, words in (
        (str(tmp_path / "a.txt"), "a whole video file"),
        (str(tmp_path / "none.mp4"), "readable file expected"),
        ("rtsp://127.0.0.1/x", "this machine"),
        ("onvif://127.0.0.1", "this machine"),
        ("gopher://x/", "scheme gopher"),
        ("rtsp://u:hush@cam.example/x", "a user or password found"),
        ("onvif://u:hush@cam.example", "a user or password found"),
        ("http://", "host expected"),
        ("rtsp://h /x", "a host without spaces"),
    ):
        report = probe(source).report
        assert report.pictures == 0
        assert words in (report.error or "")
        assert "hush" not in (report.error or "")
