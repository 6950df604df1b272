"""What people give us is bounded before anybody walks it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lamplight_kit import user_yaml
from lamplight_kit.errors import BadInput, SettingsError
from lamplight_kit.onnx.yaml_reader import Reader
from lamplight_kit.rpc import Tokens
from lamplight_kit.settings import ServiceSettings
from ruamel.yaml.error import YAMLError

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + level)}: &{chr(98 + level)} [{','.join(['*' + chr(97 + level)] * 9)}]\n" for level in range(9)
)
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


def test_aliases_are_of_use_and_stay() -> None:
    """A zone that two cameras share."""
    found = user_yaml.load("zone: &z [[0, 0], [1, 0], [1, 1]]\none: {polygon: *z}\ntwo: {<<: {a: 1}, polygon: *z}\n")
    assert found["one"]["polygon"] == found["two"]["polygon"] == [[0, 0], [1, 0], [1, 1]]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 5_000, json.dumps([[]]).replace("[]", "[" * 80 + "]" * 80)])
def test_json_without_bounds_is_refused(text: str) -> None:
    """As any text that is no JSON."""
    with pytest.raises(ValueError, match=r"nested more than|Expecting"):
        user_yaml.load_json(text)


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
