"""The replay of files and folders: every kind of file ends in frames or in a clear error."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

import ingest_media as media
import pytest
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight_ingest.bootstrap import START_NS, Replay, Summary, local

ALL = camera_pb2.Sampling(pictures=camera_pb2.Sampling.PICTURES_ALL)
KEYS = camera_pb2.Sampling(pictures=camera_pb2.Sampling.PICTURES_KEYFRAMES, min_gap_s=0.1)


def camera(path: Path, sampling: camera_pb2.Sampling = ALL) -> camera_pb2.Camera:
    """Return a camera whose id is the file's name."""
    return camera_pb2.Camera(id=path.stem, source=str(path), sampling=sampling)


def replayed(*cameras: camera_pb2.Camera, **settings: int) -> tuple[list[frame_pb2.Frame], Sequence[Summary]]:
    """Run a replay to its end."""
    replay: Replay = local(cameras, **settings)
    frames = list(replay.frames())
    return frames, replay.summaries()


def test_is_found_by_its_entry_point() -> None:
    """`lamplight watch` finds the replay without importing this service."""
    (found,) = entry_points(group="lamplight.local", name="ingest")
    assert found.load() is local


def test_all_pictures_of_a_video_come_with_their_own_time(tmp_path: Path) -> None:
    """At `all` every unit goes on; keyframes carry parameter sets; a few are to be examined."""
    path = media.video(tmp_path / "quay.mp4")
    frames, (summary,) = replayed(camera(path), start_ns=7_000_000_000)
    assert [frame.seq for frame in frames] == list(range(20))
    assert [frame.at_ns for frame in frames] == [7_000_000_000 + index * 100_000_000 for index in range(20)]
    assert [index for index, frame in enumerate(frames) if frame.is_key] == [0, 5, 10, 15]
    assert [index for index, frame in enumerate(frames) if frame.examine] == list(range(0, 20, 2))
    assert media.decoded("h264", [frame.data for frame in frames]) == 20
    assert media.decoded("h264", [frames[10].data]) == 1
    assert not any(frame.at_is_receipt or frame.same_as_before for frame in frames)
    assert not any(frame.after_gap for frame in frames)
    assert summary == Summary("quay", 20, 0, 1.9, None)


def test_at_keyframes_nothing_else_goes_on(tmp_path: Path) -> None:
    """The sampler's plan holds in a replay as it does live."""
    path = media.video(tmp_path / "quay.mkv", key_every_s=0.5)
    frames, _ = replayed(camera(path, KEYS))
    assert [frame.is_key and frame.examine for frame in frames] == [True] * 4


@pytest.mark.parametrize(
    ("name", "codec", "stands_alone"),
    [("a.mp4", "libx265", False), ("a.avi", "mjpeg", True), ("a.ts", "libx264", False), ("a.mkv", "libx265", False)],
)
def test_codings_and_containers(tmp_path: Path, name: str, codec: str, stands_alone: bool) -> None:
    """What detect gets can be decoded by itself, whatever the container kept apart."""
    path = media.video(tmp_path / name, codec=codec)
    frames, (summary,) = replayed(camera(path))
    assert summary.error is None
    plain = {"libx264": "h264", "libx265": "hevc", "mjpeg": "mjpeg"}[codec]
    assert {frame.codec for frame in frames} == {plain}
    assert media.decoded(plain, [frames[0].data], frames[0].extradata) == 1
    assert all(frame.is_key for frame in frames) is stands_alone


def test_pictures_stored_out_of_order_keep_their_own_times(tmp_path: Path) -> None:
    """With B-frames units come as they are decoded, each with the time at which it is shown."""
    path = media.video(tmp_path / "quay.mp4", b_frames=2, key_every_s=1)
    frames, (summary,) = replayed(camera(path))
    times = [frame.at_ns for frame in frames]
    assert times != sorted(times)
    assert sorted(times) == [START_NS + index * 100_000_000 for index in range(20)]
    assert summary.error is None


def test_cameras_are_merged_by_time_and_the_same_every_time(tmp_path: Path) -> None:
    """Several sources become one stream in the order of time, twice the same."""
    paths = [media.video(tmp_path / f"{name}.mp4", seconds=seconds) for name, seconds in (("a", 1), ("b", 2))]
    first, summaries = replayed(*map(camera, paths))
    second, _ = replayed(*map(camera, paths))
    assert first == second
    assert [frame.at_ns for frame in first] == sorted(frame.at_ns for frame in first)
    assert [(summary.camera_id, summary.frames) for summary in summaries] == [("a", 10), ("b", 20)]


def test_a_folder_plays_by_name_with_its_files_own_times(tmp_path: Path) -> None:
    """Times of the files are taken where they tell of a camera, and a picture is a picture, whatever its kind."""
    for index, name in enumerate(["b.jpg", "a.png", "c.JPEG"]):
        (tmp_path / name).write_bytes(media.png() if name.endswith("png") else media.jpeg(name.encode()))
        os.utime(tmp_path / name, (1000 + 60 * index, 1000 + 60 * index))
    frames, (summary,) = replayed(camera(tmp_path))
    assert [frame.codec for frame in frames] == ["png", "mjpeg", "mjpeg"]
    assert [frame.at_ns - START_NS for frame in frames] == [0, 1_000_000_000, 2_000_000_000]
    os.utime(tmp_path / "a.png", (900, 900))
    frames, (summary,) = replayed(camera(tmp_path))
    assert [(frame.at_ns - START_NS) // 10**9 for frame in frames] == [0, 100, 220]
    assert summary.error is None


def test_a_broken_picture_in_a_folder_costs_only_itself(tmp_path: Path) -> None:
    """What is no picture is passed over, and the next one says that something is missing."""
    for name, data in {"1.jpg": media.jpeg(), "2.jpg": b"\n", "3.jpg": b"", "4.jpg": media.jpeg(b"x")}.items():
        (tmp_path / name).write_bytes(data)
    frames, (summary,) = replayed(camera(tmp_path))
    assert [frame.after_gap for frame in frames] == [False, True]
    assert (summary.frames, summary.dropped, summary.error) == (2, 1, None)


def hostile(folder: Path) -> dict[str, Path]:
    """Write one file of each broken kind."""
    whole = media.video(folder / "whole.mp4").read_bytes()
    moov_at = whole.rindex(b"moov") - 4
    noise = random.Random(7)
    flipped = bytearray(whole)
    for at in noise.sample(range(100, moov_at), 200):
        flipped[at] = noise.randrange(256)
    mdat_at = whole.index(b"mdat") - 4
    # The index first, then its data, cut short; the chunk offsets then point past the end.
    early_index = whole[:mdat_at] + whole[moov_at:] + whole[mdat_at : mdat_at + (moov_at - mdat_at) // 2]
    contents = {
        "empty.mp4": b"",
        "noise.mp4": noise.randbytes(50_000),
        "no-index.mp4": whole[:moov_at],
        "index-first-cut.mp4": early_index,
        "bitrot.mp4": bytes(flipped),
        "jpeg-named.mp4": media.jpeg(b"still"),
        "huge-header.png": media.png(60_000, 60_000),
        "cut.png": media.png()[:30],
        "one-byte.jpg": b"\n",
        "text.jpg": b"not a picture at all",
        "zero-width.gif": b"GIF89a\x00\x00\x01\x00\x80\x00\x00" + bytes(32),
        "bitmap.bmp": b"BM" + bytes(200),
        "tagged.tif": b"II*\x00\xff\xff\xff\xff" + bytes(60),
        "playlist.mp4": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n",
        "concat.mp4": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "sdp.mp4": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nc=IN IP4 127.0.0.1\r\nm=video 9 RTP/AVP 96\r\n",
        "box-of-2-gb.mp4": whole[:mdat_at] + b"\x7f\xff\xff\xffmdat" + whole[mdat_at + 8 : mdat_at + 1000],
    }
    paths = {name: folder / name for name in contents}
    for name, data in contents.items():
        paths[name].write_bytes(data)
    paths["sound.mp4"] = media.sound(folder / "sound.mp4")
    paths["absent.mp4"] = folder / "absent.mp4"
    os.mkfifo(folder / "pipe.mp4")
    paths["pipe.mp4"] = folder / "pipe.mp4"
    (folder / "hollow").mkdir()
    paths["hollow"] = folder / "hollow"
    return paths


PICTURES = {"bitrot.mp4": 20, "jpeg-named.mp4": 1, "huge-header.png": 1, "cut.png": 1}


def test_every_broken_file_ends_in_frames_or_in_a_clear_error(tmp_path: Path) -> None:
    """None crashes, none hangs, none stops the others; a source without a picture says why."""
    paths = hostile(tmp_path)
    cameras = [camera_pb2.Camera(id=name, source=str(path), sampling=ALL) for name, path in paths.items()]
    frames, summaries = replayed(*cameras)
    told = {summary.camera_id: summary for summary in summaries}
    for name, summary in told.items():
        assert (summary.error is None) is (summary.frames > 0), summary
        assert "expected" in (summary.error or "expected"), summary
        assert "/etc" not in (summary.error or ""), summary
        assert summary.frames <= PICTURES.get(name, 0), summary
    assert {name for name, summary in told.items() if summary.frames} == set(PICTURES)
    assert len(frames) == sum(summary.frames for summary in summaries)


def test_a_picture_past_the_bound_is_lost_and_says_so(tmp_path: Path) -> None:
    """A picture larger than allowed is never sent on; the rest waits for the next keyframe."""
    still = tmp_path / "still.jpg"
    still.write_bytes(media.jpeg(bytes(5000)))
    path = media.video(tmp_path / "quay.mp4")
    frames, (refused, lossy) = replayed(camera(still), camera(path), max_picture_bytes=600)
    assert "more than 600 bytes" in (refused.error or "")
    assert (lossy.frames, lossy.dropped, lossy.error) == (15, 1, None)  # the first holds the encoder's long greeting
    assert (frames[0].is_key, frames[0].after_gap) == (True, True)
    assert (frames[0].at_ns, frames[0].seq) == (START_NS + 500_000_000, 0)


def test_live_addresses_are_refused() -> None:
    """A replay never goes to the network."""
    replay = local([camera_pb2.Camera(id="live", source="rtsp://127.0.0.1:9/x")])
    assert list(replay.frames()) == []
    assert "a live address found" in (replay.summaries()[0].error or "")


def test_no_decoder_is_opened(tmp_path: Path) -> None:
    """Libavformat may open no decoder: what a picture holds stays unknown to this process."""
    import av
    from lamplight_ingest.adapters.container import open_container

    path = media.video(tmp_path / "quay.mp4")
    with open_container(str(path), {}, 5, 5) as closed, av.open(str(path)) as usual:
        assert usual.streams.video[0].codec_context.pix_fmt == "yuv420p"
        assert closed.streams.video[0].codec_context.pix_fmt is None


def test_importing_ingest_connects_to_nothing() -> None:
    """Adapters are loaded, nothing is begun."""
    assert "lamplight_ingest.bootstrap" in sys.modules
