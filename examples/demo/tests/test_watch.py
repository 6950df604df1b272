"""What the demo watches for fits the cameras it has, and says which of them are composites."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Any

import cv2
import numpy as np
import pytest
from lamplight_demo import render, scenes
from lamplight_demo.render import FOOTAGE
from lamplight_demo.story import CAMERAS
from ruamel.yaml import YAML

WATCH = FOOTAGE.parent / "watch"
COMMITTED_MAX_BYTES = 12_000_000


def read(name: str) -> Any:
    """Read one of the demo's files, every address filled in."""
    sources = {camera_id.replace("-", "_"): f"http://127.0.0.1/{camera_id}" for camera_id in CAMERAS}
    return YAML(typ="safe").load(Template((WATCH / name).read_text(encoding="utf-8")).substitute(sources))


def test_the_story_and_the_file_tell_of_the_same_cameras() -> None:
    """A camera is real or a composite; a composite says so in its labels, its name and the terminal."""
    cameras = read("cameras.yaml")["cameras"]
    assert [camera["id"] for camera in cameras] == list(CAMERAS)
    for camera in cameras:
        is_composite = "composite" in camera["labels"]
        assert is_composite != ("real" in camera["labels"])
        assert is_composite == ("(composite)" in camera["name"])
        assert is_composite == CAMERAS[camera["id"]].startswith("COMPOSITE")


def test_rules_speak_of_cameras_and_zones_that_are_there() -> None:
    """One rule of each sort, each over cameras that exist."""
    rules = read("rules.yaml")["rules"]
    assert {rule["over"] for rule in rules} == {"thing", "camera", "match"}
    assert all(camera_id in {"*", *CAMERAS} for rule in rules for camera_id in rule["cameras"])
    assert all(camera_id in CAMERAS for camera_id in read("situation.yaml")["cameras"])


def test_footage_is_credited_small_and_readable() -> None:
    """Every committed file has its line among the credits, and all together stay small."""
    credited = (FOOTAGE / "CREDITS.md").read_text(encoding="utf-8")
    files = [path for path in FOOTAGE.iterdir() if path.suffix in {".jpg", ".mp4"}]
    assert all(path.name.split("_")[0] in credited for path in files)
    assert sum(path.stat().st_size for path in files) < COMMITTED_MAX_BYTES
    with pytest.raises(FileNotFoundError):
        render.footage("nowhere.jpg")


def test_the_road_is_dry_until_it_floods_and_no_picture_comes_twice() -> None:
    """Each picture of the flood's camera is a new one, as a live camera's are."""
    steps = render.canal_road().steps
    assert len({step.jpeg for step in steps}) == len(steps)
    first, last = (cv2.imdecode(np.frombuffer(step.jpeg, np.uint8), cv2.IMREAD_COLOR) for step in (steps[0], steps[-2]))
    assert first is not None
    assert last is not None
    half = first.shape[0] // 2
    assert np.abs(first[:half].astype(int) - last[:half]).mean() < 6
    assert np.abs(first[-half // 2 :].astype(int) - last[-half // 2 :]).mean() > 15


def test_examples_differ_from_what_the_camera_will_show() -> None:
    """The situation is not enrolled with the very pictures it is to find."""
    shown = {step.jpeg for step in render.canal_road().steps}
    examples = render.situation_examples()
    assert shown.isdisjoint(examples["examples"] + examples["counter"])
    assert min(len(examples["examples"]), len(examples["counter"])) >= 3


def test_what_is_drawn_already_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second start draws nothing."""
    still = scenes.noisy(np.full((48, 64, 3), 90, np.uint8), 1)
    monkeypatch.setattr(render, "standing_car", lambda: [still] * 3)
    monkeypatch.setattr(render, "covered_lens", lambda: [still] * 3)
    said: list[str] = []
    first = render.render(tmp_path / "drawn", said.append)
    assert len(said) == 2
    assert render.render(tmp_path / "drawn", said.append) == first
    assert len(said) == 2
    drawn = [*first.replays.values(), *first.files.values()]
    assert all(path.exists() for path in drawn)
    assert {*first.replays, *first.files, *first.scripts} == set(CAMERAS)
