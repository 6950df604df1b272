"""Reading a TensorFlow.js graph model: `model.json` with the graph, one or more `.bin` files with the weights."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES = {"float32": np.float32, "float16": np.float16, "int32": np.int32, "bool": np.bool_}


@dataclass(frozen=True)
class Node:
    """One operation of the graph; `inputs` are `name` or `name:output`, without control edges."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def get(self, key: str, fallback: Any = None) -> Any:
        """Return an attribute as a plain value: int, float, bool, text, or a list of ints or texts."""
        if key not in self.attributes:
            return fallback
        ((kind, value),) = self.attributes[key].items()
        if kind == "list":
            return [int(item) for item in value["i"]] if "i" in value else [_text(item) for item in value.get("s", [])]
        return SCALARS[kind](value)


@dataclass(frozen=True)
class TfGraph:
    """A whole graph model: its nodes by name and its constants by name."""

    nodes: Mapping[str, Node]
    weights: Mapping[str, NDArray[Any]]

    def needed_for(self, names: list[str]) -> list[Node]:
        """Return the nodes that `names` come from, each after all that it needs."""
        order: list[Node] = []
        seen: set[str] = set()
        stack = [(name, False) for name in reversed(names)]
        while stack:
            name, done = stack.pop()
            if done:
                order.append(self.nodes[name])
            elif name not in seen:
                seen.add(name)
                stack.append((name, True))
                stack += [(source.split(":")[0], False) for source in self.nodes[name].inputs]
        return order


def read_graph(topology: bytes, weights: bytes) -> TfGraph:
    """Read a graph model from its JSON and its weights; raises ValueError where the two do not belong together."""
    spec = json.loads(topology)
    found: dict[str, NDArray[Any]] = {}
    at = 0
    for group in spec["weightsManifest"]:
        for entry in group["weights"]:
            found[entry["name"]], at = _weight(entry, weights, at)
    if at != len(weights):
        text = f"{len(weights)} bytes of weights found, {at} expected; take both files from the same package"
        raise ValueError(text)
    nodes = [_node(entry) for entry in spec["modelTopology"]["node"]]
    return TfGraph({node.name: node for node in nodes}, found)


def _node(entry: Mapping[str, Any]) -> Node:
    inputs = tuple(name for name in entry.get("input", []) if not name.startswith("^"))
    return Node(entry["name"], entry["op"], inputs, entry.get("attr", {}))


def _weight(entry: Mapping[str, Any], content: bytes, at: int) -> tuple[NDArray[Any], int]:
    """Read one weight at byte `at`; return it, and where the next begins. float16 is widened, which loses nothing."""
    stored = np.dtype(DTYPES[entry.get("quantization", entry)["dtype"]])
    count = int(np.prod(entry["shape"], dtype=np.int64))
    values = np.frombuffer(content, stored, count, at).reshape(entry["shape"])
    return values.astype(DTYPES[entry["dtype"]]), at + count * stored.itemsize


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()


SCALARS: dict[str, Callable[[Any], Any]] = {"i": int, "f": float, "b": bool, "s": _text, "type": str}
"""How JSON writes the kinds of attributes: whole numbers as texts, texts in base64."""
