"""Tests of reading manifests: whole ones are read, and everything wrong in one is told at once, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from lamplight_kit.errors import BadInput, Stop
from lamplight_kit.onnx import Kind, ModelMissing, Role, read_manifest
from lamplight_kit.onnx.testing import tiny_model

DETECTOR = """\
version: 1
name: some-detector
role: things
file: some.onnx
sha256: abababababababababababababababababababababababababababababababab
licence: MIT
input: {name: x, shape: [N, 3, 64, 96], colours: BGR, mean: [1, 2, 3], std: [4, 5, 6], fit: letterbox, pad: 114}
outputs:
- {name: scores, shape: [N, 96, 4], meaning: scores, stride: 8}
- {name: sides, shape: [N, 96, 44], meaning: sides, stride: 8}
decode: {kind: nanodet, bins: 11}
thresholds: {report: 0.4}
classes:
- {name: person, kind: person}
- {name: van, kind: vehicle}
- {name: suitcase, kind: portable}
- {name: tie, kind: carried}
"""


def written(folder: Path, text: str) -> Path:
    """Write a manifest and return its path."""
    path = folder / "some.yaml"
    path.write_text(text)
    return path


def test_a_whole_manifest_is_read_with_its_file_beside_it(tmp_path: Path) -> None:
    """Every field arrives, and the model's file is looked for beside the manifest."""
    found = read_manifest(written(tmp_path, DETECTOR))
    assert (found.name, found.role, found.file) == ("some-detector", Role.THINGS, tmp_path / "some.onnx")
    assert found.input.input_hw == (64, 96)
    assert found.input.pad == 114
    assert [output.stride for output in found.outputs] == [8, 8]
    assert found.decode.numbers == {"bins": 11.0}
    assert found.thresholds["report"] == 0.4
    assert found.golden is None
    assert found.source is None


def test_what_is_worn_or_carried_is_never_countable(tmp_path: Path) -> None:
    """Counts may hold people and vehicles; what may be put down and what is worn never."""
    found = read_manifest(written(tmp_path, DETECTOR))
    assert found.countable == ("person", "van")
    assert found.class_names(Kind.PORTABLE, Kind.CARRIED) == ("suitcase", "tie")
    assert found.indices(Kind.VEHICLE) == (1,)


def test_a_free_input_has_no_size(tmp_path: Path) -> None:
    """A model for any size says so, and in which steps."""
    found = read_manifest(tiny_model(tmp_path)).input
    assert found.input_hw is None
    assert found.multiple_of == 4


@pytest.mark.parametrize(
    ("was", "becomes", "path", "line"),
    [
        ("version: 1", "version: 2", "version", 1),
        ("name: some-detector", "name: Some Detector", "name", 2),
        ("role: things", "role: identities", "role", 3),
        ("file: some.onnx", "file: ../some.onnx", "file", 4),
        ("sha256: abab", "sha256: xyz0", "sha256", 5),
        ("licence: MIT", "licence: ''", "licence", 6),
        ("licence: MIT\n", "", "licence", 1),
        ("colours: BGR", "colours: GRB", "input.colours", 7),
        ("mean: [1, 2, 3]", "mean: [1, 2]", "input.mean", 7),
        ("std: [4, 5, 6]", "std: [4, 0, 6]", "input.std", 7),
        ("[N, 3, 64, 96]", "[N, 64, 96, 3]", "input.shape", 7),
        ("[N, 3, 64, 96]", "[N, 3, H, W]", "input.fit", 7),
        ("pad: 114", "pad: 256", "input.pad", 7),
        ("stride: 8}\n- {name: sides", "stride: -8}\n- {name: sides", "outputs[0].stride", 9),
        ("meaning: sides", "meaning: thoughts", "outputs", 8),
        ("name: sides", "name: scores", "outputs", 8),
        ("kind: nanodet", "kind: guess", "decode.kind", 11),
        ("report: 0.4", "report: 4", "thresholds", 12),
        ("report: 0.4", "report: true", "thresholds", 12),
        ("name: van, kind: vehicle", "name: van, kind: suspect", "classes[1].kind", 15),
        ("name: van, kind", "name: tie, kind", "classes", 13),
        ("- {name: tie, kind: carried}\n", "", "classes", 13),
        ("- {name: tie, kind: carried}\n", "- tie\n", "classes[3]", 17),
        ("kind: person", "kind: animal", "classes", 13),
        ("licence: MIT", "licence: MIT\nlisence: MIT", "lisence", 7),
        ("thresholds: {report: 0.4}", "thresholds: [0.4]", "thresholds", 12),
        ("decode: {kind: nanodet, bins: 11}", "decode: nanodet", "decode", 11),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, was: str, becomes: str, path: str, line: int) -> None:
    """Each slip is told by field and line, with what was found, what was expected and a cure."""
    assert was in DETECTOR
    manifest = written(tmp_path, DETECTOR.replace(was, becomes, 1))
    with pytest.raises(BadInput) as raised:
        read_manifest(manifest)
    problem = next(problem for problem in raised.value.problems if problem.path == path)
    assert (problem.file, problem.line) == (str(manifest), line)
    assert problem.expected
    assert problem.cure


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """A user mends a file once, not once a problem."""
    text = DETECTOR.replace("licence: MIT", "licence: 3").replace("BGR", "GRB").replace("kind: carried", "kind: worn")
    with pytest.raises(BadInput) as raised:
        read_manifest(written(tmp_path, text))
    assert [problem.path for problem in raised.value.problems] == ["licence", "input.colours", "classes[3].kind"]


@pytest.mark.parametrize(("text", "line"), [("version: [1\nname: x", 2), ("- a\n- b\n", 1), ("just a text", 1)])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str, line: int) -> None:
    """A file that is not YAML, or no mapping, is refused with its place."""
    with pytest.raises(BadInput) as raised:
        read_manifest(written(tmp_path, text))
    assert raised.value.problems[0].line == line


def test_no_manifest_stops_the_process_and_names_the_cure(tmp_path: Path) -> None:
    """A missing manifest ends a service with the command that brings it."""
    with pytest.raises(ModelMissing, match="make models") as raised:
        read_manifest(tmp_path / "none.yaml")
    assert isinstance(raised.value, Stop)


def test_golden_outputs_must_be_those_of_the_model(tmp_path: Path) -> None:
    """Golden values for another output would check nothing."""
    golden = "golden: {shape: [1, 3, 64, 96], tolerance: 0.01, outputs: [{name: a, mean: 1, std: 1, values: [1]}]}\n"
    with pytest.raises(BadInput, match="--golden"):
        read_manifest(written(tmp_path, DETECTOR + golden))
