"""A searched picture's masks without the picture: what a video's second pass shows it by, once all of it was seen."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field

import numpy as np
from numpy.typing import NDArray

from lamplight_detect.detections import Boxes
from lamplight_detect.gate.masks import Masks
from lamplight_detect.gate.motion import Mask
from lamplight_detect.gate.picture import GateClosed

_SHELF = object()


@dataclass(frozen=True)
class Aside:
    """Masks of the picture of this sha256, packed: about a kilobyte; `Gate.set_aside` alone makes one."""

    frame_hw: tuple[int, int]
    sha256: bytes
    mask: bytes = field(repr=False)
    solid: bytes = field(repr=False)
    counts: Mapping[str, int]
    boxes: Mapping[str, Boxes] = field(repr=False)
    scale: float
    shelf: InitVar[object]

    def __post_init__(self, shelf: object) -> None:
        """Refuse to be made anywhere but in the gate."""
        if shelf is not _SHELF:
            message = "an Aside made by hand found; only the privacy gate makes one"
            raise TypeError(message)


def aside_of(bgr: NDArray[np.uint8], masks: Masks) -> Aside:
    """Return the masks of `bgr` to set aside."""
    frame_hw = bgr.shape[0], bgr.shape[1]
    mask, solid = _packed(masks.mask), _packed(masks.solid)
    return Aside(frame_hw, _sha256(bgr), mask, solid, masks.counts, masks.boxes, masks.scale, _SHELF)


def masks_of(aside: Aside, bgr: NDArray[np.uint8]) -> Masks:
    """Return the masks that were set aside; GateClosed where `bgr` is not the picture that they are of."""
    if not isinstance(aside, Aside) or aside.frame_hw != bgr.shape[:2] or aside.sha256 != _sha256(bgr):
        message = "another picture than the one that was searched found, the very same one expected"
        raise GateClosed(message)
    mask, solid = (_unpacked(one, aside.frame_hw) for one in (aside.mask, aside.solid))
    return Masks(mask, solid, aside.counts, aside.boxes, aside.scale)


def _sha256(bgr: NDArray[np.uint8]) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(bgr).data).digest()


def _packed(mask: Mask) -> bytes:
    return zlib.compress(np.packbits(mask).tobytes(), 1)


def _unpacked(packed: bytes, frame_hw: tuple[int, int]) -> Mask:
    bits = np.unpackbits(np.frombuffer(zlib.decompress(packed), np.uint8), count=frame_hw[0] * frame_hw[1])
    return bits.reshape(frame_hw).astype(np.bool_)
