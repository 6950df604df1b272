"""Tests of the TensorFlow.js converter: what it emits computes what TensorFlow's operations mean."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lamplight_kit.onnx.runtime import onnxruntime
from lamplight_models.convert.tfjs import convert
from lamplight_models.convert.tfjs_graph import Node, TfGraph, read_graph
from numpy.typing import NDArray

Array = NDArray[Any]
IMAGE_NHWC = (1, 4, 6, 3)


def texts(*values: str) -> dict[str, Any]:
    """Write texts as TensorFlow.js does."""
    return {"list": {"s": [base64.b64encode(value.encode()).decode() for value in values]}}


def text(value: str) -> dict[str, Any]:
    """Write one text as TensorFlow.js does."""
    return {"s": base64.b64encode(value.encode()).decode()}


def ints(*values: int) -> dict[str, Any]:
    """Write whole numbers as TensorFlow.js does."""
    return {"list": {"i": [str(value) for value in values]}}


class Graph:
    """A TensorFlow graph that grows, with one input of IMAGE_NHWC."""

    def __init__(self) -> None:
        dims = [{"size": str(side)} for side in IMAGE_NHWC]
        self.nodes = {"x": Node("x", "Placeholder", (), {"shape": {"shape": {"dim": dims}}})}
        self.weights: dict[str, Array] = {}

    def const(self, value: Any) -> str:  # as numpy takes it
        """Add a constant."""
        name = f"const{len(self.weights)}"
        self.nodes[name] = Node(name, "Const", (), {})
        self.weights[name] = np.asarray(value)
        return name

    def node(self, op: str, *inputs: str, **attributes: dict[str, Any]) -> str:
        """Add an operation."""
        name = f"node{len(self.nodes)}"
        self.nodes[name] = Node(name, op, inputs, attributes)
        return name

    def run(self, output: str, image_nhwc: Array) -> Array:
        """Convert and run; the converted input is always NCHW."""
        model = convert(TfGraph(self.nodes, self.weights), {output: "y"})
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        (found,) = session.run(["y"], {"images": image_nhwc.transpose(0, 3, 1, 2)})
        return np.asarray(found)


def picture(batch: int = 1) -> Array:
    """Make a picture of numbers that are all different."""
    rng = np.random.default_rng(7)
    return rng.standard_normal((batch, *IMAGE_NHWC[1:])).astype(np.float32)


# Each step takes a graph, a tensor's name and its value, and returns both after it.
Step = Callable[[Graph, str, Array], tuple[str, Array]]


def transpose(order: list[int]) -> Step:
    """Shuffle all axes but the first."""
    perm = [0, *order]
    return lambda graph, name, value: (graph.node("Transpose", name, graph.const(perm)), value.transpose(perm))


def add_to_last(seed: int) -> Step:
    """Add another number to each entry of the last axis, as a bias does."""

    def step(graph: Graph, name: str, value: Array) -> tuple[str, Array]:
        bias = np.asarray(np.random.default_rng(seed).standard_normal(value.shape[-1:]), np.float32)
        return graph.node("AddV2", name, graph.const(bias)), value + bias

    return step


def pad(axis: int) -> Step:
    """Put one row of zeros before and two after."""

    def step(graph: Graph, name: str, value: Array) -> tuple[str, Array]:
        widths = np.zeros((4, 2), np.int32)
        widths[axis] = (1, 2)
        return graph.node("Pad", name, graph.const(widths)), np.pad(value, widths)

    return step


def double(axis: int) -> Step:
    """Set a tensor beside its own rectified self."""

    def step(graph: Graph, name: str, value: Array) -> tuple[str, Array]:
        rectified = graph.node("Relu", name)
        joined = graph.node("ConcatV2", name, rectified, graph.const(axis))
        return joined, np.concatenate([value, np.maximum(value, 0)], axis)

    return step


def second_half(axis: int) -> Step:
    """Cut in two and take the second part."""

    def step(graph: Graph, name: str, value: Array) -> tuple[str, Array]:
        sizes = [1, value.shape[axis] - 1]
        cut = graph.node("SplitV", name, graph.const(sizes), graph.const(axis))
        return f"{cut}:1", np.split(value, [1], axis)[1]

    return step


steps = st.one_of(
    st.permutations([1, 2, 3]).map(transpose),
    st.integers(0, 9).map(add_to_last),
    st.integers(1, 3).map(pad),
    st.integers(1, 3).map(double),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=6))
def test_no_shuffling_of_layouts_changes_what_is_computed(chain: list[Step]) -> None:
    """However axes are shuffled, each operation works along the axis that TensorFlow means."""
    graph, name, value = Graph(), "x", picture()
    for step in chain:
        name, value = step(graph, name, value)
    np.testing.assert_allclose(graph.run(graph.node("Identity", name), picture()), value, rtol=1e-6)


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_parts_of_a_split_are_told_apart(axis: int) -> None:
    """The second output of a node is its second part."""
    graph = Graph()
    name, value = second_half(axis)(graph, "x", picture())
    np.testing.assert_allclose(graph.run(name, picture()), value)


def test_a_fused_convolution_is_a_product_a_sum_and_an_activation() -> None:
    """A convolution of one pixel is a matrix product, here with a bias and ReLU6 fused into it."""
    rng = np.random.default_rng(1)
    weight, bias = rng.standard_normal((1, 1, 3, 5)).astype(np.float32) * 5, rng.standard_normal(5).astype(np.float32)
    graph = Graph()
    attributes = {"strides": ints(1, 1, 1, 1), "padding": text("SAME"), "fused_ops": texts("BiasAdd", "Relu6")}
    name = graph.node("_FusedConv2D", "x", graph.const(weight), graph.const(bias), **attributes)
    wanted = np.clip(picture(2) @ weight[0, 0] + bias, 0, 6)
    np.testing.assert_allclose(graph.run(name, picture(2)), wanted, rtol=1e-5, atol=1e-5)


def test_a_depthwise_convolution_keeps_channels_apart() -> None:
    """A kernel with one 1 in it only moves a channel; each channel has its own."""
    weight = np.zeros((3, 3, 3, 1), np.float32)
    weight[1, 1, 0], weight[0, 1, 1], weight[1, 0, 2] = 1, 1, 1
    graph = Graph()
    name = graph.node("DepthwiseConv2dNative", "x", graph.const(weight), strides=ints(1, 1, 1, 1), padding=text("SAME"))
    found, image = graph.run(name, picture()), picture()
    np.testing.assert_allclose(found[..., 0], image[..., 0])
    np.testing.assert_allclose(found[:, 1:, :, 1], image[:, :-1, :, 1])
    np.testing.assert_allclose(found[:, :, 1:, 2], image[:, :, :-1, 2])


def test_a_resize_to_twice_the_size_keeps_every_second_pixel() -> None:
    """TensorFlow's oldest way of resizing puts pixel i at 2 i."""
    graph = Graph()
    found = graph.run(graph.node("ResizeBilinear", "x", graph.const(np.array([8, 12]))), picture())
    assert found.shape == (1, 8, 12, 3)
    np.testing.assert_allclose(found[:, ::2, ::2], picture(), rtol=1e-6)


def test_pooling_and_means_work_on_height_and_width() -> None:
    """A maximum over 2 x 2, then a mean over what is left."""
    graph = Graph()
    pooled = graph.node("MaxPool", "x", ksize=ints(1, 2, 2, 1), strides=ints(1, 2, 2, 1), padding=text("VALID"))
    found = graph.run(graph.node("Mean", pooled, graph.const(np.array([1, 2])), keep_dims={"b": True}), picture())
    wanted = picture().reshape(1, 2, 2, 3, 2, 3).max((2, 4)).mean((1, 2), keepdims=True)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_reshape_leaves_the_batch_free() -> None:
    """A graph exported for one picture takes two."""
    graph = Graph()
    name = graph.node("Reshape", "x", graph.const(np.array([1, 24, 3])))
    np.testing.assert_allclose(graph.run(name, picture(2)), picture(2).reshape(2, 24, 3))


def test_constants_are_worked_out_beforehand() -> None:
    """Sizes that TensorFlow computes from constants become constants: only the resize is left."""
    graph = Graph()
    size = graph.node("AddV2", graph.const(np.array([4, 6])), graph.const(np.array([4, 6])))
    resized = graph.node("ResizeBilinear", "x", size)
    model = convert(TfGraph(graph.nodes, graph.weights), {resized: "y"})
    assert [node.op_type for node in model.graph.node] == ["Resize", "Transpose", "Identity"]


def test_an_unknown_operation_is_named() -> None:
    """What no default model has is refused by name, not guessed."""
    graph = Graph()
    with pytest.raises(NotImplementedError, match=r"TopKV2 .* found"):
        graph.run(graph.node("TopKV2", "x", graph.const(3)), picture())
    with pytest.raises(NotImplementedError, match="Fill of constants"):
        graph.run(graph.node("Add", "x", graph.node("Fill", graph.const(3))), picture())


def test_weights_are_read_in_their_order_and_widened() -> None:
    """float16 becomes float32, and what is left over or lacking is refused."""
    weights = [
        {"name": "a", "shape": [2], "dtype": "float32", "quantization": {"dtype": "float16"}},
        {"name": "b", "shape": [], "dtype": "int32"},
    ]
    nodes = [{"name": "a", "op": "Const"}, {"name": "c", "op": "Add", "input": ["a", "b", "^control"]}]
    spec = {"weightsManifest": [{"paths": ["x.bin"], "weights": weights}], "modelTopology": {"node": nodes}}
    content = np.array([1.5, -2], np.float16).tobytes() + np.int32(7).tobytes()
    found = read_graph(json.dumps(spec).encode(), content)
    assert found.weights["a"].dtype == np.float32
    assert found.weights["a"].tolist() == [1.5, -2]
    assert found.weights["b"] == 7
    assert found.nodes["c"].inputs == ("a", "b")
    with pytest.raises(ValueError, match="same package"):
        read_graph(json.dumps(spec).encode(), content + b"\0")
