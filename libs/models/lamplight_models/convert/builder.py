"""Building an ONNX graph node by node, the same bytes for the same steps on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
IR_VERSION = 8
"""The oldest of the file format that holds the opset: old runtimes read it too."""


class GraphBuilder:
    """A graph that grows; tensors are known by their names, which are numbered in order."""

    def __init__(self, name: str) -> None:
        """Start an empty graph called `name`."""
        self.name = name
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, shape: Sequence[int | str]) -> str:
        """Add a float32 input; an axis by name is free."""
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def node(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node with one output and return that output's name."""
        return self.split(op, inputs, 1, **attributes)[0]

    def split(self, op: str, inputs: Sequence[str], count: int, **attributes: Any) -> tuple[str, ...]:
        """Add a node with `count` outputs and return their names."""
        serial = len(self._nodes)
        names = tuple(f"t{serial}_{at}" if count > 1 else f"t{serial}" for at in range(count))
        self._nodes.append(helper.make_node(op, inputs, names, name=f"{op}_{serial}", **attributes))
        return names

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        """Add a constant and return its name."""
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value).reshape(np.shape(value)), name))
        return name

    def output(self, tensor: str, name: str) -> None:
        """Give `tensor` out as `name`, with the shape that follows from the graph; the first axis is free."""
        shape: list[int | str] = ["N", *self.shape_of(tensor)[1:]]
        self._nodes.append(helper.make_node("Identity", [tensor], [name], name=f"output_{name}"))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def shape_of(self, tensor: str) -> tuple[int, ...]:
        """Return the shape of a tensor that is there, a free axis counted as 1."""
        probe = next((port for port in self._inputs if port.name == tensor), None)
        if probe is None:
            wanted = helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None)
            probe = onnx.shape_inference.infer_shapes(self._model([wanted])).graph.output[0]
        return tuple(dim.dim_value or 1 for dim in probe.type.tensor_type.shape.dim)

    def finish(self) -> onnx.ModelProto:
        """Return the whole model, checked by onnx."""
        model = self._model(self._outputs)
        onnx.checker.check_model(onnx.shape_inference.infer_shapes(model, strict_mode=True))
        return model

    def _model(self, outputs: Sequence[onnx.ValueInfoProto]) -> onnx.ModelProto:
        graph = helper.make_graph(self._nodes, self.name, self._inputs, outputs, self._constants)
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="lamplight")
