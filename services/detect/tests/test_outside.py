"""Outside detectors look at what has left, and are part of nothing else."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from lamplight_detect.detections import Detections
from lamplight_detect.gate import Gate, GateClosed, Policy
from lamplight_detect.gate.masks import redact
from lamplight_detect.gate.picture import RedactedPicture
from lamplight_detect.privacy_bench.labels import Labelled
from lamplight_detect.privacy_bench.outside import Find
from lamplight_detect.privacy_bench.outside.blazeface_runner import tiles
from lamplight_detect.privacy_bench.outside.centernet import people
from lamplight_detect.privacy_bench.outside.find import explained
from lamplight_detect.privacy_bench.outside.looking import Looking
from lamplight_detect.privacy_bench.rows import Limits, told
from lamplight_detect.privacy_bench.tally import Tally
from lamplight_detect.redact import Redactor
from lamplight_detect.testing import Room, SaidFinder, noise
from lamplight_models import manifest

ROOT = Path(__file__).parents[3]
OUTSIDE = ROOT / "services" / "detect" / "lamplight_detect" / "privacy_bench" / "outside"
NO_BOXES = np.zeros((0, 4), np.float32)


def released(scale: float = 1.0) -> RedactedPicture:
    """Return a picture with one person masked."""
    return redact(noise(), {"person": np.array([[10, 10, 30, 60]], np.float32)}, None, None, scale)


def labels_of(*people_xyxy: tuple[float, ...], crowds: np.ndarray = NO_BOXES) -> Labelled:
    """Return labels of people and crowds."""
    return Labelled(Path("a.jpg"), np.array(people_xyxy, np.float32).reshape(-1, 4), crowds, NO_BOXES)


@pytest.mark.parametrize(
    ("box", "others"),
    [
        ((12, 10, 28, 50), 0),
        ((60, 20, 80, 70), 0),
        ((100, 30, 106, 40), 0),
        ((120, 80, 150, 110), 0),
        ((60, 80, 80, 110), 1),
        ((28, 10, 48, 60), 1),
    ],
    ids=["a mask", "a counted miss", "too small to count", "a crowd", "somebody", "beside a mask"],
)
def test_what_is_found_outside_is_explained_or_told(box: tuple[float, float, float, float], others: int) -> None:
    """Finds on masks, and on whom the labels hold to be missed, are explained; any other is told."""
    crowds = np.array([[115, 75, 155, 115]], np.float32)
    labels = labels_of((10, 10, 30, 60), (60, 20, 80, 70), (100, 30, 106, 40), crowds=crowds)
    found = explained([Find("x", 0.9, box)], released(), labels)
    assert len(found.others) == others
    assert found.of_masks + found.of_counted == 1 - others


def test_what_is_found_is_told_in_pixels_of_what_came() -> None:
    """A picture that leaves at half its size is searched at half its size."""
    found = explained([Find("x", 0.9, (30, 40, 40, 55))], released(0.5), labels_of())
    assert found.others[0].box_xyxy == (60, 80, 80, 110)


class Seer:
    """An outside detector that sees somebody in the picture's corner."""

    def finds(self, jpeg: bytes) -> Sequence[Find]:
        """Return it."""
        assert jpeg.startswith(b"\xff\xd8")
        return [Find("seer", 0.7, (100, 80, 120, 110))]

    def close(self) -> None:
        """Hold nothing."""


def test_a_find_breaks_the_limit_and_is_kept_where_asked(room: Room, tmp_path: Path) -> None:
    """It is named with its picture; its part of the redacted picture is sealed, and kept only where asked."""
    redactor = Redactor(room.gate, room.sealer, lambda _path: pytest.fail("no video here"))
    tally = Tally()
    Looking(redactor, [Seer()], None, "clean").look(released(), labels_of(), tally)
    assert tally.found_outside == ["seer 0.70 at [100, 80, 120, 110] in a.jpg"]
    assert list(tmp_path.iterdir()) == []
    Looking(redactor, [Seer()], tmp_path / "crops", "clean").look(released(), labels_of(), tally)
    assert [path.name for path in (tmp_path / "crops").iterdir()] == ["clean-002-a-seer.jpg"]
    tally.over_masked.append(0.1)
    row = {str(one["name"]): one for one in told("clean", tally, Limits(), is_outside=True)}["clean: found outside"]
    assert (row["value"], row["limit"], row["limit_is"]) == (2, 0, "at most")


def test_centernets_boxes_are_of_its_peaks() -> None:
    """A box for each cell that is the largest of its nine: centre at 4 x cell, sides as told."""
    heat = np.zeros((128, 128), np.float32)
    heat[20, 30], heat[20, 31], heat[90, 40] = 0.8, 0.5, 0.29
    found = people(heat, np.full((128, 128, 4), 10, np.float32))
    assert isinstance(found, Detections)
    assert found.boxes_xyxy.tolist() == [[110, 70, 130, 90]]


def test_faces_are_looked_for_in_tiles_that_cover_the_picture() -> None:
    """Four tiles that overlap, to the last pixel."""
    assert {(top + rows, left + columns) for top, left, rows, columns in tiles(100, 170)} >= {(100, 170)}
    assert tiles(100, 170)[0][:2] == (0, 0)


def test_the_gate_takes_no_model_for_measuring(room: Room) -> None:
    """CenterNet's role is one that neither place in the gate takes."""
    measuring = SaidFinder(manifest("centernet"))
    for things, faces in ((measuring, room.faces), (room.things, measuring)):
        with pytest.raises(GateClosed, match="role"):
            Gate(things, faces, Policy())


def test_nothing_but_the_bench_knows_of_outside_detectors() -> None:
    """No module of any service names CenterNet, BlazeFace or their package, save the bench that measures with them."""
    looking = {OUTSIDE.parent / "measure.py", OUTSIDE.parent / "videos.py"}
    named = set()
    for path in (ROOT / "services").glob("*/lamplight_*/**/*.py"):
        if path.is_relative_to(OUTSIDE) or path in looking:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            told = [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []
            told += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            told += [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            if any(word in one.lower() for one in told for word in ("centernet", "blazeface", "privacy_bench.outside")):
                named.add(str(path.relative_to(ROOT)))
    assert named == set()
