"""Measuring the ranges that `lamplight_models.convert.qdq` wants, over a folder of pictures.

Run as `python -m lamplight_models.calibrate MANIFEST PICTURES > calibration/NAME.json`, then pin the new checksum and
golden values in the 8-bit model's manifest. It needs OpenCV: install lamplight-models[calibrate].
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnx
from lamplight_kit.onnx import Manifest, read_manifest, to_tensor
from lamplight_kit.onnx.runtime import onnxruntime
from lamplight_kit.onnx.session import verified_bytes
from numpy.typing import NDArray

from lamplight_models.convert.qdq import Ranges, measured, simplify, with_outputs

SHARE = 70
"""Per cent of the pictures that a range holds whole: one picture's extremes would make every step coarser."""
FIGURES = 5


def measure(model: onnx.ModelProto, tensors: Iterable[NDArray[np.float32]]) -> Ranges:
    """Return the range of every tensor to be quantised, over the input `tensors` [1, 3, H, W]; one at least."""
    simple = simplify(model)
    entrance = simple.graph.input[0].name
    names = [name for name in measured(simple) if name != entrance]
    content = with_outputs(simple, names).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    extremes = []
    for tensor in tensors:
        found = [tensor, *session.run(names, {entrance: tensor})]
        extremes.append([(values.min(), values.max()) for values in found])
    low, high = np.moveaxis(np.array(extremes), -1, 0)
    least, largest = np.percentile(low, 100 - SHARE, axis=0), np.percentile(high, SHARE, axis=0)
    pairs = zip([entrance, *names], least, largest, strict=True)
    return {name: (float(f"{a:.{FIGURES}g}"), float(f"{b:.{FIGURES}g}")) for name, a, b in pairs}


def pictures(folder: Path) -> Iterator[NDArray[np.uint8]]:
    """Read every picture in `folder`, in the order of their names; other files are passed over."""
    for path in sorted(folder.iterdir()):
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is not None:
            yield np.asarray(picture, np.uint8)


def letterbox(picture: NDArray[np.uint8], manifest: Manifest) -> NDArray[np.float32]:
    """Scale a picture [H, W, 3] into the model's input, its proportions kept and the rest padded."""
    height, width = manifest.input.input_hw or picture.shape[:2]
    scale = min(height / picture.shape[0], width / picture.shape[1])
    size_wh = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    left, top = (width - size_wh[0]) // 2, (height - size_wh[1]) // 2
    boxed = np.full((1, height, width, 3), manifest.input.pad, np.uint8)
    boxed[0, top : top + size_wh[1], left : left + size_wh[0]] = cv2.resize(picture, size_wh)
    return to_tensor(boxed, manifest.input)


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    manifest = read_manifest(Path(arguments[0]))
    tensors = (letterbox(picture, manifest) for picture in pictures(Path(arguments[1])))
    ranges = measure(onnx.load_model_from_string(verified_bytes(manifest)), tensors)
    sys.stdout.write(json.dumps(ranges, indent=0) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
