"""The command line itself: exit statuses, what goes where, and which camera a source is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
from lamplight.match.v1 import match_pb2
from lamplight.observation.v1 import observation_pb2
from lamplight_cli.commands import run
from lamplight_cli.commands.root import COMMANDS
from lamplight_cli.errors import BAD_INPUT, FAILED
from lamplight_cli.files.cameras import read_cameras
from lamplight_cli.lines import alert_line, alert_words, match_line, observation_line, observation_words, summary_words
from lamplight_cli.local import Clock
from lamplight_cli.running import leash
from lamplight_cli.watching import cameras_of, ids_of
from lamplight_kit.errors import BadInput

NS = 1_000_000_000
FIRST_NS = 1_704_110_400 * NS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` imports no service and ends well."""
    assert run([name, "--help"]) == 0
    assert len(capsys.readouterr().out) > 100


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["camera", "list"], BAD_INPUT, "no running `lamplight up` found"),
        (["camera", "apply", "none.yaml"], BAD_INPUT, "none.yaml:1: "),
        (["up", "--rules", "none.yaml"], BAD_INPUT, "none.yaml:1: "),
        (["upp"], BAD_INPUT, "No such command"),
        (["up", "--for", "-1"], BAD_INPUT, "--for"),
        (["redact", "none.jpg", "--out", "out"], BAD_INPUT, "none.jpg"),
        (["redact", "."], BAD_INPUT, "--out"),
        (["bench", "none"], BAD_INPUT, "one of bus"),
        (["bench", "privacy"], BAD_INPUT, "no folder found, one expected"),
        (["bench", "detect", "."], BAD_INPUT, "folder '.' found, none expected"),
        (["bench", "detect", "--condition", "clean"], BAD_INPUT, "--condition found, none expected"),
        (["bench", "detect", "--every", "5"], BAD_INPUT, "--every found, none expected"),
        (["bench", "privacy", ".", "--every", "0"], BAD_INPUT, "--every"),
        (["bench", "privacy", ".", "--crops", "x"], BAD_INPUT, "--crops found without --outside"),
        (["situation", "add", "none"], BAD_INPUT, "a folder of situations expected"),
        (["watch"], BAD_INPUT, "SOURCE"),
        (["deadletter", "list", "none"], BAD_INPUT, "no running"),
    ],
)
def test_bad_input_ends_with_2_and_says_why_on_stderr(
    arguments: list[str],
    status: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is printed on stdout, and nothing is made in the folder."""
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err
    assert list(tmp_path.iterdir()) == []


def test_a_kafka_that_is_away_is_a_failure_in_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback; exit status 1."""
    monkeypatch.setenv("LAMPLIGHT_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    assert run(["deadletter", "list"]) == FAILED
    assert "Kafka at 127.0.0.1:9: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sources", "ids"),
    [
        (["clips/Yard 7.mp4"], ["yard-7"]),
        (["a/x.mp4", "b/x.mp4", "c/x.avi"], ["x", "x-n2", "x-n3"]),
        (["folder/"], ["folder"]),
        (["???.mp4"], ["camera"]),
    ],
)
def test_a_source_without_a_camera_is_called_by_its_name(sources: list[str], ids: list[str]) -> None:
    """An id of the characters that ids have, and no two alike."""
    assert list(ids_of(sources)) == ids


def test_each_source_finds_its_camera(tmp_path: Path) -> None:
    """By its path, else by its file's name, else by its id, else the next that is left; else it is bad input."""
    text = """version: 1
cameras:
- {id: last, source: rtsp://camera.example/1}
- {id: by-id, source: rtsp://camera.example/2}
- {id: by-name, source: elsewhere/name.mp4}
- {id: by-path, source: path.mp4}
"""
    path = tmp_path / "cameras.yaml"
    path.write_text(text, encoding="utf-8")
    file = read_cameras(path)
    sources = ["other.mp4", "x/by-id.mp4", "x/name.mp4", str(tmp_path / "path.mp4")]
    assert [camera.id for camera in cameras_of(sources, file)] == ["last", "by-id", "by-name", "by-path"]
    with pytest.raises(BadInput, match=r"fifth\.mp4"):
        cameras_of([*sources, "fifth.mp4"], file)


def test_a_replays_clock_ticks_every_second_that_passed() -> None:
    """As ingest would have: none before the first picture, none twice, none backwards."""
    clock = Clock()
    seconds = [
        [tick.tick.at_ns // NS - FIRST_NS // NS for tick in clock.ticks(FIRST_NS + round(at_s * NS))]
        for at_s in (0.5, 0.9, 1.1, 4.0, 3.0, 5.5)
    ]
    assert seconds == [[], [], [1], [2, 3, 4], [], [5]]


def test_unknown_counts_are_null_and_never_zero() -> None:
    """A closed gate knows nothing, of the picture and of its zones."""
    seen = observation_pb2.Seen(camera_id="a", at_ns=FIRST_NS + NS, gate_closed="no model")
    seen.zones.add(zone_id="z")
    line = observation_line(seen, FIRST_NS)
    assert (line["counts"], line["zones"], line["picture"], line["at_s"]) == (None, {"z": None}, None, 1.0)
    assert "unknown" in observation_words(line)
    seen.counts.SetInParent()
    assert observation_line(seen, FIRST_NS)["counts"] == {}


def test_a_match_and_a_thing_have_the_fields_of_the_design() -> None:
    """Names and units as scripts rely on."""
    matches = match_pb2.Matches()
    matches.source.camera_id, matches.source.at_ns = "a", FIRST_NS + 2 * NS
    line = match_line(matches, match_pb2.Match(situation_id="s", score=0.5, margin=0.25, threshold=0.4), FIRST_NS)
    assert {name: line[name] for name in ("camera_id", "at_s", "situation_id", "score", "margin", "threshold")} == {
        "camera_id": "a", "at_s": 2.0, "situation_id": "s", "score": 0.5, "margin": 0.25, "threshold": 0.4,
    }  # fmt: skip
    seen = observation_pb2.Seen(camera_id="a", at_ns=FIRST_NS)
    box = observation_pb2.Box(left_px=1, top_px=2, right_px=3, bottom_px=4)
    seen.things.add(class_name="car", box=box, score=0.5, still_s=3, zone_ids=["z"], place_id="p")
    (thing,) = observation_line(seen, FIRST_NS)["things"]
    assert thing == {
        "class_name": "car", "box_xyxy": [1, 2, 3, 4], "score": 0.5, "still_s": 3, "attended": None,
        "zones": ["z"], "place_id": "p",
    }  # fmt: skip


def test_an_alert_live_has_no_seconds_since_a_first_picture() -> None:
    """`at_s` is for replays; the newest picture is the one named."""
    alert = {
        "alert_id": "east/1", "revision": 2, "phase": "opened", "rule_id": "r", "camera_id": "a", "over": "thing",
        "subject": {"id": "p"}, "severity": "info", "summary": "A car stands.", "at": "2024-01-01T12:00:01.500000123Z",
        "pictures": [{"key": "old"}, {"key": "new"}],
    }  # fmt: skip
    event = json.dumps({"data": alert}).encode()
    line = alert_line(event, None)
    assert (line["at_s"], line["picture"], line["revision"]) == (None, "new", 2)
    assert alert_line(event, FIRST_NS)["at_s"] == 1.5
    assert "opened" in alert_words(line)
    assert "(evidence is back)" in alert_words({**line, "phase": "updated", "reason": "evidence is back"})


def test_a_failed_source_says_so_to_a_person() -> None:
    """The summary's words name the error."""
    line: Mapping[str, object] = {"camera_id": "a", "frames": 0, "dropped": 0, "seconds": 0.0, "error": "no such file"}
    assert "failed: no such file" in summary_words(line)


def test_where_no_kernel_can_be_asked_the_leash_watches(tmp_path: Path) -> None:
    """As on macOS: the command ends within seconds of whoever started it."""
    pid_file = tmp_path / "pid"
    command = [
        sys.executable,
        "-c",
        f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(600)",
    ]
    watching = f"import os; from lamplight_cli.running.leash import _watch; _watch(os.getppid(), {command!r})"
    starting = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {watching!r}])"
    parent = subprocess.Popen([sys.executable, "-c", starting])
    end_s = time.monotonic() + 20
    while not (pid_file.exists() and pid_file.read_text(encoding="ascii")):
        assert time.monotonic() < end_s
        time.sleep(0.05)
    child = psutil.Process(int(pid_file.read_text(encoding="ascii")))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(10)
    psutil.wait_procs([child], timeout=15)
    assert not child.is_running()


def test_the_leash_lets_nothing_start_for_a_parent_that_is_gone() -> None:
    """The race between the parent's death and the wish is closed."""
    done = subprocess.run(
        [sys.executable, leash.__file__, "1", "/bin/echo", "started"], capture_output=True, check=False
    )
    assert done.stdout == (b"" if sys.platform == "linux" else done.stdout)
