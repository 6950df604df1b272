"""EfficientNet-Lite from its weights: an embedding of the whole picture, and one of each of its patches.

The network: Tan and Le, EfficientNet (arXiv 1905.11946), in the Lite form of TensorFlow's models: no squeeze and
excitation, ReLU6 for swish. Batch normalisation is folded into the convolutions in float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from lamplight_models.convert.builder import GraphBuilder
from lamplight_models.convert.torch_pickle import read_state_dict

SIDE_PX = 224
EPSILON = 1e-3
STEM_CHANNELS = 32
STAGE_STRIDES = (1, 2, 2, 2, 1, 2, 1)


class _Network:
    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        self.weights = weights
        self.graph = GraphBuilder("efficientnet_lite")
        self.low = self.graph.constant(np.float32(0))
        self.high = self.graph.constant(np.float32(6))

    def convolve(self, tensor: str, conv: str, norm: str, *, stride: int = 1, activate: bool = True) -> str:
        weight, bias = self._folded(conv, norm)
        side = weight.shape[2]
        attributes: dict[str, Any] = {"kernel_shape": [side, side], "strides": [stride, stride]}
        if side > 1:
            attributes["auto_pad"] = "SAME_UPPER"
        if "depthwise" in conv:
            attributes["group"] = weight.shape[0]
        constants = [self.graph.constant(weight.astype(np.float32)), self.graph.constant(bias.astype(np.float32))]
        tensor = self.graph.node("Conv", [tensor, *constants], **attributes)
        return self.graph.node("Clip", [tensor, self.low, self.high]) if activate else tensor

    def _folded(self, conv: str, norm: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        wide = {part: self.weights[f"{norm}.{part}"].astype(np.float64) for part in ("weight", "bias")}
        mean, var = (self.weights[f"{norm}.running_{part}"].astype(np.float64) for part in ("mean", "var"))
        gain = wide["weight"] / np.sqrt(var + EPSILON)
        weight = self.weights[f"{conv}.weight"].astype(np.float64) * gain[:, None, None, None]
        return weight, wide["bias"] - mean * gain

    def block(self, tensor: str, at: int, stride: int, *, add: bool) -> str:
        prefix, skip = f"_blocks.{at}.", tensor
        if f"{prefix}_expand_conv.weight" in self.weights:
            tensor = self.convolve(tensor, f"{prefix}_expand_conv", f"{prefix}_bn0")
        tensor = self.convolve(tensor, f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride=stride)
        tensor = self.convolve(tensor, f"{prefix}_project_conv", f"{prefix}_bn2", activate=False)
        return self.graph.node("Add", [tensor, skip]) if add else tensor

    def trunk(self, tensor: str) -> str:
        """Chain all blocks: a stage begins where the channels change, and only its first block has its stride."""
        channels, stage, at = STEM_CHANNELS, -1, 0
        while (project := f"_blocks.{at}._project_conv.weight") in self.weights:
            wanted = self.weights[project].shape[0]
            begins = at == 0 or wanted != channels
            stage += begins
            tensor = self.block(tensor, at, STAGE_STRIDES[stage] if begins else 1, add=not begins)
            channels, at = wanted, at + 1
        return tensor


def efficientnet_lite(weights: bytes) -> onnx.ModelProto:
    """Convert a PyTorch weight file: `images` to `embedding` [N, C] and `patches` [N, 7, 7, C], whose mean it is."""
    network = _Network(read_state_dict(weights))
    graph = network.graph
    tensor = graph.input("images", ["N", 3, SIDE_PX, SIDE_PX])
    tensor = network.convolve(tensor, "_conv_stem", "_bn0", stride=2)
    tensor = network.convolve(network.trunk(tensor), "_conv_head", "_bn1")
    graph.output(graph.node("Flatten", [graph.node("GlobalAveragePool", [tensor])]), "embedding")
    graph.output(graph.node("Transpose", [tensor], perm=[0, 2, 3, 1]), "patches")
    return graph.finish()
