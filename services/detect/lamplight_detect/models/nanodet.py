"""NanoDet: things, vehicles and people.

Per stride: scores [cells, classes] (already sigmoid) and sides [cells, 4 x bins]; a side's distance is the mean of
0 … bins-1 under the softmax of its bins, in strides, from the cell's centre (i + 0.5) x stride
(Generalized Focal Loss, https://arxiv.org/abs/2006.04388; https://github.com/RangiLyu/nanodet).
"""

from __future__ import annotations

import numpy as np
from lamplight_kit.onnx import Kind, Manifest
from numpy.typing import NDArray

from lamplight_detect.detections import Boxes, Detections, suppress
from lamplight_detect.models.finder import MAX_BOXES, ModelFault, Session, believable, output_of, scores_of
from lamplight_detect.models.letterbox import Bgr, letterbox, tensor_of

OTHERS_AT_LEAST = 0.1
"""People alone are searched below this score; of all else it would be noise."""


class NanoDet:
    """A `Finder` of the manifest's classes."""

    def __init__(self, session: Session) -> None:
        """Use `session`, whose manifest decodes as `nanodet`; ModelFault where it does not."""
        manifest = session.manifest
        if manifest.decode.kind != "nanodet" or manifest.input.input_hw is None:
            message = f"model {manifest.name} ({manifest.decode.kind}) found, one that decodes as nanodet expected"
            raise ModelFault(message)
        self._session = session
        self._input_hw = manifest.input.input_hw
        self._levels = _levels(manifest, self._input_hw)
        is_person = np.array([entry.kind == Kind.PERSON for entry in manifest.classes], np.bool_)
        self._least = np.where(is_person, 0, OTHERS_AT_LEAST).astype(np.float32)

    @property
    def manifest(self) -> Manifest:
        """The model's manifest."""
        return self._session.manifest

    def find(self, picture: Bgr, at_least: float) -> Detections:
        """Return what is seen in `picture` with a score of `at_least`, suppressed within each class."""
        spec = self.manifest.input
        canvas, fit = letterbox(picture, self._input_hw, spec.pad)
        outputs = self._session.run(tensor_of(canvas, spec))
        found = self._decode(outputs, at_least)
        back = Detections(fit.back(found.boxes_xyxy), found.scores, found.class_ids)
        return believable(back, (picture.shape[0], picture.shape[1]))

    def _decode(self, outputs: dict[str, NDArray[np.float32]], at_least: float) -> Detections:
        numbers = self.manifest.decode.numbers
        bins, classes = int(numbers["bins"]), len(self.manifest.classes)
        least = np.maximum(self._least, np.float32(at_least))
        lowest = least.min()
        parts = []
        for scores_name, sides_name, stride, centres in self._levels:
            scores = scores_of(outputs, scores_name, (len(centres), classes))
            sides = output_of(outputs, sides_name, (len(centres), 4 * bins))
            places = np.flatnonzero(scores >= lowest)  # one number for all is less work than one for each
            cells, class_ids = np.divmod(places[scores.ravel()[places] >= least[places % classes]], classes)
            boxes = _boxes(sides[cells].reshape(-1, 4, bins), centres[cells], stride)
            parts.append(Detections(boxes, scores[cells, class_ids], class_ids.astype(np.int64)))
        found = Detections.joined(parts)
        surest = np.argsort(-found.scores, kind="stable")[:MAX_BOXES]
        return suppress(found.where(surest), numbers["nms_iou"])


def _boxes(bins: NDArray[np.float32], centres: NDArray[np.float32], stride: int) -> Boxes:
    """Return boxes [N, 4] of side logits [N, 4, bins] around `centres` [N, 2]."""
    weights = np.exp(bins - bins.max(axis=2, keepdims=True)) if len(bins) else bins
    weights = weights / weights.sum(axis=2, keepdims=True)
    sides = (weights @ np.arange(bins.shape[2], dtype=np.float32)) * np.float32(stride)
    return np.concatenate([centres - sides[:, :2], centres + sides[:, 2:]], axis=1).astype(np.float32)


def _levels(manifest: Manifest, input_hw: tuple[int, int]) -> list[tuple[str, str, int, NDArray[np.float32]]]:
    """Return names of scores and sides, stride, and cell centres [cells, 2] of each level, finest first."""
    by_stride: dict[int, dict[str, str]] = {}
    for output in manifest.outputs:
        if output.stride is not None:
            by_stride.setdefault(output.stride, {})[output.meaning] = output.name
    levels = []
    for stride, named in sorted(by_stride.items()):
        if named.keys() < {"scores", "sides"}:
            message = (
                f"model {manifest.name}: outputs {sorted(named)} at stride {stride} found, scores and sides expected"
            )
            raise ModelFault(message)
        rows, columns = -(-input_hw[0] // stride), -(-input_hw[1] // stride)
        down, across = np.mgrid[:rows, :columns].astype(np.float32)
        centres = (np.stack([across.ravel(), down.ravel()], axis=1) + np.float32(0.5)) * np.float32(stride)
        levels.append((named["scores"], named["sides"], stride, centres))
    return levels
