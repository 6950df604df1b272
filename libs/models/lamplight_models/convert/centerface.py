"""CenterFace as it was exported, made fit for any size of picture; what shows a face's features is cut off."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

INPUT = "input.1"
OUTPUTS = {"537": "heatmap", "538": "log_size", "539": "offset"}
CHANNELS = {"heatmap": 1, "log_size": 2, "offset": 2}


def centerface(exported: bytes) -> onnx.ModelProto:
    """Free height and width, drop the landmarks (output `540`) and its branch, and name inputs and outputs.

    Constants leave the graph's inputs, where an old exporter put them: there onnxruntime must take them for changing
    and folds nothing.
    """
    source = onnx.load_model_from_string(exported).graph
    nodes = _needed([_renamed(node) for node in source.node], set(CHANNELS))
    used = {name for node in nodes for name in node.input}
    constants = [constant for constant in source.initializer if constant.name in used]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, "H", "W"])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", channels, "H/4", "W/4"])
        for name, channels in CHANNELS.items()
    ]
    graph = helper.make_graph(nodes, "centerface", [images], outputs, constants)
    opset = helper.make_opsetid("", 9)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=4, producer_name="lamplight")
    onnx.checker.check_model(model)
    return model


def _renamed(node: onnx.NodeProto) -> onnx.NodeProto:
    names = {INPUT: "images", **OUTPUTS}
    renamed = onnx.NodeProto()
    renamed.CopyFrom(node)
    renamed.input[:] = [names.get(name, name) for name in node.input]
    renamed.output[:] = [names.get(name, name) for name in node.output]
    return renamed


def _needed(nodes: list[onnx.NodeProto], wanted: set[str]) -> list[onnx.NodeProto]:
    """Return the nodes, in order, that the `wanted` tensors come from."""
    kept = []
    for node in reversed(nodes):
        if wanted & set(node.output):
            kept.append(node)
            wanted = wanted | set(node.input)
    return kept[::-1]
