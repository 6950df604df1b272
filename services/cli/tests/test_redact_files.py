"""`lamplight redact` over a user's own files: what is taken, where it goes, and that nothing is left of what is not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import cv2
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from lamplight.key.v1 import key_pb2
from lamplight_cli import redact as files
from lamplight_cli.commands import run
from lamplight_detect.adapters.key_file import SigningKey
from lamplight_detect.adapters.video_file import VideoFile
from lamplight_detect.redact import Redactor
from lamplight_detect.testing import Room, noise, room_of
from lamplight_kit.errors import BadInput
from lamplight_kit.seal import KeyRing
from lamplight_models import manifest

SIGNING = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), 1)


@dataclass
class Made:
    """What detect's entry point gives, on fakes."""

    redactor: Redactor
    key: key_pb2.SigningKey
    room: Room


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Made:
    """Detect on fakes in place of detect."""
    room = room_of(manifest("nanodet"), manifest("centerface"), SIGNING)
    found = Made(Redactor(room.gate, room.sealer, VideoFile), SIGNING.public("redact"), room)
    (tmp_path / "data" / "redact").mkdir(parents=True)
    monkeypatch.setattr("lamplight_cli.redact.stage", lambda _name: lambda **_: found)
    monkeypatch.setattr("lamplight_cli.models.ensure_models", lambda *_: None)
    return found


def picture(path: Path, seed: int = 0) -> Path:
    """Write a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, noise(seed))[1].tobytes())
    return path


def video(path: Path, times_ms: list[int], hw: tuple[int, int] = (120, 160), **more: Any) -> Path:
    """Write a video whose pictures are shown at these times, with a sound track."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        out = cast("av.VideoStream", container.add_stream(more.get("encoder", "libx264"), rate=25))
        out.height, out.width, out.pix_fmt = *hw, more.get("pix_fmt", "yuv420p")
        out.codec_context.time_base = Fraction(1, 1000)
        if "gop" in more:
            out.codec_context.gop_size = more["gop"]
        if "rotation" in more:
            out.set_display_rotation(more["rotation"])
        sound = cast("av.AudioStream", container.add_stream("aac", rate=16_000)) if more.get("sound") else None
        for number, at_ms in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(noise(number, hw), format="bgr24")
            frame.pts, frame.time_base = at_ms, Fraction(1, 1000)
            container.mux(out.encode(frame))
        container.mux(out.encode(None))
        if sound is not None:
            tone = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
            tone.sample_rate, tone.pts = 16_000, 0
            container.mux(sound.encode(tone))
            container.mux(sound.encode(None))
    return path


def names(folder: Path) -> list[str]:
    """Return all files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def redacted(*arguments: object, data: Path) -> tuple[int, list[Mapping[str, Any]]]:
    """Run the command with --json; return its status and what `capsys` would see, by a file."""
    out = data / "stdout"
    with out.open("w") as stream:
        before, sys.stdout = sys.stdout, stream
        try:
            status = run(["redact", *map(str, arguments), "--data", str(data), "--json"])
        finally:
            sys.stdout = before
    return status, [json.loads(line) for line in out.read_text().splitlines()]


def test_a_folder_is_taken_with_all_below_it(made: Made, tmp_path: Path) -> None:
    """Pictures and videos, their structure kept; hidden files and what is neither are passed over, and said."""
    source, out = tmp_path / "in", tmp_path / "in" / "out"
    for name in ("a.jpg", "b/a.png", "b/a.jpg", ".hidden.jpg", "b/.cache/x.png"):
        picture(source / name)
    (source / "notes.txt").write_text("x")
    video(source / "b" / "clip.mp4", [0, 40, 80])
    status, lines = redacted(source, "--out", out, data=tmp_path / "data")
    assert (status, len(lines)) == (0, 4)
    assert [name for name in names(out) if not name.endswith(".seal")][:2] == ["a.jpg", "b/a.jpg"]
    assert "b/clip.mp4" in names(out)
    assert len(names(out)) == 5
    assert redacted(source, "--out", out, data=tmp_path / "data")[0] == 0
    assert len(names(out)) == 5


def test_a_pattern_that_no_shell_expanded_is(made: Made, tmp_path: Path) -> None:
    """A quoted pattern names the files that it matches; one that matches none is a mistake."""
    for name in ("a.jpg", "b.jpg", "c.png"):
        picture(tmp_path / "in" / name)
    status, lines = redacted(tmp_path / "in" / "*.jpg", "--out", tmp_path / "out", data=tmp_path / "data")
    assert (status, len(lines), names(tmp_path / "out")) == (0, 2, ["a.jpg", "b.jpg"])
    with pytest.raises(BadInput, match="pattern"):
        files.jobs_of([tmp_path / "in" / "*.gif"], tmp_path / "out")


def test_an_original_is_never_written_over(made: Made, tmp_path: Path) -> None:
    """An output folder that is the input's is refused before anything is read."""
    picture(tmp_path / "in" / "a.jpg")
    with pytest.raises(BadInput, match="apart from the originals"):
        files.jobs_of([tmp_path / "in" / "a.jpg"], tmp_path / "in")


def test_what_is_refused_leaves_not_even_its_folder(made: Made, tmp_path: Path) -> None:
    """Exit status 1, the reason, and nothing written; the other files come out."""
    (tmp_path / "in" / "bad").mkdir(parents=True)
    (tmp_path / "in" / "bad" / "x.mp4").write_bytes(b"no video")
    (tmp_path / "in" / "bad" / "x.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    picture(tmp_path / "in" / "good.jpg")
    status, lines = redacted(tmp_path / "in", "--out", tmp_path / "out", data=tmp_path / "data")
    assert status == 1
    assert sorted(bool(line["refused"]) for line in lines) == [False, True, True]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.jpg"]


def test_a_disk_that_is_full_is_a_refusal(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No half of a picture is left, and the next file is tried."""
    picture(tmp_path / "in" / "a.jpg")

    def full(_path: Path, _content: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        jobs = files.jobs_of([tmp_path / "in" / "a.jpg"], tmp_path / "out")
        (line,) = files.redact(jobs, tmp_path / "data", with_boxes=False, progress=lambda *_: None)
    assert "No space left" in line["refused"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "hw", "shown_hw"),
    [
        ({}, (120, 160), (120, 160)),
        ({}, (121, 161), (122, 162)),
        ({"pix_fmt": "yuv420p10le"}, (120, 160), (120, 160)),
        ({"encoder": "libx265"}, (120, 160), (120, 160)),
        ({"rotation": 90}, (120, 160), (160, 120)),
        ({"gop": 500}, (120, 160), (120, 160)),
        ({"sound": True}, (120, 160), (120, 160)),
        ({"encoder": "mpeg4"}, (120, 160), (120, 160)),
    ],
    ids=["plain", "odd sides", "10 bits", "H.265", "turned", "one key", "sound", "MPEG-4"],
)
def test_videos_of_all_sorts_keep_their_times(
    made: Made, tmp_path: Path, more: dict[str, Any], hw: tuple[int, int], shown_hw: tuple[int, int]
) -> None:
    """Every picture comes out upright at its own time, also where times vary; without sound; its seal holds."""
    if hw[0] % 2:
        more = {**more, "pix_fmt": "yuv444p"}
    times = [0, 40, 80, 200, 240, 400, 1400]
    path = video(tmp_path / "in" / "clip.mp4", times, hw, **more)
    status, (line,) = redacted(path, "--out", tmp_path / "out", data=tmp_path / "data")
    assert (status, line["frames"], line["damaged"]) == (0, len(times), 0), line
    with av.open(str(tmp_path / "out" / "clip.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        shown = [(round(1000 * float(one.time or 0)), one.height, one.width) for one in container.decode(video=0)]
    assert shown == [(at_ms, *shown_hw) for at_ms in times]
    keys = KeyRing()
    keys.add(made.key)
    assert files.verified(tmp_path / "out" / "clip.mp4", keys)["verified"]


def test_verify_looks_through_a_folder_and_finds_what_was_changed(made: Made, tmp_path: Path) -> None:
    """Pictures and videos are verified, their seals' own files passed over; one changed byte ends with 1."""
    picture(tmp_path / "in" / "a.jpg")
    video(tmp_path / "in" / "clip.mp4", [0, 40])
    out, data = tmp_path / "out", tmp_path / "data"
    assert redacted(tmp_path / "in", "--out", out, data=data)[0] == 0
    status, lines = redacted(out, "--verify", data=data)
    assert (status, [line["verified"] for line in lines]) == (0, [True, True])
    clip = out / "clip.mp4"
    clip.write_bytes(clip.read_bytes()[:-1] + b"x")
    status, lines = redacted(out, "--verify", data=data)
    assert status == 1
    assert sorted(line["verified"] for line in lines) == [False, True]
    seal = out / "clip.mp4.seal"
    seal.write_bytes(seal.read_bytes() + b"\xfa\x01\x03abc")
    assert "more than its fields" in redacted(clip, "--verify", data=data)[1][0]["error"]
    seal.write_bytes(b"\xff\xff")
    assert redacted(clip, "--verify", data=data)[0] == 1
    assert redacted(tmp_path / "in" / "a.jpg", "--verify", data=data)[0] == 1


PROGRAM = """
import signal, sys, time
# A shell that starts the tests in the background has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {tests!r})
import test_redact_files as t
from lamplight_cli import redact as files
import lamplight_cli.models
room = t.room_of(t.manifest("nanodet"), t.manifest("centerface"), t.SIGNING)
show = room.gate.show
# Slow from its first output on, so that the signal comes in the middle.
room.gate.show = lambda *a: (time.sleep(0.2), show(*a))[1]
made = t.Made(t.Redactor(room.gate, room.sealer, t.VideoFile), t.SIGNING.public("redact"), room)
files.stage = lambda _name: lambda **_: made
lamplight_cli.models.ensure_models = lambda *_: None
sys.exit(t.run(["redact", {source!r}, "--out", {out!r}, "--data", {data!r}]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_breaking_off_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C in mid-video, or a service manager's stop: status 130, no part of a file, not even the folder."""
    source = video(tmp_path / "clip.mp4", [40 * at for at in range(20)])
    (tmp_path / "data" / "redact").mkdir(parents=True)
    out = tmp_path / "out"
    told = {"tests": str(Path(__file__).parent), "source": str(source), "out": str(out), "data": str(tmp_path / "data")}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM.format(**told)], env=dict(os.environ))
    try:
        end_s = time.monotonic() + 60
        while not (out.exists() and any(out.iterdir())) and time.monotonic() < end_s:
            time.sleep(0.02)
        assert any(out.iterdir())
        process.send_signal(number)
        assert process.wait(60) == 130
    finally:
        process.kill()
    assert not out.exists()
