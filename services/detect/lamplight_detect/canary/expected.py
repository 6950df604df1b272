"""What the canary's pictures show and what models answer to them: package data, made by tests/canary_maker.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from lamplight_kit.onnx.manifest import GoldenOutput
from numpy.typing import NDArray

GRID = 4
"""Colours are compared as means of a grid of so many rows and columns."""


@dataclass(frozen=True)
class Person:
    """Somebody in a canary's picture, and the pass that must find them: `whole` or `tiles`."""

    height_px: int
    box_xyxy: tuple[float, float, float, float]
    found_by: str


@dataclass(frozen=True)
class Portrait:
    """One encoded picture of the canary with what it shows.

    `colours` [GRID, GRID, 3] are means, blue first; `golden` are outputs of a model's first call on it, by the
    model's sha256.
    """

    name: str
    data: bytes
    people: tuple[Person, ...]
    colours: NDArray[np.float64]
    golden: Mapping[str, tuple[GoldenOutput, ...]]


Expected = tuple[Portrait, ...]


def expected() -> Expected:
    """Return the canary's pictures: one by day, one grey as infrared."""
    folder = files("lamplight_detect.canary")
    told = json.loads(folder.joinpath("canary.json").read_text(encoding="utf-8"))
    return tuple(_portrait(entry, folder.joinpath(entry["file"]).read_bytes()) for entry in told["pictures"])


def colours_of(bgr: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean colours [GRID, GRID, 3] of a picture's parts."""
    rows = np.array_split(bgr, GRID, axis=0)
    parts = [[part.mean(axis=(0, 1)) for part in np.array_split(row, GRID, axis=1)] for row in rows]
    return np.array(parts, np.float64)


def _portrait(entry: Mapping[str, Any], data: bytes) -> Portrait:
    people = tuple(Person(one["height_px"], tuple(one["box_xyxy"]), one["found_by"]) for one in entry["people"])
    golden = {sha256: tuple(_golden(one) for one in outputs) for sha256, outputs in entry["golden"].items()}
    return Portrait(entry["file"], data, people, np.array(entry["colours"], np.float64), golden)


def _golden(entry: Mapping[str, Any]) -> GoldenOutput:
    return GoldenOutput(entry["name"], entry["mean"], entry["std"], tuple(entry["values"]))
