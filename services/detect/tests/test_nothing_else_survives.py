"""Nothing of a source survives but its unmasked pixels: no EXIF, thumbnail, cover art, title, place, sound or data."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from lamplight_detect.adapters.video_file import VideoFile
from lamplight_detect.redact import Redactor
from lamplight_detect.testing import Room, noise
from lamplight_kit.seal import segments

MARKER = b"MARKER-48.137N-11.575E"
SEGMENTS = {0xD8, 0xDB, 0xC0, 0xC4, 0xDA, 0xE0, 0xEB}
"""What a JPEG of the gate's holds: tables, frame, scan, JFIF's own head, and the seal."""


def with_everything(jpeg: bytes) -> bytes:
    """Return a JPEG with EXIF and its thumbnail, XMP, a profile, a comment, and something behind its end."""
    thumbnail = cv2.imencode(".jpg", noise(3, (32, 32)))[1].tobytes()
    extra = b""
    for marker, body in (
        (0xE1, b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00" + MARKER + thumbnail),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\x00<x>" + MARKER + b"</x>"),
        (0xE2, b"ICC_PROFILE\x00\x01\x01" + MARKER),
        (0xED, b"Photoshop 3.0\x00" + MARKER),
        (0xFE, MARKER),
    ):
        extra += b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body
    return jpeg[:2] + extra + jpeg[2:] + MARKER + thumbnail


def kinds(jpeg: bytes) -> set[int]:
    """Return the kinds of a JPEG's segments up to its scan, which is its last."""
    found, at = {0xD8}, 2
    while jpeg[at + 1] != 0xDA:
        found.add(jpeg[at + 1])
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return found | {0xDA}


def test_of_a_picture_only_pixels_survive(room: Room) -> None:
    """The output holds the seal and what decoding needs, and ends with its end marker."""
    result = Redactor(room.gate, room.sealer, VideoFile).redact_picture(
        with_everything(cv2.imencode(".jpg", noise())[1].tobytes())
    )
    assert not result.refused
    assert MARKER not in result.picture
    assert b"Exif" not in result.picture
    assert kinds(result.picture) <= SEGMENTS
    assert kinds(segments.extract(result.picture)[1]) <= SEGMENTS - {0xEB}
    assert result.picture.endswith(b"\xff\xd9")
    assert result.picture.count(b"\xff\xd8\xff") == 1


def test_of_a_video_only_pictures_survive(room: Room, tmp_path: Path) -> None:
    """Title, place, chapters' text, subtitles, sound and cover art stay behind."""
    text = MARKER.decode()
    path, out = tmp_path / "in.mkv", tmp_path / "out.mp4"
    with av.open(str(path), "w") as container:
        container.metadata.update({"title": text, "comment": text, "location": text})
        stream = cast("av.VideoStream", container.add_stream("libx264", rate=10))
        stream.height, stream.width, stream.pix_fmt = 120, 160, "yuv420p"
        stream.metadata["handler_name"] = text
        sound = cast("av.AudioStream", container.add_stream("flac", rate=16_000, layout="mono", format="s16"))
        container.add_attachment("cover.jpg", "image/jpeg", MARKER + cv2.imencode(".jpg", noise(5))[1].tobytes())
        for number in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise(number), format="bgr24")))
        container.mux(stream.encode(None))
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="mono")
        tone.sample_rate, tone.pts = 16_000, 0
        container.mux(sound.encode(tone))
        container.mux(sound.encode(None))
    assert MARKER in path.read_bytes()
    assert not Redactor(room.gate, room.sealer, VideoFile).redact_video(path, out).refused
    for file in (out, tmp_path / "out.mp4.seal"):
        assert MARKER not in file.read_bytes()
    with av.open(str(out)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert not {"title", "comment", "location"} & set(container.metadata)
