"""What a first pass saw, bound to the picture that it saw it in: no caller can hand the gate another."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field

import numpy as np
from numpy.typing import NDArray

from lamplight_detect.detections import Detections
from lamplight_detect.gate.picture import GateClosed

_EYE = object()


@dataclass(frozen=True)
class Look(Detections):
    """The first pass over `seen_in` [H, W, 3]; `Gate.look` alone makes one."""

    seen_in: NDArray[np.uint8] = field(repr=False, compare=False)
    eye: InitVar[object]

    def __post_init__(self, eye: object) -> None:
        """Refuse to be made anywhere but in the gate."""
        if eye is not _EYE:
            message = "a Look made by hand found; only the privacy gate makes one"
            raise TypeError(message)
        super().__post_init__()


def looked(found: Detections, bgr: NDArray[np.uint8]) -> Look:
    """Return `found` as what was seen in `bgr`, which nobody may change from here on."""
    bgr.flags.writeable = False
    return Look(found.boxes_xyxy, found.scores, found.class_ids, bgr, _EYE)


def seen_by(whole: Look, bgr: NDArray[np.uint8]) -> Detections:
    """Return what `whole` holds; GateClosed where it was not seen in `bgr`."""
    if not isinstance(whole, Look) or whole.seen_in is not bgr:
        message = "a first pass over another picture found, one over this very picture expected"
        raise GateClosed(message)
    return Detections(whole.boxes_xyxy, whole.scores, whole.class_ids)
