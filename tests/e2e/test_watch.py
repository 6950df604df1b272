"""`lamplight watch` and `lamplight redact`, as a user types them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.models

DARK_EVERY_S = 8.0
FOOTAGE = Path(__file__).parents[2] / "examples" / "demo" / "lamplight_demo" / "footage"
FOOTAGE_RULES = """version: 1
rules:
- {id: cars, over: camera, when: camera.counts.car >= 2}
- {id: seen, over: match, when: match.situation_id == "junction"}
"""
Lamplight = Callable[..., Any]


@pytest.fixture(scope="module")
def clip_and_files(blinking: Any) -> tuple[Path, Mapping[str, Path]]:
    """Make a clip of three dark times."""
    made: tuple[Path, Mapping[str, Path]] = blinking(24)
    return made


@pytest.fixture(scope="module")
def blinking_clip(clip_and_files: tuple[Path, Mapping[str, Path]]) -> Path:
    """Give the clip."""
    return clip_and_files[0]


@pytest.fixture(scope="module")
def blinking_files(clip_and_files: tuple[Path, Mapping[str, Path]]) -> Mapping[str, Path]:
    """Give the user's files for it."""
    return clip_and_files[1]


@pytest.fixture(scope="module")
def watched(lamplight: Lamplight, blinking_clip: Path, blinking_files: Mapping[str, Path]) -> Any:
    """Watch the clip once, with a rule."""
    files = ("--cameras", blinking_files["cameras"], "--rules", blinking_files["rules"])
    return lamplight("watch", blinking_clip, *files, "--json")


def test_every_line_is_of_the_kinds_that_scripts_rely_on(watched: Any) -> None:
    """One JSON object a line on stdout, nothing else; the summary is last, one a source."""
    assert watched.status == 0, watched.err
    assert {line["kind"] for line in watched.lines} == {"observation", "alert", "summary"}
    *_, summary = watched.lines
    assert (summary["kind"], summary["camera_id"], summary["error"]) == ("summary", "blinking", None)
    assert summary["frames"] > 0
    assert (summary["dropped"], summary["seconds"]) == (0, pytest.approx(23.8, abs=0.1))


def test_observations_carry_the_fields_of_the_design(watched: Any) -> None:
    """Every fixed field is there, with its shape."""
    first = next(line for line in watched.lines if line["kind"] == "observation")
    fixed = {"camera_id", "at_s", "at", "frame_hw", "counts", "zones", "lines", "things", "health", "picture"}
    assert fixed <= set(first)
    assert (first["at_s"], first["frame_hw"], first["counts"]) == (0.0, [240, 320], {})


def test_a_rule_opens_and_resolves_each_time(watched: Any) -> None:
    """The clip is dark for half of every eight seconds: an alert each, told within a sampling step."""
    alerts = [line for line in watched.lines if line["kind"] == "alert"]
    opened = [line["at_s"] for line in alerts if line["phase"] == "opened"]
    assert opened == [pytest.approx(DARK_EVERY_S * number + 4, abs=1) for number in range(3)]
    assert sum(line["phase"] == "resolved" for line in alerts) in (2, 3)
    assert {(line["rule_id"], line["over"], line["severity"]) for line in alerts} == {("dark", "camera", "warning")}


def test_two_runs_tell_the_same(lamplight: Lamplight, watched: Any, blinking_clip: Path, blinking_files: Any) -> None:
    """No clock, no chance: but for the seals, each run's lines are the last one's."""
    files = ("--cameras", blinking_files["cameras"], "--rules", blinking_files["rules"])
    again = lamplight("watch", blinking_clip, *files, "--json")
    assert [without_picture(line) for line in again.lines] == [without_picture(line) for line in watched.lines]


def without_picture(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a line without the picture's key: seals are signed by a key of each run's own."""
    return {name: value for name, value in line.items() if name != "picture"}


def test_a_source_that_fails_is_named_and_the_others_go_on(lamplight: Lamplight, tmp_path: Path) -> None:
    """Exit status 1, an error in that source's summary, none in the other's."""
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(bytes(range(256)) * 40)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    answer = lamplight("watch", noise, pictures, tmp_path / "missing.mp4", "--json")
    summaries = {line["camera_id"]: line for line in answer.lines if line["kind"] == "summary"}
    assert answer.status == 1
    assert list(summaries) == ["noise", "pictures", "missing"]
    assert all(summaries[name]["error"] for name in ("noise", "missing"))


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("rules", "camera.health", "camera.helth"), 6, "health"),
        (("cameras", "min_gap_s", "min_gaps"), 7, "min_gap_s"),
    ],
)
def test_bad_input_is_named_with_its_line(
    lamplight: Lamplight,
    blinking_clip: Path,
    blinking_files: Mapping[str, Path],
    tmp_path: Path,
    change: tuple[str, str, str],
    line: int,
    words: str,
) -> None:
    """Exit status 2, file, line and cure on stderr, nothing on stdout."""
    name, old, new = change
    path = tmp_path / f"{name}.yaml"
    path.write_text(blinking_files[name].read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    files = {**blinking_files, name: path}
    options = [each for kind in ("cameras", "rules") for each in (f"--{kind}", files[kind])]
    answer = lamplight("watch", blinking_clip, *options, "--json")
    assert (answer.status, answer.out) == (2, "")
    assert f"{path}:{line}: " in answer.err
    assert words in answer.err


def test_without_json_a_person_reads_words(lamplight: Lamplight, blinking_clip: Path, blinking_files: Any) -> None:
    """Alerts and the summary in words; no ANSI where nobody looks."""
    files = ("--cameras", blinking_files["cameras"], "--rules", blinking_files["rules"])
    answer = lamplight("watch", blinking_clip, *files)
    assert "opened" in answer.out
    assert "blinking: " in answer.out.splitlines()[-1]
    assert "\x1b[" not in answer.out + answer.err


def test_a_redacted_picture_is_sealed_and_its_seal_is_checked(lamplight: Lamplight, tmp_path: Path) -> None:
    """The same gate as detect's: a sealed file, whose seal breaks with its first changed byte."""
    out, data = tmp_path / "out", tmp_path / "data"
    answer = lamplight("redact", noisy_jpeg(tmp_path), tmp_path / "noise.jpg", "--out", out, "--data", data, "--json")
    line, refused = answer.lines
    assert (answer.status, line["refused"], line["frames"], line["frame_hw"]) == (1, None, 1, [240, 320])
    assert set(line["masks"]) == {"person", "face", "motion", "plate"}
    assert refused["refused"]
    assert not (out / "noise.jpg").exists()
    sealed = Path(line["out"])
    assert lamplight("redact", "--verify", sealed, "--data", data, "--json").lines[0]["verified"]
    content = bytearray(sealed.read_bytes())
    content[-40] ^= 1
    sealed.write_bytes(bytes(content))
    answer = lamplight("redact", "--verify", sealed, "--data", data, "--json")
    assert (answer.status, answer.lines[0]["verified"]) == (1, False)


def test_committed_footage_shows_a_situation_and_counts(lamplight: Lamplight, tmp_path: Path) -> None:
    """A junction is enrolled by two pictures: a third one matches, another street's do not; its cars make an alert."""
    pictures = {
        "situations/junction/examples": ["neA69A1_20200508_1040.jpg", "neA69A1_20200508_1050.jpg"],
        "situations/junction/counter": ["tfl01251_20200620_2010.jpg", "usgov_34501842524.jpg"],
        "junction": ["neA69A1_20200508_1100.jpg"],
        "street": ["tfl01251_20200620_2020.jpg", "tfl01251_20200620_2030.jpg"],
    }
    for folder, names in pictures.items():
        (tmp_path / folder).mkdir(parents=True)
        for name in names:
            (tmp_path / folder / name).write_bytes((FOOTAGE / name).read_bytes())
    rules = tmp_path / "rules.yaml"
    rules.write_text(FOOTAGE_RULES, encoding="utf-8")
    options = ("--rules", rules, "--situations", tmp_path / "situations", "--pictures", tmp_path / "pictures")
    answer = lamplight("watch", tmp_path / "junction", tmp_path / "street", *options, "--json")
    assert answer.status == 0, answer.err
    matches = [line for line in answer.lines if line["kind"] == "match"]
    assert {(line["camera_id"], line["situation_id"]) for line in matches} == {("junction", "junction")}
    assert all(line["score"] >= line["threshold"] > 0 and "margin" in line for line in matches)
    alerts = {(line["rule_id"], line["camera_id"], line["phase"]) for line in answer.lines if line["kind"] == "alert"}
    assert alerts == {("cars", "street", "opened"), ("seen", "junction", "opened")}
    shown = {line["picture"] for line in answer.lines if line.get("picture")}
    assert shown
    assert all((tmp_path / "pictures" / key).is_file() for key in shown)


def noisy_jpeg(folder: Path) -> Path:
    """Make a picture of an empty scene, and one that is none beside it."""
    import cv2
    import numpy as np

    scene = np.random.default_rng(3).integers(90, 200, (24, 32), dtype=np.uint8).repeat(10, axis=0).repeat(10, axis=1)
    path = folder / "scene.jpg"
    path.write_bytes(cv2.imencode(".jpg", scene)[1].tobytes())
    (folder / "noise.jpg").write_bytes(b"\xff\xd8\xff but no picture")
    return path
