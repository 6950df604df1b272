"""Reading PyTorch's older weight files without PyTorch, and without running what a pickle may hold."""

from __future__ import annotations

import collections
import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = 0x1950A86A20F9469CFC6C
"""First pickle of a file that `torch.save` wrote before PyTorch 1.6 (torch/serialization.py, MAGIC_NUMBER)."""
DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


@dataclass
class _Storage:
    dtype: np.dtype[Any]
    size: int
    data: NDArray[Any] = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def array(self) -> NDArray[Any]:
        strides = [step * self.storage.data.itemsize for step in self.stride]
        return np.array(np.lib.stride_tricks.as_strided(self.storage.data[self.offset :], self.shape, strides))


def _rebuild(storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: object) -> _Tensor:
    return _Tensor(storage, offset, shape, stride)


class _Unpickler(pickle.Unpickler):
    """Resolves tensors and dictionaries, and nothing else: a pickle's other names are refused."""

    def __init__(self, file: io.BytesIO, storages: dict[str, _Storage]) -> None:
        super().__init__(file)
        self.storages = storages

    def find_class(self, module: str, name: str) -> Callable[..., object] | str:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in DTYPES:
            return name
        text = f"{module}.{name} found, only tensors expected; this is not the file that was pinned"
        raise pickle.UnpicklingError(text)

    def persistent_load(self, pid: tuple[Any, ...]) -> _Storage:
        _, dtype, key, _, size = pid[:5]
        return self.storages.setdefault(key, _Storage(np.dtype(DTYPES[dtype]), size))


def read_state_dict(content: bytes) -> Mapping[str, NDArray[Any]]:
    """Return the tensors of a weight file by name.

    The format is five pickles (magic, protocol, system, tensors, order of storages) and then the raw storages.
    Raises ValueError where it is another, UnpicklingError where a pickle names anything but tensors.
    """
    file, storages = io.BytesIO(content), dict[str, _Storage]()
    magic, _, system, tensors, order = (_Unpickler(file, storages).load() for _ in range(5))
    if magic != MAGIC or not system["little_endian"]:
        text = f"magic {magic!r} found, a little-endian weight file of PyTorch before 1.6 expected"
        raise ValueError(text)
    for key in order:
        storage = storages[key]
        size = int.from_bytes(file.read(8), "little")
        storage.data = np.frombuffer(file.read(size * storage.dtype.itemsize), storage.dtype)
    return {name: tensor.array() for name, tensor in tensors.items()}
