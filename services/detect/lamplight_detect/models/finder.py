"""What the rest of detect knows of a detector: a picture in, `Detections` out, and how sure it may be of them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from lamplight_kit.errors import Refuse
from lamplight_kit.onnx import Manifest
from numpy.typing import NDArray

from lamplight_detect.detections import Detections, area, clip
from lamplight_detect.models.letterbox import Bgr

MAX_BOXES = 400
"""More boxes than this say nothing more; the surest are kept."""
SLACK = 1.0
"""A box may reach this many sides of the picture beyond its edge before the model is held to be broken."""


class ModelFault(Refuse):
    """A model answered what no working model answers; nothing may be concluded from it."""


class Session(Protocol):
    """A loaded model (`lamplight_kit.onnx.Session`, or a fake)."""

    @property
    def manifest(self) -> Manifest:
        """What it is and wants."""
        ...

    def run(self, tensor: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run it on `tensor` and return its outputs by name."""
        ...


class Finder(Protocol):
    """Finds boxes in a picture."""

    @property
    def manifest(self) -> Manifest:
        """The model's manifest: what its class ids mean."""
        ...

    def find(self, picture: Bgr, at_least: float) -> Detections:
        """Return what is seen with a score of `at_least`, boxes within the picture; raises `Refuse` at any fault."""
        ...


def output_of(outputs: dict[str, NDArray[np.float32]], name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the output `name` without its axis N; ModelFault unless it is finite and of `shape`."""
    found = outputs.get(name)
    if found is None or found.shape != (1, *shape):
        shapes = None if found is None else list(found.shape)
        message = f"model output {name} of shape {shapes} found, {[1, *shape]} expected; run `lamplight doctor`"
        raise ModelFault(message)
    if not np.isfinite(found.sum()):  # one pass: a NaN or an infinity anywhere makes the sum one
        message = f"NaN or infinity in model output {name} found, numbers expected; run `lamplight doctor`"
        raise ModelFault(message)
    first: NDArray[np.float32] = found[0]
    return first


def scores_of(outputs: dict[str, NDArray[np.float32]], name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the scores of output `name` as `output_of` does; ModelFault also where all of them are one value.

    A spoilt session says the same everywhere: that is no street where nobody is.
    """
    found = output_of(outputs, name, shape)
    if found.size > 1 and found.min() == found.max():
        message = f"{found.flat[0]:.3g} in all of model output {name} found, scores that differ expected"
        raise ModelFault(f"{message}; run `lamplight doctor`")
    return found


def believable(found: Detections, frame_hw: tuple[int, int]) -> Detections:
    """Return `found` clipped to the picture, without empty boxes.

    Raises ModelFault for scores beyond 0 to 1 and for boxes that no working model gives: not finite, or reaching
    farther beyond the picture than the picture is large.
    """
    height, width = frame_hw
    reach = SLACK * max(height, width)
    boxes, scores = found.boxes_xyxy, found.scores
    outside = (boxes < -reach) | (boxes > np.array([width, height] * 2, np.float32) + reach)
    if not np.isfinite(boxes).all() or not np.isfinite(scores).all() or outside.any():
        message = f"boxes far outside a picture of {width}x{height} found, boxes within it expected; see the model"
        raise ModelFault(message)
    if ((scores < 0) | (scores > 1)).any():
        message = f"scores up to {scores.max():.3g} found, 0 to 1 expected; the model is of another kind"
        raise ModelFault(message)
    clipped = Detections(clip(boxes, frame_hw), scores, found.class_ids)
    return clipped.where(area(clipped.boxes_xyxy) > 0)
