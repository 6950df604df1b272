"""A ground as it is kept over a restart: a picture that the gate redacted and sealed, and nothing else of it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from lamplight.seal.v1 import seal_pb2
from numpy.typing import NDArray

from lamplight_detect.background.cells import small_of
from lamplight_detect.background.ground import NS_PER_MIN, SIGHTINGS, Ground
from lamplight_detect.change import small_luma
from lamplight_detect.gate import Recent, View
from lamplight_detect.gate.motion import Mask
from lamplight_detect.gate.picture import GRID_PX

CELLS_PX = 8
SAME_PROPORTION = 0.02


def shown(ground: Ground, at_ns: int) -> tuple[View, Recent] | None:
    """Return the ground as the gate takes a picture, and what must stay masked in it: all that may not fill.

    None where it is not valid, or where its small copies are of two sizes.
    """
    view = View(ground.colour, small_luma(ground.colour), at_ns)
    if not ground.is_valid or view.luma.shape != ground.grey.shape:
        return None
    return view, Recent(unexplained=~ground.may_fill)


def ground_of(
    bgr: NDArray[np.uint8], attestation: seal_pb2.Attestation, frame_hw: tuple[int, int], at_ns: int, ripe_min: int
) -> Ground | None:
    """Return the ground that a kept picture shows of frames of `frame_hw`, ripe where it was not masked.

    A large picture leaves smaller than it was, so that a smaller one is taken; None where it is of another proportion.
    """
    hw = bgr.shape[0], bgr.shape[1]
    empty = Ground.empty(small_luma(np.zeros((*frame_hw, 3), np.uint8)), frame_hw, at_ns, ripe_min)
    hidden = _hidden(attestation, hw)
    if hidden is None or abs(hw[0] * frame_hw[1] / (hw[1] * frame_hw[0]) - 1) > SAME_PROPORTION:
        return None
    height, width = empty.colour.shape[:2]
    colour = cv2.resize(bgr, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    luma = small_luma(colour)
    if hw[0] > height or luma.shape != empty.grey.shape:
        return None
    masked = small_of(hidden, hw, luma.shape)
    clear = cv2.dilate(masked.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    count = np.where(clear, SIGHTINGS, 0).astype(np.uint8)
    began_ns = at_ns - (ripe_min + 1) * NS_PER_MIN
    last = ripe_min + 1
    return replace(empty, began_ns=began_ns, grey=luma, count=count, ripe=clear, colour=colour, learnt_min=last)


def _hidden(attestation: seal_pb2.Attestation, hw: tuple[int, int]) -> Mask | None:
    """Return the attested mask on 8-pixel cells; None where it does not fit the picture."""
    rows, columns = attestation.grid_rows, attestation.grid_columns
    if (rows, columns) != (-(-hw[0] // GRID_PX), -(-hw[1] // GRID_PX)) or len(
        attestation.mask_grid
    ) * 8 < rows * columns:
        return None
    bits = np.unpackbits(np.frombuffer(attestation.mask_grid, np.uint8), count=rows * columns)
    twice = GRID_PX // CELLS_PX
    spread = np.repeat(np.repeat(bits.reshape(rows, columns).astype(np.bool_), twice, axis=0), twice, axis=1)
    return spread[: -(-hw[0] // CELLS_PX), : -(-hw[1] // CELLS_PX)]
