"""ONNX models with manifests: read a manifest, open a verified session, check it against its golden outputs."""

from __future__ import annotations

from lamplight_kit.onnx.errors import ModelBroken, ModelMissing, TensorRefused
from lamplight_kit.onnx.golden import check_golden, measure_golden
from lamplight_kit.onnx.manifest import ClassName, Input, Kind, Manifest, Output, Role
from lamplight_kit.onnx.manifest_file import read_manifest
from lamplight_kit.onnx.session import Session
from lamplight_kit.onnx.tensors import golden_input, to_tensor

__all__ = [
    "ClassName",
    "Input",
    "Kind",
    "Manifest",
    "ModelBroken",
    "ModelMissing",
    "Output",
    "Role",
    "Session",
    "TensorRefused",
    "check_golden",
    "golden_input",
    "measure_golden",
    "read_manifest",
    "to_tensor",
]
