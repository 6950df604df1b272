"""What people write by mistake, or to do harm, ends in a sentence with the value and the cure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from lamplight_cli.commands.camera import command
from lamplight_cli.files.cameras import read_cameras
from lamplight_cli.files.destinations import read_destinations
from lamplight_cli.files.rules import read_rules
from lamplight_kit.errors import BadInput

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + level)}: &{chr(98 + level)} [{','.join(['*' + chr(97 + level)] * 9)}]\n" for level in range(9)
)


def wrong(path: Path, text: str) -> str:
    """Return what is said of cameras in a file with this text."""
    path.write_text(text)
    with pytest.raises(BadInput) as refused:
        read_cameras(path)
    return str(refused.value)


def test_an_id_that_stands_twice_is_named(tmp_path: Path) -> None:
    """With the line of the first."""
    said = wrong(tmp_path / "c.csv", "id,source\nquay,rtsp://10.0.0.1/x\nquay,rtsp://10.0.0.1/y\n")
    assert "c.csv:3: row: 'quay' found" in said
    assert "line 2 has this one" in said


@pytest.mark.parametrize("host", ["h ", " h", "h,g", "a{b}", "<camera>"])
def test_a_host_holds_no_spaces_and_signs(tmp_path: Path, host: str) -> None:
    """It is refused before anybody looks it up."""
    text = f'version: 1\ncameras: [{{id: quay, source: "rtsp://{host}/y"}}]\n'
    assert "take spaces and signs out of the host" in wrong(tmp_path / "c.yaml", text)


@pytest.mark.parametrize("text", [BOMB, "a: " + "[" * 3_000], ids=["aliases", "deep"])
def test_a_file_without_bounds_is_told_so(tmp_path: Path, text: str) -> None:
    """Whichever file it is; soon, and without a traceback."""
    path = tmp_path / "given.yaml"
    path.write_text(text)
    for read in (read_cameras, read_rules, read_destinations):
        with pytest.raises(BadInput, match="mend the line"):
            read(path)


@pytest.mark.parametrize("features", ["[" * 100_000, "9" * 5_000, json.dumps([[]]).replace("[]", "[" * 80 + "]" * 80)])
def test_a_map_without_bounds_is_told_so(tmp_path: Path, features: str) -> None:
    """Nested or long beyond what a map is."""
    said = wrong(tmp_path / "c.geojson", '{"type": "FeatureCollection", "features": ' + features + "}")
    assert "JSON expected" in said
    assert "sys." not in said


@pytest.mark.parametrize("source", ["", "  "])
def test_nothing_is_not_probed(source: str) -> None:
    """It would be the folder where one stands."""
    done = CliRunner().invoke(command, ["probe", source])
    assert done.exit_code == 2
    assert "nothing found, an address expected; write" in done.output
