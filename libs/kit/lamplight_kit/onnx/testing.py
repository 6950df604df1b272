"""A model of a few bytes with its manifest, for tests that need one that loads and answers; needs `onnx`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
from onnx import TensorProto, helper

MANIFEST = """\
version: 1
name: tiny
role: embedder
file: tiny.onnx
sha256: {sha256}
licence: Apache-2.0
input:
  name: images
  shape: [N, 3, H, W]
  colours: RGB
  mean: [127, 127, 127]
  std: [128, 128, 128]
  fit: free
  multiple_of: 4
outputs:
- {{name: embedding, shape: [N, 3], meaning: embedding}}
decode: {{kind: embedding}}
thresholds: {{}}
"""


def tiny_model(folder: Path, op: str = "Identity") -> Path:
    """Write a model whose embedding is each colour's mean after the operation `op`; return its manifest's path."""
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, "H", "W"])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 3])
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node(op, ["flat"], ["embedding"]),
    ]
    graph = helper.make_graph(nodes, "tiny", [images], [embedding])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    content = model.SerializeToString(deterministic=True)
    (folder / "tiny.onnx").write_bytes(content)
    manifest = folder / "tiny.yaml"
    manifest.write_text(MANIFEST.format(sha256=hashlib.sha256(content).hexdigest()))
    return manifest
