"""`labels.jsonl`: who and what is in which picture of a folder, in COCO's terms."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from lamplight_kit.errors import BadInput, Problem

from lamplight_detect.detections import Boxes

NAME = "labels.jsonl"
PERSON = "person"
STREET = "street"
PLATED = frozenset({"car", "motorcycle", "bus", "truck"})


@dataclass(frozen=True)
class Labelled:
    """One picture's labels: boxes [N, 4] of people, of crowds that nobody counted, and of vehicles with plates.

    `number` is the picture's in a video, from 0; None where the file is a picture itself. `is_street` is what a camera
    over a street gives, anything else is a photograph.
    """

    path: Path
    people: Boxes
    crowds: Boxes
    vehicles: Boxes
    number: int | None = None
    is_street: bool = False

    def scaled(self, scale: float) -> Labelled:
        """Return the labels of the picture at another size."""
        return replace(self, people=self.people * scale, crowds=self.crowds * scale, vehicles=self.vehicles * scale)

    @property
    def name(self) -> str:
        """What the picture is called in what is told."""
        return self.path.name if self.number is None else f"{self.path.name} #{self.number}"


def labelled(folder: Path) -> list[Labelled]:
    """Return what `folder`/labels.jsonl says; raises BadInput with every line that is not as it must be."""
    path = folder / NAME
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        cure = "write one; docs/privacy.md shows how"
        raise BadInput((Problem("", str(error.strerror), "a file of labels", cure, str(path), 0),)) from None
    found: list[Labelled] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(_labelled(folder, json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                said = f"{type(error).__name__}: {error}"
                problems.append(Problem("", said[:60], _FORM, "correct the line", str(path), number))
    if problems or not found:
        raise BadInput(tuple(problems) or (Problem("", "no line", _FORM, "add one a picture", str(path), 0),))
    return found


_Corners = tuple[float, float, float, float]
_FORM = '{"file": NAME, "bboxes": [{"bbox": [left, top, width, height], "category": NAME}]}'


def _labelled(folder: Path, entry: Mapping[str, Any]) -> Labelled:
    path = folder / entry["file"]
    if not path.is_file():
        message = f"{entry['file']} is no file of the folder"
        raise ValueError(message)
    people: list[_Corners] = []
    crowds: list[_Corners] = []
    vehicles: list[_Corners] = []
    for box in entry["bboxes"]:
        left, top, width, height = (float(side) for side in box["bbox"])
        corners = (left, top, left + width, top + height)
        if box["category"] == PERSON:
            (crowds if box.get("iscrowd") else people).append(corners)
        elif box["category"] in PLATED:
            vehicles.append(corners)
    number = None if entry.get("picture") is None else int(entry["picture"])
    is_street = entry.get("scene") == STREET
    return Labelled(path, _boxes(people), _boxes(crowds), _boxes(vehicles), number, is_street)


def _boxes(corners: Sequence[_Corners]) -> Boxes:
    return np.array(corners, np.float32).reshape(-1, 4)
