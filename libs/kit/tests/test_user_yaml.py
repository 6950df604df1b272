"""What people give us is bounded before anybody walks it."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lamplight_kit import user_yaml
from lamplight_kit.errors import BadInput, SettingsError
from lamplight_kit.onnx.yaml_reader import Reader
from lamplight_kit.rpc import Tokens
from lamplight_kit.settings import ServiceSettings
from ruamel.yaml.error import YAMLError

Kind = Literal["rt", "safe"]
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + level)}: &{chr(98 + level)} [{','.join(['*' + chr(97 + level)] * 9)}]\n" for level in range(9)
)
MERGES = "a0: &a0 {k: 1}\n" + "".join(
    f"a{level}: &a{level} {{<<: [{','.join([f'*a{level - 1}'] * 9)}]}}\n" for level in range(1, 8)
)
CLOSED = "a: " + "[[]," * 1_500 + "]" * 1_500
CHAIN = "".join(f"a{n}: &a{n} {'[' * 30}{f'*a{n - 1}' if n else ''}{']' * 30}\n" for n in range(40))
DEEP = ("a: " + "[" * 3_000, "[" * 100_000, "a: " + "[" * 100 + "]" * 100, "- " * 3_000 + "a", "{a: " * 500)


@pytest.mark.parametrize("text", [BOMB, *DEEP], ids=range(6))
@pytest.mark.parametrize("kind", ["rt", "safe"])
def test_yaml_without_bounds_is_refused(text: str, kind: str) -> None:
    """Soon, and in words."""
    with pytest.raises(YAMLError):
        user_yaml.load(text, kind)  # type: ignore[arg-type] # both kinds there are


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}"])
def test_what_holds_itself_is_refused(text: str) -> None:
    """Where a reader makes such a thing at all."""
    with pytest.raises(YAMLError):
        user_yaml.load(text, "safe")


def calls_of(text: str, kind: Kind) -> int:
    """Return how many calls of functions it takes to read `text`, or to refuse it."""
    counted = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        with suppress(YAMLError):
            user_yaml.load(text, kind)
    finally:
        sys.setprofile(before)
    return counted


@pytest.mark.parametrize("text", [MERGES, CLOSED, CHAIN], ids=["merges", "closed", "chain"])
@pytest.mark.parametrize("kind", ["rt", "safe"])
def test_bounds_come_before_the_cost(text: str, kind: Kind) -> None:
    """Refused at a cost that the length of the text bounds; the values themselves would take many times as much."""
    with pytest.raises(user_yaml.UnboundedError, match=r"(?s)copy more than|nested more than.* line \d"):
        user_yaml.load(text, kind)
    assert calls_of(text, kind) < 1_000 * len(text)


@pytest.mark.parametrize("kind", ["rt", "safe"])
def test_defaults_that_many_cameras_share_are_within_bounds(kind: Kind) -> None:
    """Their cost grows with their number, not with its square."""
    fields = ", ".join(f"f{number}: 1" for number in range(100))
    few, many = (
        f"d: &d {{{fields}}}\ncameras:\n" + "".join(f"- {{<<: *d, id: c{n}}}\n" for n in range(count))
        for count in (50, 200)
    )
    assert len(user_yaml.load(many, kind)["cameras"][-1]) == 101
    assert calls_of(many, kind) < 5 * calls_of(few, kind)


def test_an_unknown_tag_is_refused() -> None:
    """By either reader."""
    with pytest.raises(YAMLError, match="tag"):
        user_yaml.load("a: !thing {b: 1}")


@pytest.mark.parametrize(
    "value",
    ["2024-02-30", "2024-01-01 25:61:61", "!!int abc", "!!float abc", "!!bool maybe", '"\\U00110000"', "9" * 5_000,
     "0x" + "f" * 5_000, "!!int [1]", "!!timestamp x", "0x" + "f" * 260],
)  # fmt: skip
def test_a_value_that_cannot_be_made_is_a_mistake_in_the_file(tmp_path: Path, value: str) -> None:
    """With its line, and without the value where the file may hold secrets."""
    path = tmp_path / "given.yaml"
    path.write_text(f"# given\n- name: {value}\n")
    with pytest.raises(SettingsError, match=r"(?s)line 2.*mend"):
        Tokens.read(path)
    path.write_text(f"# given\nnamespace: {value}\n")
    with pytest.raises(SettingsError, match=r"(?s)line 2.*mend") as settings:
        ServiceSettings.load(path)
    assert "fff" not in str(settings.value)
    with pytest.raises(BadInput) as manifest:
        Reader.of(path)
    assert [problem.line for problem in manifest.value.problems] == [2]


@given(st.text(st.sampled_from("a1.:-_!?&*<>{}[],'\"\\\n #%0xebUu~|"), max_size=60))
def test_no_text_makes_the_reader_raise_anything_else(text: str) -> None:
    """What is no YAML is told so."""
    for kind in ("rt", "safe"):
        with suppress(YAMLError):
            user_yaml.load(text, kind)  # type: ignore[arg-type] # both kinds there are


def test_aliases_are_of_use_and_stay() -> None:
    """A zone that two cameras share."""
    found = user_yaml.load("zone: &z [[0, 0], [1, 0], [1, 1]]\none: {polygon: *z}\ntwo: {<<: {a: 1}, polygon: *z}\n")
    assert found["one"]["polygon"] == found["two"]["polygon"] == [[0, 0], [1, 0], [1, 1]]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 5_000, json.dumps([[]]).replace("[]", "[" * 80 + "]" * 80)])
def test_json_without_bounds_is_refused(text: str) -> None:
    """As any text that is no JSON."""
    with pytest.raises(ValueError, match=r"nested more than|Expecting"):
        user_yaml.load_json(text)


@pytest.mark.parametrize("digits", [1_000, 5_000])
def test_json_with_a_number_too_large_is_refused(digits: int) -> None:
    """Whether the reader itself would take it or not."""
    with pytest.raises(ValueError, match="number of"):
        user_yaml.load_json(f'{{"a": {"9" * digits}}}')


@pytest.mark.parametrize("text", [BOMB, *DEEP[:2]], ids=range(3))
def test_whoever_reads_a_file_says_so(tmp_path: Path, text: str) -> None:
    """Settings, tokens and manifests, each in its own words and with a cure."""
    path = tmp_path / "given.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match="mend"):
        ServiceSettings.load(path)
    with pytest.raises(SettingsError, match="mend"):
        Tokens.read(path)
    with pytest.raises(BadInput, match="mend"):
        Reader.of(path)
