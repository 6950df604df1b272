"""A model's graph, opened for changes."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper


class Graph:
    """A model's graph, opened for changes; `constants` as arrays by name."""

    def __init__(self, model: onnx.ModelProto) -> None:
        """Open a copy of the nodes of `model`."""
        self.source = model
        self.nodes = [_copy(node) for node in model.graph.node]
        self.constants = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}

    def makers(self) -> dict[str, onnx.NodeProto]:
        """Return the node that makes each tensor."""
        return {name: node for node in self.nodes for name in node.output}

    def users(self, tensor: str) -> list[onnx.NodeProto]:
        """Return the nodes that take `tensor`."""
        return [node for node in self.nodes if tensor in node.input]

    def replace(self, tensor: str, other: str) -> None:
        """Let all that takes `tensor` take `other`."""
        for node in self.users(tensor):
            node.input[:] = [other if name == tensor else name for name in node.input]

    def model(self) -> onnx.ModelProto:
        """Return the graph as a model, its constants in the order of their use."""
        used = dict.fromkeys(name for node in self.nodes for name in node.input if name in self.constants)
        constants = [numpy_helper.from_array(np.ascontiguousarray(self.constants[name]), name) for name in used]
        graph = helper.make_graph(
            self.nodes, self.source.graph.name, self.source.graph.input, self.source.graph.output, constants
        )
        return helper.make_model(
            graph,
            opset_imports=self.source.opset_import,
            ir_version=self.source.ir_version,
            producer_name=self.source.producer_name,
        )


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy
