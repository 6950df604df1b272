"""CenterNet: people, by another family of detector (https://github.com/610265158/mobilenetv3_centernet).

Its authors published no licence, so it measures here and nothing else loads it: its role, measuring, is one that the
gate refuses. At stride 4: scores [1, 128, 128, 80] and sides (l, t, r, b) in pixels; a box for each cell that is the
largest of its 3 x 3.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from lamplight_kit.onnx import Session, read_manifest
from numpy.typing import NDArray

from lamplight_detect.decode import decode_still
from lamplight_detect.detections import Boxes, Detections, clip, suppress
from lamplight_detect.models.letterbox import letterbox, tensor_of
from lamplight_detect.privacy_bench.outside.find import Find

NAME = "centernet"
PERSON = 0
LEAST_SCORE = 0.3
SAME_IOU = 0.5
STRIDE = 4


def made_ready(folder: Path | None) -> Path:
    """Return the model's manifest, made ready in `folder` (the default one where None) if it is not there yet."""
    from lamplight_models import default_folder, ensure  # noqa: PLC0415 - what fetches models; only this bench needs it
    from lamplight_models.progress import telling  # noqa: PLC0415 - as above

    with telling(sys.stderr) as tell:
        return ensure(folder or default_folder(os.environ), [NAME], tell)[NAME]


class CenterNet:
    """An `Outside` detector of people."""

    def __init__(self, manifest: Path) -> None:
        """Load the model."""
        self._session = Session(read_manifest(manifest))

    def finds(self, jpeg: bytes) -> Sequence[Find]:
        """Return the people it finds in a redacted picture."""
        bgr = decode_still(jpeg)
        spec = self._session.manifest.input
        canvas, fit = letterbox(bgr, (512, 512), spec.pad)
        outputs = self._session.run(tensor_of(canvas, spec))
        found = people(outputs["heatmap"][0, :, :, PERSON], outputs["sides"][0])
        boxes = clip(fit.back(found.boxes_xyxy), (bgr.shape[0], bgr.shape[1]))
        return [Find(NAME, float(score), _four(box)) for box, score in zip(boxes, found.scores, strict=True)]

    def close(self) -> None:
        """Hold nothing."""


def people(heat: NDArray[np.float32], sides: NDArray[np.float32]) -> Detections:
    """Return boxes of `heat` [rows, columns] and `sides` [rows, columns, 4], in pixels of the model's input."""
    peaks = (heat == cv2.dilate(heat, np.ones((3, 3), np.uint8))) & (heat >= LEAST_SCORE)
    down, across = np.nonzero(peaks)
    left, top, right, bottom = sides[down, across].T
    centre_x, centre_y = (across * STRIDE).astype(np.float32), (down * STRIDE).astype(np.float32)
    boxes: Boxes = np.stack([centre_x - left, centre_y - top, centre_x + right, centre_y + bottom], axis=1)
    return suppress(Detections(boxes, heat[down, across], np.zeros(len(down), np.int64)), SAME_IOU)


def _four(box: NDArray[np.float32]) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(side) for side in box)
    return left, top, right, bottom
