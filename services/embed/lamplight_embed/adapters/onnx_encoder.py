"""The encoder: a model of the role `embedder`, by its manifest, through onnxruntime."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from lamplight_kit.errors import Stop
from lamplight_kit.onnx import Manifest, Role, Session, check_golden, read_manifest, to_tensor
from numpy.typing import NDArray

from lamplight_embed.model import Vector
from lamplight_embed.vectors import normalised


class OnnxEncoder:
    """An `Encoder`; masked areas stay as the gate painted them, see docs/decisions/0070."""

    def __init__(self, manifest_path: Path) -> None:
        """Open the model that `manifest_path` names and check its golden outputs; `Stop` says what does not fit."""
        manifest = read_manifest(manifest_path)
        self._input_hw = _input_hw(manifest)
        self._output, self.dimension = _pooled(manifest)
        self._session = Session(manifest)
        check_golden(self._session)
        self.model_sha256 = manifest.sha256

    def encode(self, picture_bgr: NDArray[np.uint8]) -> Vector:
        """Return the pooled vector of a picture [H, W, 3], whose proportions the input stretches."""
        height, width = self._input_hw
        fitted = cv2.resize(picture_bgr, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        outputs = self._session.run(to_tensor(fitted[np.newaxis], self._session.manifest.input))
        return normalised(outputs[self._output][0])


def _input_hw(manifest: Manifest) -> tuple[int, int]:
    if manifest.role is not Role.EMBEDDER:
        text = f"{manifest.path}: role {manifest.role} found, embedder expected; set LAMPLIGHT_EMBEDDER to another"
        raise Stop(text)
    if manifest.input.input_hw is None or manifest.input.fit != "stretch":
        text = f"{manifest.path}: fit {manifest.input.fit!r} found, stretch to a fixed height and width expected"
        raise Stop(text)
    return manifest.input.input_hw


def _pooled(manifest: Manifest) -> tuple[str, int]:
    for output in manifest.outputs:
        last = output.shape[-1]
        if output.meaning == "embedding" and isinstance(last, int):
            return output.name, last
    text = f"{manifest.path}: no output of a fixed length that means embedding found, one expected; mend its outputs"
    raise Stop(text)
