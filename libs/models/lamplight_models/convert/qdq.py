"""An 8-bit form of a float32 model, for CPUs: convolutions in whole numbers, from ranges measured beforehand.

The form is ONNX's QDQ: QuantizeLinear and DequantizeLinear around what is to be quantised, which a runtime fuses. The
scheme is that of Jacob et al., Quantization and Training of Neural Networks (arXiv 1712.05877): activations uint8 with
one scale a tensor, weights int8 (seven bits of it) with one scale a channel, biases int32. Written here and not taken
from a runtime, so that the same ranges give the same bytes with every version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from lamplight_models.convert.graph import Graph

Ranges = Mapping[str, tuple[float, float]]
"""The least and the largest value of each tensor, over the pictures that were measured."""

QUANTISED = ("Conv", "LeakyRelu", "Concat", "MaxPool")
"""Operations whose outputs are quantised, so that none between two convolutions falls back to float32."""
ACTIVATION_MAX = 255
WEIGHT_MAX = 63
"""Seven bits: CPUs without dot products of bytes (VNNI) add two products in 16 bits, and eight would overflow there."""


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold paddings and sums with a constant into the convolutions that they stand beside, and paddings into pools."""
    graph = Graph(model)
    for pool in [node for node in graph.nodes if node.op_type == "MaxPool"]:
        _fold_padding(graph, pool, -np.inf)
    for conv in [node for node in graph.nodes if node.op_type == "Conv"]:
        _fold_padding(graph, conv, 0)
        _fold_bias(graph, conv)
    return graph.model()


def measured(model: onnx.ModelProto) -> list[str]:
    """Return the names of the tensors of a simplified model whose ranges `quantise` wants."""
    graph = Graph(model)
    chosen = [node for node in graph.nodes if node.op_type in QUANTISED and not _is_head(graph, node)]
    inputs = [node.input[0] for node in chosen if node.op_type == "Conv"]
    return sorted({*inputs, *(node.output[0] for node in chosen)}, key=_natural)


def with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Return the model with tensors `names` as its outputs, to measure them."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    return copy


def quantise(model: onnx.ModelProto, ranges: Ranges) -> onnx.ModelProto:
    """Quantise a simplified model; convolutions that make the outputs stay float32, since scores want small steps.

    Raises KeyError where `ranges` lacks a tensor that `measured` names.
    """
    graph = Graph(model)
    names = measured(model)
    scales = {name: _scale(*ranges[name]) for name in names}
    for conv in [node for node in graph.nodes if node.op_type == "Conv" and not _is_head(graph, node)]:
        _quantise_weights(graph, conv, scales[conv.input[0]][0])
    for name in names:
        _quantise_tensor(graph, name, *scales[name])
    done = graph.model()
    onnx.checker.check_model(onnx.shape_inference.infer_shapes(done, strict_mode=True))
    return done


def _natural(name: str) -> tuple[str, int]:
    """Order t2 before t10."""
    digits = name.lstrip("abcdefghijklmnopqrstuvwxyz_")
    return name[: len(name) - len(digits)], int(digits or 0)


def _is_head(graph: Graph, node: onnx.NodeProto) -> bool:
    """Say whether a node makes outputs: what follows it is cut into scores and sides."""
    return any(user.op_type == "Split" for user in graph.users(node.output[0]))


def _fold_padding(graph: Graph, node: onnx.NodeProto, fill: float) -> None:
    """Fold a padding with `fill` before `node`, to which its own padding is as good."""
    pad = graph.makers().get(node.input[0])
    if pad is None or pad.op_type != "Pad" or len(graph.users(pad.output[0])) != 1:
        return
    pads = graph.constants[pad.input[1]].reshape(2, 4)
    if graph.constants[pad.input[2]] != fill or pads[:, :2].any():
        return
    node.input[0] = pad.input[0]
    node.attribute.append(helper.make_attribute("pads", [int(side) for side in pads[:, 2:].ravel()]))
    graph.nodes.remove(pad)


def _fold_bias(graph: Graph, conv: onnx.NodeProto) -> None:
    (user, *others) = graph.users(conv.output[0])
    if others or user.op_type != "Add" or user.input[1] not in graph.constants or len(conv.input) != 2:
        return
    bias = f"{user.input[1]}_bias"
    graph.constants[bias] = graph.constants[user.input[1]].ravel()
    conv.input.append(bias)
    conv.output[0] = user.output[0]
    graph.nodes.remove(user)


def _scale(least: float, largest: float) -> tuple[np.float32, np.uint8]:
    """Return scale and zero point of uint8 for a range, widened to hold 0, which must be exact for padding."""
    low, high = min(least, 0.0), max(largest, 0.0)
    scale = max(high - low, 1e-6) / ACTIVATION_MAX
    return np.float32(scale), np.uint8(round(-low / scale))


def _quantise_tensor(graph: Graph, name: str, scale: np.float32, zero: np.uint8) -> None:
    """Put a quantisation and its undoing between `name` and all that use it."""
    makers = graph.makers()
    at = graph.nodes.index(makers[name]) + 1 if name in makers else 0
    graph.constants[f"{name}_scale"], graph.constants[f"{name}_zero"] = np.asarray(scale), np.asarray(zero)
    graph.replace(name, f"{name}_float")
    parameters = [f"{name}_scale", f"{name}_zero"]
    graph.nodes[at:at] = [
        helper.make_node("QuantizeLinear", [name, *parameters], [f"{name}_uint8"], name=f"{name}_quantise"),
        helper.make_node("DequantizeLinear", [f"{name}_uint8", *parameters], [f"{name}_float"], name=f"{name}_undo"),
    ]


def _quantise_weights(graph: Graph, conv: onnx.NodeProto, input_scale: np.float32) -> None:
    """Make a convolution's weights int8 with a scale for each output channel, and its bias int32."""
    weight = graph.constants[conv.input[1]]
    largest = np.abs(weight.reshape(len(weight), -1)).max(1).astype(np.float64)
    scales = (np.maximum(largest, 1e-9) / WEIGHT_MAX).astype(np.float32)
    whole = np.rint(weight / scales[:, None, None, None].astype(np.float64)).clip(-WEIGHT_MAX, WEIGHT_MAX)
    conv.input[1] = _undone(graph, conv, conv.input[1], whole.astype(np.int8), scales)
    if len(conv.input) > 2:
        steps = scales.astype(np.float64) * float(input_scale)
        bias = np.rint(graph.constants[conv.input[2]] / steps).clip(-(2**31), 2**31 - 1).astype(np.int32)
        conv.input[2] = _undone(graph, conv, conv.input[2], bias, steps.astype(np.float32))


def _undone(graph: Graph, conv: onnx.NodeProto, name: str, whole: NDArray[Any], scales: NDArray[np.float32]) -> str:
    """Add a constant in whole numbers with its undoing before `conv`; return the name of the result."""
    constants = {f"{name}_whole": whole, f"{name}_scale": scales, f"{name}_zero": np.zeros(len(whole), whole.dtype)}
    graph.constants.update(constants)
    undo = helper.make_node("DequantizeLinear", list(constants), [f"{name}_float"], name=f"{name}_undo", axis=0)
    graph.nodes.insert(graph.nodes.index(conv), undo)
    return f"{name}_float"
