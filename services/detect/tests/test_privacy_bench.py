"""The privacy bench: its labels, its conditions, what it counts as masked, and that it can fail."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from lamplight_detect.canary import expected
from lamplight_detect.gate import Policy
from lamplight_detect.privacy_bench import run
from lamplight_detect.privacy_bench.conditions import CONDITIONS, jpeg_loss
from lamplight_detect.privacy_bench.labels import Labelled, labelled
from lamplight_detect.privacy_bench.measure import LIMITS
from lamplight_detect.privacy_bench.rows import Limits, told
from lamplight_detect.privacy_bench.tally import Tally, masked, wilson
from lamplight_detect.testing import noise
from lamplight_kit.errors import BadInput
from lamplight_models import default_folder, missing

NO_BOXES = np.zeros((0, 4), np.float32)


def labels_of(*people: tuple[float, float, float, float]) -> Labelled:
    """Return labels of people alone."""
    return Labelled(Path("a.jpg"), np.array(people, np.float32).reshape(-1, 4), NO_BOXES, NO_BOXES)


def test_masked_means_all_of_the_top_third_and_most_of_the_rest() -> None:
    """A hole in the head counts as a miss, a strip below the knees does not."""
    box = np.array([10, 10, 30, 70], np.float32)
    mask = np.zeros((100, 100), np.bool_)
    assert not masked(mask, box)
    mask[10:65, 10:30] = True
    assert masked(mask, box)
    mask[12, 15] = False
    assert not masked(mask, box)
    mask[12, 15] = True
    mask[60:70, 10:30] = False
    assert not masked(mask, box)


def test_the_tally_counts_by_height_and_names_whom_it_missed() -> None:
    """People below 16 px are not counted; what is masked beside the people is."""
    mask = np.zeros((100, 100), np.bool_)
    mask[0:50, 0:20] = True
    tally = Tally()
    tally.add(labels_of((0, 0, 10, 50), (50, 0, 60, 20), (80, 0, 84, 10)), mask, Policy())
    assert tally.of(16) == (1, 2)
    assert tally.of(40, 80) == (1, 1)
    assert tally.of(16, 24) == (0, 1)
    assert tally.missed == ["a.jpg [50, 0, 60, 20]"]
    assert tally.over_masked == [pytest.approx(0.05)]
    rows = {str(row["name"]): row for row in told("clean", tally, LIMITS)}
    assert rows["clean: from 16 px"]["value"] == 0.5
    assert "clean: 24 to 40 px" not in rows


def test_streets_are_held_to_less() -> None:
    """Over-masking of streets and of photographs is told apart, each with its own limit."""
    mask = np.zeros((100, 100), np.bool_)
    mask[:15] = True
    tally = Tally()
    tally.add(labels_of(), mask, Policy())
    tally.add(replace(labels_of(), is_street=True), mask, Policy())
    rows = {str(row["name"]): row for row in told("clean", tally, LIMITS)}
    for name, limit in (("photographs", 0.20), ("streets", 0.10)):
        row = rows[f"clean: over-masked {name}"]
        assert (row["value"], row["limit"], row["limit_is"]) == (pytest.approx(0.15), limit, "at most")


def test_wilsons_interval_is_the_published_one() -> None:
    """81 of 263 gives 0.2553 to 0.3662 (R. G. Newcombe, 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<857)."""
    assert np.allclose(wilson(81, 263), (0.2553, 0.3662), atol=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(10, 10)[1] == pytest.approx(1.0)


@pytest.mark.parametrize("name", [name for name in CONDITIONS if name != "clean"])
def test_a_condition_changes_the_picture_and_gives_one(name: str) -> None:
    """Each gives a picture of 8 bits and three channels, also at odd sizes, and the same one twice."""
    bgr = noise(frame_hw=(61, 83))
    made = CONDITIONS[name](bgr)
    assert made.dtype == np.uint8
    assert made.ndim == 3
    assert made.shape != bgr.shape or (made != bgr).any()
    assert np.array_equal(made, CONDITIONS[name](bgr))


def test_jpegs_loss_is_what_an_encoder_loses() -> None:
    """A photograph comes out as libjpeg gives it at quality 15, within the rounding of its transforms."""
    shown = cv2.imdecode(np.frombuffer(expected()[0].data, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    bgr = shown.astype(np.uint8, copy=False)
    encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 15])[1]
    theirs = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert theirs is not None
    ours_off = np.abs(jpeg_loss(bgr).astype(int) - theirs.astype(int)).mean()
    assert ours_off < 0.25 * np.abs(bgr.astype(int) - theirs.astype(int)).mean()


def test_labels_are_read_or_every_wrong_line_is_named(tmp_path: Path) -> None:
    """Boxes are left, top, width, height; crowds are kept apart; wrong lines are told with their numbers."""
    (tmp_path / "a.jpg").write_bytes(b"x")
    boxes = [
        {"bbox": [1, 2, 3, 4], "category": "person"},
        {"bbox": [0, 0, 9, 9], "category": "person", "iscrowd": 1},
        {"bbox": [5, 5, 2, 2], "category": "car"},
        {"bbox": [5, 5, 2, 2], "category": "chair"},
    ]
    path = tmp_path / "labels.jsonl"
    path.write_text(json.dumps({"file": "a.jpg", "bboxes": boxes}) + "\n")
    found = labelled(tmp_path)[0]
    assert found.people.tolist() == [[1, 2, 4, 6]]
    assert (len(found.crowds), len(found.vehicles)) == (1, 1)
    assert (found.number, found.name, found.is_street) == (None, "a.jpg", False)
    path.write_text('{"file": "a.jpg", "picture": 7, "scene": "street", "bboxes": []}\n')
    found = labelled(tmp_path)[0]
    assert (found.number, found.name, found.is_street) == (7, "a.jpg #7", True)
    path.write_text('{"file": "a.jpg", "bboxes": []}\nno\n{"file": "b.jpg", "bboxes": []}\n')
    with pytest.raises(BadInput) as caught:
        labelled(tmp_path)
    assert [problem.line for problem in caught.value.problems] == [2, 3]
    with pytest.raises(BadInput):
        labelled(tmp_path / "none")


@pytest.mark.models
@pytest.mark.skipif(bool(missing(default_folder(os.environ))), reason="the models are not ready: run `make models`")
def test_the_bench_finds_the_canarys_people_and_misses_who_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the canary its people are masked; a label on empty ground is a miss that is named."""
    day = expected()[0]
    (tmp_path / day.name).write_bytes(day.data)
    people = [(*one.box_xyxy[:2], one.box_xyxy[2] - one.box_xyxy[0], one.height_px) for one in day.people]
    boxes = [{"bbox": box, "category": "person"} for box in [*people, (560, 420, 20, 50)]]
    (tmp_path / "labels.jsonl").write_text(json.dumps({"file": day.name, "bboxes": boxes}) + "\n")
    told_ = json.loads(json.dumps(run(tmp_path, conditions=("clean",))))
    rows = {row["name"]: row for row in told_["measures"]}
    assert rows["clean: from 16 px"]["value"] == 0.75
    assert rows["clean: 16 to 24 px"]["value"] == 1.0
    assert rows["clean: refused"]["value"] == 0
    assert "not masked: day.jpg [560, 420, 580, 470]" in capsys.readouterr().err


def test_a_vehicle_that_is_masked_whole_is_told_apart() -> None:
    """What is over-masked of a street counts with its vehicles, and in a second figure without them."""
    car = np.array([[0, 0, 40, 50]], np.float32)
    street = Labelled(Path("street.jpg"), NO_BOXES, NO_BOXES, car, is_street=True)
    mask = np.zeros((100, 100), np.bool_)
    mask[:50, :50] = True
    tally = Tally()
    tally.add(street, mask, Policy())
    assert tally.beside_vehicles == [pytest.approx(0.05)]
    assert tally.over_masked_streets[0] > 0.1
    rows = {str(row["name"]): row for row in told("clean", tally, Limits(streets=0.1))}
    assert rows["clean: over-masked streets, vehicles aside"]["limit"] is None
    assert rows["clean: over-masked streets"]["limit"] == 0.1
