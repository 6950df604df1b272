"""Applying files: what is said of rules whose cameras have just been applied."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lamplight.camera.v1 import camera_pb2
from lamplight.rule.v1 import rule_pb2
from lamplight_cli import apply as applying
from lamplight_cli.files.cameras import CamerasFile
from lamplight_cli.files.destinations import DestinationsFile
from lamplight_cli.files.document import Document
from lamplight_cli.files.rules import RulesFile, read_rules
from lamplight_cli.where import Where
from lamplight_kit.errors import BadInput

CAMERA = camera_pb2.Camera(id="church", zones=[camera_pb2.Zone(id="steps")])
RULE = rule_pb2.Rule(id="crowd", cameras=["church"])
NONE_CHOSEN = "rule crowd: no camera is chosen yet by church"
ONLY = "only the alerts topic is served yet"


def test_conditions_are_checked_beside_other_mistakes(tmp_path: Path) -> None:
    """What alert would refuse is named with what keeps the file from it, each once and at its line."""
    path = tmp_path / "rules.yaml"
    path.write_text(
        "version: 1\nrules:\n"
        "- {id: a, over: thing, when: 'thing.scor > 1', sevrity: info}\n"
        "- {id: b, over: zone}\n"
        "- id: c\n  over: thing\n  when: zone.id == 'steps'\n  schedule: Mo-Fx 07:00\n"
        "- {id: d, over: things, when: 'thing.score >'}\n"
    )
    with pytest.raises(BadInput) as refused:
        read_rules(path)
    assert [(problem.line, problem.path) for problem in refused.value.problems] == [
        (3, "rules[0].sevrity"),
        (3, "rules[0].when"),
        (4, "rules[1]"),
        (7, "rules[2].when"),
        (8, "rules[2].schedule"),
        (9, "rules[3].over"),
        (9, "rules[3].when"),
    ]


def applied(
    monkeypatch: pytest.MonkeyPatch, answers: Sequence[Sequence[str]], settle_s: float = 5.0
) -> tuple[Sequence[str], int]:
    """Apply a camera, a rule and a destination where alert answers with these warnings; return lines and calls."""
    left = [list(answer) for answer in answers]
    monkeypatch.setattr(applying, "_LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(applying, "_SETTLE_S", settle_s)
    desk = rule_pb2.Destination(id="desk")
    monkeypatch.setattr(applying, "apply_destinations", lambda *_: ([desk], [f"{ONLY}: desk kept"]))
    monkeypatch.setattr(applying, "apply_cameras", lambda *_: [CAMERA])
    monkeypatch.setattr(applying, "apply_rules", lambda *_: ([RULE], left.pop(0)))
    document = Document("x.yaml")
    wishes: Any = applying.Wishes(
        CamerasFile(document, [CAMERA]), RulesFile(document, [RULE]), DestinationsFile(document, [desk])
    )
    lines = applying.apply(wishes, Where("", "", "", {}, {})).lines  # nobody is called
    return lines, len(answers) - len(left)


def test_rules_wait_until_alert_knows_the_cameras_just_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning that a camera of the same `apply` is missing is asked again, not told; others are told once."""
    odd = "rule crowd: class 'trck' is none of the default models"
    behind = "rule crowd: zone 'steps' is none of the cameras that it chooses"
    lines, calls = applied(monkeypatch, [[NONE_CHOSEN, odd], [behind, odd], [odd, f"{ONLY}: desk kept"]])
    assert calls == 3
    assert lines == [
        "destinations: desk applied",
        f"{ONLY}: desk kept",
        "cameras: church applied",
        "rules: crowd applied",
        odd,
    ]


def test_what_is_odd_with_the_cameras_known_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule for other cameras, or a zone that none of these has, waits for nothing."""
    odd = "rule crowd: zone 'stairs' is none of the cameras that it chooses; did you mean 'steps'?"
    lines, calls = applied(monkeypatch, [["rule other: no camera is chosen yet by quay", odd]])
    assert (lines[-1], calls) == (odd, 1)


def test_waiting_for_alert_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where alert never hears of a camera, its warning is told in the end."""
    lines, calls = applied(monkeypatch, [[NONE_CHOSEN]], settle_s=0.0)
    assert (lines[-1], calls) == (NONE_CHOSEN, 1)
