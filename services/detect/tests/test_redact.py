"""Redacting what a user brings: pictures, examples, videos."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
import pytest
from lamplight.frame.v1 import frame_pb2
from lamplight.seal.v1 import seal_pb2
from lamplight_detect.adapters.video_file import VideoFile
from lamplight_detect.decode import Unreadable
from lamplight_detect.redact import Redactor
from lamplight_detect.testing import Room, noise
from lamplight_kit.seal import segments, verify

PICTURE = cv2.imencode(".png", noise())[1].tobytes()


def redactor(room: Room) -> Redactor:
    """Return a redactor on the room's gate."""
    return Redactor(room.gate, room.sealer, VideoFile)


def video(path: Path, count: int = 8, rotation: int = 0, codec: str = "libx264") -> Path:
    """Write a video of noise with a sound track's place taken by nothing, 160x120 at 10 a second."""
    with av.open(str(path), "w") as container:
        options = {"g": "4"} if codec == "libx264" else {}
        stream = cast("av.VideoStream", container.add_stream(codec, rate=10, options=options))
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise(number), format="bgr24")))
        container.mux(stream.encode(None))
    return path


def test_a_picture_comes_back_sealed(room: Room) -> None:
    """The answer holds the sealed picture, its masks and, if asked, their boxes."""
    room.things.said = [("person", (40.0, 30.0, 60.0, 90.0), 0.5)]
    result = redactor(room).redact_picture(PICTURE, 5, with_boxes=True)
    assert verify(result.picture, room.keys).attestation.at_ns == 5
    assert (result.frame_hw, result.masks["person"], result.refused) == ((120, 160), 1, "")
    assert {(one.frame, one.kind) for one in result.boxes} == {(0, "person")}
    assert {tuple(np.round(one.box_xyxy, 1)) for one in result.boxes} == {(35.8, 24.0, 64.2, 96.0)}


def test_an_example_makes_a_region_of_its_situation(room: Room) -> None:
    """An example of a situation gives the picture to keep and the region to embed, which names where it is kept."""
    enrolment = frame_pb2.Enrolment(situation_id="flood", reference_id="a")
    result, region = redactor(room).example(PICTURE, 5, enrolment, lambda _sealed: "key")
    assert region is not None
    assert (region.source.region_id, region.source.picture_key) == ("flood/a", "key")
    assert region.source.enrolment == enrolment
    verify(region.picture, room.keys)
    verify(result.picture, room.keys)


def test_what_is_refused_makes_no_region(room: Room) -> None:
    """An upload that is no picture, or that the gate does not release, gives only the reason."""
    refused, region = redactor(room).example(b"GIF89a", 5, frame_pb2.Enrolment(), lambda _sealed: "key")
    assert "GIF" in refused.refused
    assert region is None
    room.faces.fault = lambda: 1 / 0  # type: ignore[assignment] # a fault
    assert "ZeroDivisionError" in redactor(room).redact_picture(PICTURE).refused


def test_a_video_comes_out_whole_with_its_seal_beside_it(room: Room, tmp_path: Path) -> None:
    """As many pictures as went in, solid where somebody was, sealed by a sidecar that proves the file."""
    room.things.said = [("person", (40.0, 30.0, 60.0, 90.0), 0.5)]
    out = tmp_path / "out.mp4"
    ticks: list[tuple[int, int]] = []
    source = video(tmp_path / "in.mp4")
    result = redactor(room).redact_video(source, out, progress=lambda done, of: ticks.append((done, of)))
    assert (result.refused, result.frames, result.masks["person"], result.damaged) == ("", 8, 8, 0)
    assert ticks == [(done, 8) for done in range(1, 9)]
    with av.open(str(out)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
        assert float(container.streams.video[0].average_rate or 0) == pytest.approx(10, abs=0.1)
    assert len(frames) == 8
    assert all(np.abs(frame[40:80, 44:56].astype(int) - 127).mean() < 4 for frame in frames)
    seal = seal_pb2.Seal.FromString((tmp_path / "out.mp4.seal").read_bytes())
    said = seal_pb2.Attestation.FromString(seal.attestation)
    assert said.picture_sha256 == segments.digest(out.read_bytes())
    room.keys.find(seal.key_id).verify(seal.signature, seal.attestation)


def test_a_refused_video_leaves_nothing(room: Room, tmp_path: Path) -> None:
    """Where the gate closes in mid-video no file is there, not even a part of one."""
    seen = [0]
    real = room.faces.find

    def find(picture: np.ndarray, at_least: float) -> object:
        seen[0] += 1
        if seen[0] == 4:
            message = "gone"
            raise MemoryError(message)
        return real(picture, at_least)

    room.faces.find = find  # type: ignore[assignment,method-assign] # a fault in mid-video
    (tmp_path / "out").mkdir()
    result = redactor(room).redact_video(video(tmp_path / "in.mp4"), tmp_path / "out" / "x.mp4")
    assert "MemoryError" in result.refused
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not a video", bytes(range(256)) * 40], ids=["empty", "text", "bytes"])
def test_what_is_no_video_is_refused(room: Room, tmp_path: Path, content: bytes) -> None:
    """A file that no demuxer knows gives the reason."""
    (tmp_path / "in.mp4").write_bytes(content)
    result = redactor(room).redact_video(tmp_path / "in.mp4", tmp_path / "out.mp4")
    assert "no video found" in result.refused


def test_a_video_is_masked_one_picture_before_somebody_is_found(room: Room, tmp_path: Path) -> None:
    """Who is found from the fourth picture on is solid in the third too, and not in the second."""
    box = (40.0, 30.0, 60.0, 90.0)
    still = (noise() // 8 + 200).astype(np.uint8, copy=False)
    looks = [0]
    find = room.things.find

    def late(picture: np.ndarray, at_least: float) -> object:
        looks[0] += picture.shape[:2] == room.things.whole_hw
        room.things.said = [("person", box, 0.5)] if looks[0] >= 7 else []  # each is looked at mirrored too
        return find(picture, at_least)

    class Still:
        rate, damaged, expected = Fraction(10), 0, 0

        def pictures(self) -> Iterator[Shown]:
            yield from (Shown(still, number / 10) for number in range(6))

    room.things.find = late  # type: ignore[assignment,method-assign] # somebody who is found late
    maker = Redactor(room.gate, room.sealer, lambda _path: Still())
    result = maker.redact_video(Path("x"), tmp_path / "out.mp4", with_boxes=True)
    assert (result.refused, result.frames) == ("", 6)
    assert {one.frame for one in result.boxes} == {3, 4, 5}
    with av.open(str(tmp_path / "out.mp4")) as container:
        frames = [frame.to_ndarray(format="bgr24").astype(int) for frame in container.decode(video=0)]
    solid = [bool(np.abs(frame[40:80, 44:56] - 127).mean() < 4) for frame in frames]
    assert solid == [False, False, True, True, True, True]


@dataclass
class Shown:
    """A picture of a made-up video."""

    bgr: np.ndarray
    at_s: float


def test_a_size_that_changes_is_refused(room: Room, tmp_path: Path) -> None:
    """One file has one size; where a video changes it, it is refused rather than bent."""

    class Changing:
        rate, damaged, expected = Fraction(10), 0, 0

        def pictures(self) -> Iterator[Shown]:
            yield Shown(noise(), 0)
            yield Shown(noise(1, (60, 80)), 0.1)

    maker = Redactor(room.gate, room.sealer, lambda _path: Changing())
    assert "one size expected" in maker.redact_video(Path("x"), tmp_path / "out.mp4").refused


@pytest.mark.parametrize(("rotation", "hw"), [(0, (120, 160)), (90, (160, 120)), (180, (120, 160)), (-90, (160, 120))])
def test_a_rotated_video_is_read_upright(tmp_path: Path, rotation: int, hw: tuple[int, int]) -> None:
    """The container's rotation is applied before anybody is searched."""
    path = video(tmp_path / "in.mp4", 2, rotation)
    with av.open(str(path)) as container:
        first = next(container.decode(video=0))
        upright = np.rot90(first.to_ndarray(format="bgr24"), round(first.rotation / 90))
    shown = list(VideoFile(path).pictures())
    assert [one.bgr.shape[:2] for one in shown] == [hw, hw]
    assert (shown[0].bgr == upright).all()


def test_a_codec_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    """A file whose codec is not on the list is not decoded."""
    path = video(tmp_path / "in.avi", 2, codec="ffv1")
    with pytest.raises(Unreadable, match="expected"):
        list(VideoFile(path).pictures())


def test_results_hold_nothing_that_cannot_be_told(room: Room) -> None:
    """Counts and shares go into JSON as they are."""
    result = redactor(room).redact_picture(PICTURE)
    assert json.loads(json.dumps({"masks": dict(result.masks), "share": result.masked_share}))
