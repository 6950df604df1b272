"""Tests of the 8-bit form: what is folded changes nothing, what is quantised stays within a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lamplight_kit.onnx.runtime import onnxruntime
from lamplight_models.calibrate import measure
from lamplight_models.convert.builder import GraphBuilder
from lamplight_models.convert.qdq import measured, quantise, simplify
from lamplight_models.convert.sooner import sooner
from numpy.typing import NDArray

SHAPE = (1, 3, 8, 8)


def network(weight_scale: float = 1.0) -> onnx.ModelProto:
    """Make a network with all that is folded and quantised: padding, sums, a head that is cut in two."""
    rng = np.random.default_rng(5)
    build = GraphBuilder("net")
    tensor = build.input("images", ["N", *SHAPE[1:]])
    pads = build.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1]))
    tensor = build.node("Pad", [tensor, pads, build.constant(np.float32(0))])
    weight = (rng.standard_normal((4, 3, 3, 3)) * weight_scale).astype(np.float32)
    tensor = build.node("Conv", [tensor, build.constant(weight)], kernel_shape=[3, 3])
    tensor = build.node("Add", [tensor, build.constant(rng.standard_normal((1, 4, 1, 1)).astype(np.float32))])
    tensor = build.node("LeakyRelu", [tensor], alpha=0.1)
    tensor = build.node("Concat", [tensor, build.node("MaxPool", [tensor], kernel_shape=[1, 1])], axis=1)
    weight = rng.standard_normal((6, 8, 1, 1)).astype(np.float32)
    tensor = build.node("Conv", [tensor, build.constant(weight)], kernel_shape=[1, 1])
    parts = build.split("Split", [tensor, build.constant(np.array([2, 4]))], 2, axis=1)
    build.output(parts[0], "scores")
    build.output(parts[1], "sides")
    return build.finish()


def run(model: onnx.ModelProto, tensor: NDArray[np.float32]) -> list[NDArray[Any]]:
    """Run a model and return its outputs."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [np.asarray(output) for output in session.run(None, {"images": tensor})]


def pictures(count: int, seed: int = 1) -> list[NDArray[np.float32]]:
    """Make inputs."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(SHAPE).astype(np.float32) for _ in range(count)]


def test_folding_changes_no_answer() -> None:
    """Padding and sums are inside the convolutions, and the answers are what they were."""
    simple, (picture,) = simplify(network()), pictures(1)
    assert [node.op_type for node in simple.graph.node].count("Pad") == 0
    assert [node.op_type for node in simple.graph.node].count("Add") == 0
    for was, now in zip(run(network(), picture), run(simple, picture), strict=True):
        np.testing.assert_allclose(was, now, rtol=1e-4, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([1e-3, 1.0, 1e3]), st.integers(0, 100))
def test_answers_in_eight_bits_are_near(weight_scale: float, seed: int) -> None:
    """Whatever the size of the weights, the answers stay within a small share of the answers' own size."""
    model = network(weight_scale)
    ranges = measure(model, pictures(20, seed))
    rough = run(quantise(simplify(model), ranges), pictures(20, seed)[3])
    for was, now in zip(run(model, pictures(20, seed)[3]), rough, strict=True):
        assert np.abs(was - now).mean() < 0.08 * was.std()


def test_convolutions_are_in_whole_numbers_but_for_the_head() -> None:
    """The weights of the first are seven bits of int8, its bias int32; what makes the outputs stays float32."""
    model = quantise(simplify(network()), measure(network(), pictures(3)))
    kinds = {entry.name: entry.data_type for entry in model.graph.initializer}
    assert [kind for name, kind in kinds.items() if name.endswith("_bias_whole")] == [onnx.TensorProto.INT32]
    weights = [onnx.numpy_helper.to_array(entry) for entry in model.graph.initializer if entry.dims == [4, 3, 3, 3]]
    assert [weight.dtype for weight in weights] == [np.int8]
    assert np.abs(weights[0]).max() == 63
    assert [entry.data_type for entry in model.graph.initializer if entry.dims == [6, 8, 1, 1]] == [1]


def test_a_range_that_was_not_measured_is_named() -> None:
    """Ranges of another model do not pass in silence."""
    simple = simplify(network())
    ranges = dict.fromkeys(measured(simple)[1:], (-1.0, 1.0))
    with pytest.raises(KeyError, match=measured(simple)[0]):
        quantise(simple, ranges)


def test_the_same_ranges_give_the_same_bytes() -> None:
    """The checksum of an 8-bit model can be pinned."""
    simple, ranges = simplify(network()), measure(network(), pictures(3))
    first, second = (quantise(simple, ranges).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


def entrance(kernel: int = 3) -> onnx.ModelProto:
    """Make the first layers of a network as `sooner` changes them: a convolution, an activation, a padded pool."""
    rng = np.random.default_rng(6)
    build = GraphBuilder("net")
    tensor = build.input("images", ["N", 3, 32, 48])
    side = kernel // 2
    pads = build.constant(np.array([0, 0, side, side, 0, 0, side, side]))
    tensor = build.node("Pad", [tensor, pads, build.constant(np.float32(0))])
    weight = rng.standard_normal((8, 3, kernel, kernel)).astype(np.float32)
    sum_of = [tensor, build.constant(weight), build.constant(rng.standard_normal(8).astype(np.float32))]
    tensor = build.node("Conv", sum_of, kernel_shape=[kernel, kernel], strides=[2, 2])
    tensor = build.node("LeakyRelu", [tensor], alpha=0.1)
    pads = build.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1]))
    tensor = build.node("Pad", [tensor, pads, build.constant(np.float32(-np.inf))])
    tensor = build.node("MaxPool", [tensor], kernel_shape=[3, 3], strides=[2, 2])
    weight = rng.standard_normal((6, 8, 1, 1)).astype(np.float32)
    tensor = build.node("Conv", [tensor, build.constant(weight)], kernel_shape=[1, 1])
    for part, name in zip(
        build.split("Split", [tensor, build.constant(np.array([2, 4]))], 2, axis=1), "ab", strict=True
    ):
        build.output(part, name)
    return build.finish()


@pytest.mark.parametrize(("kernel", "changed"), [(3, 1), (5, 0)])
def test_sooner_is_the_same_to_the_last_bit(kernel: int, changed: int) -> None:
    """Pooling first and working in blocks change no answer, of one picture and of several."""
    rng = np.random.default_rng(8)
    seen = [rng.standard_normal((1, 3, 32, 48)).astype(np.float32) for _ in range(4)]
    model = quantise(simplify(entrance(kernel)), measure(entrance(kernel), seen))
    quick = sooner(model)
    kinds = [node.op_type for node in quick.graph.node]
    assert kinds.count("SpaceToDepth") == changed
    assert kinds.index("MaxPool") < kinds.index("LeakyRelu")
    for picture in [*seen, 9 * seen[0], np.concatenate(seen)]:
        for was, now in zip(run(model, picture), run(quick, picture), strict=True):
            np.testing.assert_array_equal(was, now)


def test_what_sooner_does_not_know_is_left_alone() -> None:
    """A network without those layers is the same one afterwards."""
    model = quantise(simplify(network()), measure(network(), pictures(3)))
    assert [node.name for node in sooner(model).graph.node] == [node.name for node in model.graph.node]
