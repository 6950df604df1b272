"""Fakes for tests: finders that say what a test tells them to, and a whole detect on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from lamplight_kit.onnx import Manifest
from lamplight_kit.seal import KeyRing
from numpy.typing import NDArray

from lamplight_detect.adapters.key_file import SigningKey
from lamplight_detect.detections import Detections
from lamplight_detect.examine import Examiner
from lamplight_detect.gate import Gate, Policy, Sealer
from lamplight_detect.handler import Detector
from lamplight_detect.releaser import Pace

Said = tuple[str, tuple[float, float, float, float], float]
"""Class, box, score."""


def detections(manifest_: Manifest, said: Sequence[Said]) -> Detections:
    """Return what a test says as Detections."""
    names = list(manifest_.class_names())
    return Detections(
        np.array([box for _, box, _ in said], np.float32).reshape(-1, 4),
        np.array([score for *_, score in said], np.float32),
        np.array([names.index(name) if names else 0 for name, *_ in said], np.int64),
    )


UPRIGHT_ALONE = Policy(turned_first=0)
"""A policy that looks at no picture turned: a fake says the same of any."""


@dataclass
class SaidFinder:
    """A finder that says `said` of whole pictures (those of `whole_hw`), nothing of parts; or raises `fault`.

    Of the picture before, mirrored, it says the same mirrored, as a model would.
    """

    manifest: Manifest
    whole_hw: tuple[int, int] = (120, 160)
    said: Sequence[Said] = ()
    fault: Callable[[], Detections] | None = None
    calls: list[tuple[int, ...]] = field(default_factory=list)
    before: NDArray[np.uint8] | None = field(default=None, repr=False)

    def find(self, picture: NDArray[np.uint8], at_least: float) -> Detections:
        """Say it."""
        self.calls.append(picture.shape)
        if self.fault is not None:
            return self.fault()
        if picture.shape[:2] != self.whole_hw:
            return Detections.none()
        said = detections(self.manifest, self.said).at_least(at_least)
        if self.before is not None and np.array_equal(picture, self.before[:, ::-1]):
            return mirrored(said, picture.shape[1])
        self.before = picture
        return said


def mirrored(found: Detections, width_px: int) -> Detections:
    """Return `found` as it lies in the mirrored picture."""
    left, top, right, bottom = found.boxes_xyxy.T
    boxes = np.stack([width_px - right, top, width_px - left, bottom], axis=1).astype(np.float32)
    return Detections(boxes, found.scores, found.class_ids)


@dataclass
class Shelf:
    """A store in memory; `is_away` makes it refuse."""

    pictures: dict[str, bytes] = field(default_factory=dict)
    fault: Exception | None = None

    def put(self, key: str, sealed_jpeg: bytes) -> None:
        """Keep a picture."""
        if self.fault is not None:
            raise self.fault
        self.pictures[key] = sealed_jpeg


@dataclass
class Room:
    """A whole detect on fakes."""

    things: SaidFinder
    faces: SaidFinder
    gate: Gate
    sealer: Sealer
    store: Shelf
    detector: Detector
    keys: KeyRing

    def looks_with(self, finder: SaidFinder) -> None:
        """Let `finder` be its model of things from now on."""
        self.things = self.gate.things = finder


def room_of(things: Manifest, faces: Manifest, key: SigningKey, policy: Policy = UPRIGHT_ALONE) -> Room:
    """Return detect on finders of these manifests that see nothing yet; it looks upright alone, unless told."""
    one, other = SaidFinder(things), SaidFinder(faces)
    gate = Gate(one, other, policy)
    sealer = Sealer(key, {"things": "0" * 64}, gate.policy.numbers())
    store, keys = Shelf(), KeyRing()
    keys.add(key.public("detect-0"))
    examiner = Examiner(gate, sealer, store, lambda days, camera, at_ns, _: f"{days}/{camera}/{at_ns}", Pace())
    return Room(one, other, gate, sealer, store, Detector(examiner), keys)


def noise(seed: int = 0, frame_hw: tuple[int, int] = (120, 160)) -> NDArray[np.uint8]:
    """Return a picture with grain in it, so that it is no card."""
    return np.random.default_rng(seed).integers(60, 200, (*frame_hw, 3), np.uint8)
