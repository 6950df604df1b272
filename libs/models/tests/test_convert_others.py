"""Tests of reading weight files and of the two models that are put together by hand."""

from __future__ import annotations

import collections
import io
import os
import pickle
import sys
import types
from collections.abc import Callable

import numpy as np
import pytest
from lamplight_kit.onnx.runtime import onnxruntime
from lamplight_models.convert import to_onnx
from lamplight_models.convert.centerface import centerface
from lamplight_models.convert.torch_pickle import MAGIC, read_state_dict
from onnx import TensorProto, helper, numpy_helper


class _Call:
    """Pickles as a call of `function`, as PyTorch pickles a tensor."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.function, self.arguments


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: object) -> object:
        return value if isinstance(value, tuple) and value[:1] == ("storage",) else None


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Make the two names of PyTorch that a weight file mentions."""

    def _rebuild_tensor_v2() -> None: ...

    package, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for module, name, thing in (
        (package, "FloatStorage", type("FloatStorage", (), {})),
        (utils, "_rebuild_tensor_v2", _rebuild_tensor_v2),
    ):
        thing.__module__, thing.__qualname__ = module.__name__, name
        setattr(module, name, thing)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    package.utils = utils  # type: ignore[attr-defined] # a module made on the spot
    return package


def weight_file(*objects: object, storages: bytes = b"") -> bytes:
    """Write the five pickles and the storages of PyTorch's older format."""
    out = io.BytesIO()
    for value in objects:
        _Pickler(out, protocol=2).dump(value)
    return out.getvalue() + storages


def tensor(torch: types.ModuleType, shape: tuple[int, ...], stride: tuple[int, ...], offset: int) -> _Call:
    """Write a tensor of storage `0` as PyTorch does."""
    storage = ("storage", torch.FloatStorage, "0", "cpu", 6)
    hooks: collections.OrderedDict[str, object] = collections.OrderedDict()
    return _Call(torch.utils._rebuild_tensor_v2, storage, offset, shape, stride, False, hooks)


def test_tensors_are_read_with_their_strides(torch: types.ModuleType) -> None:
    """A transposed view and an offset come out as PyTorch would show them."""
    values = np.arange(6, dtype="<f4")
    places = {"whole": ((2, 3), (3, 1), 0), "turned": ((3, 2), (1, 3), 0), "last": ((1,), (1,), 5)}
    tensors = {name: tensor(torch, *place) for name, place in places.items()}
    raw = (6).to_bytes(8, "little") + values.tobytes()
    found = read_state_dict(weight_file(MAGIC, 1001, {"little_endian": True}, tensors, ["0"], storages=raw))
    assert found["whole"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found["last"].tolist() == [5]


@pytest.mark.parametrize("function", [os.system, eval, collections.Counter], ids=str)
def test_a_pickle_that_names_anything_else_is_refused(function: Callable[..., object]) -> None:
    """A weight file is data: nothing in it is called, whatever it names."""
    evil = weight_file(MAGIC, 1001, {"little_endian": True}, {"a": _Call(function, "1")}, [])
    with pytest.raises(pickle.UnpicklingError, match="only tensors expected"):
        read_state_dict(evil)


def test_another_format_is_refused() -> None:
    """The first pickle says what follows."""
    with pytest.raises(ValueError, match="weight file"):
        read_state_dict(weight_file(1, 1001, {"little_endian": True}, {}, []))


def exported() -> bytes:
    """Make what CenterFace's exporter made, in small: fixed size, constants among the inputs, landmarks."""
    names = {"537": 1, "538": 2, "539": 2, "540": 10}
    sizes = {"trunk": 3, **names, "unused": 1}
    constants = [
        numpy_helper.from_array(np.ones((count, 3, 4, 4), np.float32), f"w{name}") for name, count in sizes.items()
    ]
    images = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [10, 3, 32, 32])
    nodes = [helper.make_node("Relu", ["input.1"], ["trunk"])]
    nodes += [
        helper.make_node("Conv", ["trunk", f"w{name}"], [name], kernel_shape=[4, 4], strides=[4, 4]) for name in names
    ]
    inputs = [helper.make_tensor_value_info(entry.name, TensorProto.FLOAT, entry.dims) for entry in constants]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [10, count, 8, 8]) for name, count in names.items()
    ]
    graph = helper.make_graph(nodes, "torch-jit-export", [images, *inputs], outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=4).SerializeToString()


def test_centerface_takes_any_size_and_shows_no_landmarks() -> None:
    """Height and width are free, constants are constants, and nothing of the landmarks is left in the file."""
    model = centerface(exported())
    assert [port.name for port in model.graph.input] == ["images"]
    assert [port.name for port in model.graph.output] == ["heatmap", "log_size", "offset"]
    assert {entry.name for entry in model.graph.initializer} == {"w537", "w538", "w539"}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    shapes = [output.shape for output in session.run(None, {"images": np.zeros((1, 3, 64, 96), np.float32)})]
    assert shapes == [(1, 1, 16, 24), (1, 2, 16, 24), (1, 2, 16, 24)]


def test_conversion_gives_the_same_bytes_again() -> None:
    """A checksum can be pinned only where nothing depends on the run."""
    files = [exported()]
    assert to_onnx("centerface", files) == to_onnx("centerface", files)
