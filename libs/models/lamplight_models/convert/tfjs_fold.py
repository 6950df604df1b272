"""Working out, with numpy, what needs no picture: nodes whose inputs are all constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamplight_models.convert.tfjs_graph import Node


def fold(node: Node, inputs: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return the value of `node`; raises NotImplementedError for an operation that no default model has."""
    if node.op not in FOLDS:
        text = f"{node.op} of constants ({node.name}) found, one of {', '.join(sorted(FOLDS))} expected"
        raise NotImplementedError(text)
    return FOLDS[node.op](*inputs)


def _sparse_to_dense(
    indices: NDArray[Any], shape: NDArray[Any], values: NDArray[Any], default: NDArray[Any]
) -> NDArray[Any]:
    dense = np.full(shape.ravel(), default.ravel()[0] if default.size else 0, values.dtype)
    if indices.size:
        dense[tuple(np.atleast_2d(indices).reshape(-1, dense.ndim).T)] = values
    return dense


def _concatenate(*inputs: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate(inputs[:-1], int(inputs[-1]))


def _reshape(values: NDArray[Any], shape: NDArray[Any]) -> NDArray[Any]:
    return values.reshape(shape)


FOLDS: dict[str, Callable[..., NDArray[Any]]] = {
    "Add": np.add,
    "AddV2": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "FloorDiv": np.floor_divide,
    "Identity": np.asarray,
    "Reshape": _reshape,
    "Transpose": np.transpose,
    "ConcatV2": _concatenate,
    "SparseToDense": _sparse_to_dense,
}
