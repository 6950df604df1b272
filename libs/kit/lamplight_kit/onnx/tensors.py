"""Pictures into a model's input, and the one picture that every golden output was made from; numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lamplight_kit.onnx.manifest import Input

CHANNELS = 3


def to_tensor(pictures_bgr: NDArray[np.uint8], spec: Input) -> NDArray[np.float32]:
    """Turn pictures [N, H, W, 3] in OpenCV's order of colours into float32 [N, 3, H, W] as the model wants them."""
    order = (2, 1, 0) if spec.colours == "RGB" else (0, 1, 2)
    count, height, width, _ = pictures_bgr.shape
    tensor = np.empty((count, CHANNELS, height, width), np.float32)
    for channel, source in enumerate(order):
        plane = tensor[:, channel]
        np.subtract(pictures_bgr[..., source], np.float32(spec.mean[channel]), out=plane, dtype=np.float32)
        np.divide(plane, np.float32(spec.std[channel]), out=plane)
    return tensor


def golden_input(shape: tuple[int, ...], spec: Input) -> NDArray[np.float32]:
    """Make the golden input of `shape` [N, 3, H, W], the same on every machine: whole-number waves, as a picture."""
    count, _, height, width = shape
    at = np.arange(count * height * width * CHANNELS, dtype=np.int64).reshape(count, height, width, CHANNELS)
    channel = at % CHANNELS
    across, down = at // CHANNELS % width, at // (CHANNELS * width) % height
    wave = (across * (3 + channel) + down * (5 - channel) + across * down // 16 + 40 * channel) % 512
    return to_tensor(np.minimum(wave, 511 - wave).astype(np.uint8), spec)
