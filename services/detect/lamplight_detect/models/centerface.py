"""CenterFace: where a face may be, and nothing about it (https://github.com/Star-Clouds/CenterFace).

At stride 4: heatmap, log size (h, w) and offset (y, x); box side = exp(log size) x 4 about the cell's centre.
"""

from __future__ import annotations

import math

import numpy as np
from lamplight_kit.onnx import Manifest
from numpy.typing import NDArray

from lamplight_detect.detections import Detections, suppress
from lamplight_detect.models.finder import MAX_BOXES, ModelFault, Session, believable, output_of, scores_of
from lamplight_detect.models.letterbox import Bgr, padded, tensor_of

FACE = 0
"""The one class id of what it finds."""


class CenterFace:
    """A `Finder` of faces that looks at the picture `scale` times enlarged, but at no more than `max_px` pixels."""

    def __init__(self, session: Session, scale: float = 2.0, max_px: int = 1_800_000) -> None:
        """Use `session`, whose manifest decodes as `centerface`; ModelFault where it does not."""
        manifest = session.manifest
        if manifest.decode.kind != "centerface":
            message = f"model {manifest.name} ({manifest.decode.kind}) found, one that decodes as centerface expected"
            raise ModelFault(message)
        self._session = session
        self._names = {output.meaning: output.name for output in manifest.outputs}
        self._stride = next((output.stride for output in manifest.outputs if output.stride), 4)
        self._scale, self._max_px = scale, max_px

    @property
    def manifest(self) -> Manifest:
        """The model's manifest."""
        return self._session.manifest

    def find(self, picture: Bgr, at_least: float) -> Detections:
        """Return faces in `picture` with a score of `at_least`."""
        spec = self.manifest.input
        height, width = picture.shape[:2]
        scale = min(self._scale, math.sqrt(self._max_px / (height * width)))
        size_hw = max(1, round(height * scale)), max(1, round(width * scale))
        canvas, fit = padded(picture, size_hw, spec.multiple_of, spec.pad)
        outputs = self._session.run(tensor_of(canvas, spec))
        found = self._decode(outputs, (canvas.shape[0], canvas.shape[1]), at_least)
        back = Detections(fit.back(found.boxes_xyxy), found.scores, found.class_ids)
        return believable(back, (height, width))

    def _decode(
        self, outputs: dict[str, NDArray[np.float32]], input_hw: tuple[int, int], at_least: float
    ) -> Detections:
        stride = self._stride
        rows, columns = input_hw[0] // stride, input_hw[1] // stride
        heat = scores_of(outputs, self._names["heatmap"], (1, rows, columns))[0]
        log_size = output_of(outputs, self._names["log_size"], (2, rows, columns))
        offset = output_of(outputs, self._names["offset"], (2, rows, columns))
        down, across = np.nonzero(heat >= at_least)
        order = np.argsort(-heat[down, across], kind="stable")[:MAX_BOXES]
        down, across = down[order], across[order]
        with np.errstate(over="ignore"):
            size = np.exp(log_size[:, down, across]) * stride
        centre_y = (down + offset[0, down, across] + 0.5) * stride
        centre_x = (across + offset[1, down, across] + 0.5) * stride
        boxes = np.stack(
            [centre_x - size[1] / 2, centre_y - size[0] / 2, centre_x + size[1] / 2, centre_y + size[0] / 2], axis=1
        ).astype(np.float32)
        faces = Detections(boxes, heat[down, across], np.full(len(down), FACE, np.int64))
        return suppress(faces, self.manifest.decode.numbers["nms_iou"])
