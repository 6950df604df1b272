"""Fitting a picture into a model's input, and boxes back into the picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from lamplight_kit.onnx import Input
from numpy.typing import NDArray

from lamplight_detect.detections import Boxes

Bgr = NDArray[np.uint8]
"""A picture [H, W, 3], 8 bits a channel, blue first."""


@dataclass(frozen=True)
class Fit:
    """How a picture was fitted: scaled by `scale_x`, `scale_y`, then moved by `left_px`, `top_px`."""

    scale_x: float
    scale_y: float
    left_px: int
    top_px: int

    def back(self, boxes_xyxy: Boxes) -> Boxes:
        """Return boxes of the fitted picture in pixels of the original one."""
        moved = boxes_xyxy - np.array([self.left_px, self.top_px] * 2, np.float32)
        return (moved / np.array([self.scale_x, self.scale_y] * 2, np.float32)).astype(np.float32)


def letterbox(picture: Bgr, input_hw: tuple[int, int], pad: int) -> tuple[Bgr, Fit]:
    """Return `picture` scaled into the middle of `input_hw` with its proportions kept, and how."""
    height, width = picture.shape[:2]
    scale = min(input_hw[0] / height, input_hw[1] / width)
    size_hw = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (input_hw[0] - size_hw[0]) // 2, (input_hw[1] - size_hw[1]) // 2
    canvas = np.full((*input_hw, 3), pad, np.uint8)
    canvas[top : top + size_hw[0], left : left + size_hw[1]] = resized(picture, size_hw)
    return canvas, Fit(size_hw[1] / width, size_hw[0] / height, left, top)


def padded(picture: Bgr, size_hw: tuple[int, int], multiple_of: int, pad: int) -> tuple[Bgr, Fit]:
    """Return `picture` scaled to `size_hw` in the top left of a canvas whose sides are multiples, and how."""
    height, width = picture.shape[:2]
    canvas_hw = [-(-side // multiple_of) * multiple_of for side in size_hw]
    canvas = np.full((*canvas_hw, 3), pad, np.uint8)
    canvas[: size_hw[0], : size_hw[1]] = resized(picture, size_hw)
    return canvas, Fit(size_hw[1] / width, size_hw[0] / height, 0, 0)


def resized(picture: Bgr, size_hw: tuple[int, int]) -> Bgr:
    """Return `picture` in `size_hw`: averaged where it shrinks, interpolated where it grows."""
    if picture.shape[:2] == size_hw:
        return picture
    method = cv2.INTER_AREA if size_hw[0] < picture.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(picture, (size_hw[1], size_hw[0]), interpolation=method).astype(np.uint8, copy=False)


def tensor_of(picture: Bgr, spec: Input) -> NDArray[np.float32]:
    """Return `picture` as the model wants it, float32 [1, 3, H, W]: `lamplight_kit.onnx.to_tensor` by table look-up."""
    planes = cv2.split(picture)
    order = (2, 1, 0) if spec.colours == "RGB" else (0, 1, 2)
    tensor = np.empty((1, len(planes), *picture.shape[:2]), np.float32)
    levels = np.arange(256, dtype=np.float32)
    for channel, source in enumerate(order):
        table = (levels - np.float32(spec.mean[channel])) / np.float32(spec.std[channel])
        cv2.LUT(planes[source], table, dst=tensor[0, channel])
    return tensor
