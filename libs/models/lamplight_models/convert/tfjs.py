"""A TensorFlow.js graph model as ONNX, with numpy and onnx only.

Every tensor is kept as its ONNX name and `perm`: TensorFlow's tensor is `transpose(onnx tensor, perm)`. Convolutions
leave NCHW data behind, so that the graph's shuffling of layouts only changes `perm`, and mostly cancels; a Transpose
is emitted only where an operation needs one exact layout. The batch axis becomes free.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from lamplight_models.convert.builder import GraphBuilder
from lamplight_models.convert.tfjs_fold import fold
from lamplight_models.convert.tfjs_graph import Node, TfGraph

NHWC = (0, 2, 3, 1)
"""TensorFlow's layout of a picture, of a tensor that ONNX holds as NCHW."""
BINARY = {"Add": "Add", "AddV2": "Add", "BiasAdd": "Add", "Sub": "Sub", "Mul": "Mul"}
ACTIVATIONS = ("Relu", "Relu6", "LeakyRelu", "Sigmoid")


@dataclass(frozen=True)
class Variable:
    """A tensor that depends on the picture: its ONNX name, and the layout that TensorFlow sees."""

    name: str
    perm: tuple[int, ...]


def convert(graph: TfGraph, outputs: Mapping[str, str]) -> onnx.ModelProto:
    """Convert what `outputs` need, from TensorFlow's names to the names that ONNX gets; the input becomes `images`.

    Raises NotImplementedError with the operation and the node for what the default models do not use.
    """
    converter = _Converter()
    for node in graph.needed_for([name.split(":")[0] for name in outputs]):
        converter.add(node, graph.weights)
    for name, renamed in outputs.items():
        converter.output(name, renamed)
    return converter.builder.finish()


class _Converter:
    def __init__(self) -> None:
        self.builder = GraphBuilder("tfjs")
        self.values: dict[str, Variable | NDArray[Any]] = {}
        self.emitters: dict[str, Callable[[Node, list[Any]], Variable | list[Variable]]] = {
            **dict.fromkeys(BINARY, self._binary),
            **dict.fromkeys(ACTIVATIONS, self._activation),
            **dict.fromkeys(("Conv2D", "_FusedConv2D"), self._convolution),
            **dict.fromkeys(("DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"), self._convolution),
            **dict.fromkeys(("Pad", "PadV2"), self._pad),
            "ConcatV2": self._concatenate,
            "Identity": lambda _, values: values[0],
            "MaxPool": self._max_pool,
            "Mean": self._mean,
            "Reshape": self._reshape,
            "ResizeBilinear": self._resize,
            "SplitV": self._split,
            "Transpose": self._transpose,
        }

    def add(self, node: Node, weights: Mapping[str, NDArray[Any]]) -> None:
        """Convert one node, all of whose inputs are there."""
        if node.op == "Const":
            self.values[f"{node.name}:0"] = weights[node.name]
        elif node.op == "Placeholder":
            self.values[f"{node.name}:0"] = self._images(node)
        else:
            found = self._operation(node, [self._value(name) for name in node.inputs])
            for at, value in enumerate(found if isinstance(found, list) else [found]):
                self.values[f"{node.name}:{at}"] = value

    def output(self, name: str, renamed: str) -> None:
        """Give TensorFlow's tensor `name` out as `renamed`, in TensorFlow's layout."""
        value = self._value(name)
        if not isinstance(value, Variable):
            text = f"constant {name} found, a tensor that depends on the picture expected; mend the recipe's outputs"
            raise TypeError(text)
        self.builder.output(self._laid_out(value, tuple(range(len(value.perm)))), renamed)

    def _value(self, name: str) -> Variable | NDArray[Any]:
        return self.values[name if ":" in name else f"{name}:0"]

    def _operation(self, node: Node, values: list[Any]) -> Variable | list[Variable] | NDArray[Any]:
        if not any(isinstance(value, Variable) for value in values):
            return fold(node, values)
        if node.op not in self.emitters:
            text = f"{node.op} ({node.name}) found, one of {', '.join(sorted(self.emitters))} expected"
            raise NotImplementedError(text)
        return self.emitters[node.op](node, values)

    def _images(self, node: Node) -> Variable:
        dims = [int(dim["size"]) for dim in node.attributes["shape"]["shape"]["dim"]]
        last = dims[-1] == 3
        height, width = dims[1:3] if last else dims[2:4]
        return Variable(self.builder.input("images", ["N", 3, height, width]), NHWC if last else (0, 1, 2, 3))

    def _laid_out(self, value: Variable, perm: Sequence[int]) -> str:
        """Return the name of a tensor that holds `value` so that TensorFlow's is its transpose by `perm`."""
        if value.perm == tuple(perm):
            return value.name
        order = [value.perm[axis] for axis in np.argsort(perm)]
        return self.builder.node("Transpose", [value.name], perm=order)

    def _constant(self, values: NDArray[Any], dtype: type[np.generic]) -> str:
        return self.builder.constant(np.asarray(values, dtype))

    def _binary(self, node: Node, values: list[Any]) -> Variable:
        """Emit arithmetic of two; a constant is laid out as the variable is, so that broadcasting stays right."""
        perm = next(value.perm for value in values if isinstance(value, Variable))

        def operand(value: Variable | NDArray[Any]) -> str:
            if isinstance(value, Variable):
                return self._laid_out(value, perm)
            if value.ndim and value.size > 1:
                value = value.reshape((1,) * (len(perm) - value.ndim) + value.shape).transpose(np.argsort(perm))
            return self.builder.constant(value)

        return Variable(self.builder.node(BINARY[node.op], [operand(value) for value in values]), perm)

    def _activation(self, node: Node, values: list[Any]) -> Variable:
        return Variable(self._activate(node.op, values[0].name, node), values[0].perm)

    def _activate(self, op: str, tensor: str, node: Node) -> str:
        if op == "Relu6":
            limits = [self._constant(np.asarray(limit), np.float32) for limit in (0, 6)]
            return self.builder.node("Clip", [tensor, *limits])
        if op == "LeakyRelu":
            return self.builder.node(op, [tensor], alpha=node.get("alpha", node.get("leakyrelu_alpha", 0.2)))
        return self.builder.node(op, [tensor])

    def _convolution(self, node: Node, values: list[Any]) -> Variable:
        """Emit a convolution with what TensorFlow fused into it (a bias, then activations)."""
        weight, attributes = _kernel(node, values[1])
        inputs = [self._laid_out(values[0], NHWC), self.builder.constant(weight)]
        fused = node.get("fused_ops", []) if "Fused" in node.op else []
        if fused[:1] == ["BiasAdd"]:
            inputs.append(self.builder.constant(values[2].ravel()))
        tensor = self.builder.node("Conv", inputs, **attributes)
        for op in fused:
            if op != "BiasAdd":
                tensor = self._activate(op, tensor, node)
        return Variable(tensor, NHWC)

    def _transpose(self, _: Node, values: list[Any]) -> Variable:
        return Variable(values[0].name, tuple(values[0].perm[int(axis)] for axis in values[1]))

    def _pad(self, node: Node, values: list[Any]) -> Variable:
        image = values[0]
        widths = np.asarray(values[1])[np.argsort(image.perm)]
        fill = values[2] if node.op == "PadV2" else np.asarray(0)
        both_sides = self._constant(np.concatenate([widths[:, 0], widths[:, 1]]), np.int64)
        return Variable(
            self.builder.node("Pad", [image.name, both_sides, self._constant(fill, np.float32)]), image.perm
        )

    def _max_pool(self, node: Node, values: list[Any]) -> Variable:
        attributes = {"kernel_shape": node.get("ksize")[1:3], "strides": node.get("strides")[1:3]}
        if node.get("padding") == "SAME":
            attributes["auto_pad"] = "SAME_UPPER"
        return Variable(self.builder.node("MaxPool", [self._laid_out(values[0], NHWC)], **attributes), NHWC)

    def _mean(self, _: Node, values: list[Any]) -> Variable:
        axes = [values[0].perm[int(axis)] for axis in np.atleast_1d(values[1])]
        name = self.builder.node("ReduceMean", [values[0].name, self._constant(np.array(axes), np.int64)], keepdims=1)
        return Variable(name, values[0].perm)

    def _concatenate(self, _: Node, values: list[Any]) -> Variable:
        perm = values[0].perm
        axis = int(perm[int(values[-1]) % len(perm)])
        return Variable(
            self.builder.node("Concat", [self._laid_out(value, perm) for value in values[:-1]], axis=axis), perm
        )

    def _split(self, _: Node, values: list[Any]) -> list[Variable]:
        image, sizes = values[0], values[1]
        axis = int(image.perm[int(values[2]) % len(image.perm)])
        inputs = [image.name, self._constant(sizes, np.int64)]
        return [Variable(name, image.perm) for name in self.builder.split("Split", inputs, len(sizes), axis=axis)]

    def _resize(self, node: Node, values: list[Any]) -> Variable:
        image = self._laid_out(values[0], NHWC)
        scale = np.asarray(values[1], np.float32) / np.asarray(self.builder.shape_of(image)[2:], np.float32)
        scales = self._constant(np.concatenate([[1, 1], scale]), np.float32)
        corners = "align_corners" if node.get("align_corners") else "asymmetric"
        mode = "half_pixel" if node.get("half_pixel_centers") else corners
        attributes = {"mode": "linear", "coordinate_transformation_mode": mode}
        return Variable(self.builder.node("Resize", [image, "", scales], **attributes), NHWC)

    def _reshape(self, _: Node, values: list[Any]) -> Variable:
        """Emit a reshape that keeps a leading axis of 1 free: 0 copies the input's."""
        shape = np.array(values[1], np.int64)
        if shape[0] == 1:
            shape[0] = 0
        image = self._laid_out(values[0], range(len(values[0].perm)))
        return Variable(
            self.builder.node("Reshape", [image, self._constant(shape, np.int64)]), tuple(range(len(shape)))
        )


def _kernel(node: Node, weight: NDArray[Any]) -> tuple[NDArray[Any], dict[str, Any]]:
    """Return a convolution's weights in ONNX's order, and its attributes; raises NotImplementedError for NCHW."""
    if node.get("data_format", "NHWC") != "NHWC":
        text = f"data_format {node.get('data_format')} ({node.name}) found, NHWC expected"
        raise NotImplementedError(text)
    height, width, channels, multiplier = weight.shape
    attributes = {"kernel_shape": [height, width], "strides": node.get("strides")[1:3]}
    attributes["dilations"] = node.get("dilations", [1, 1, 1, 1])[1:3]
    if node.get("padding") == "SAME" and (height, width) != (1, 1):
        attributes["auto_pad"] = "SAME_UPPER"
    if "epthwise" in node.op:
        attributes["group"] = channels
        return weight.transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width), attributes
    return weight.transpose(3, 2, 0, 1), attributes
