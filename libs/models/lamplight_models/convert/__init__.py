"""From a package's files to ONNX; `convert` knows the recipes that manifests name. Needs numpy and onnx only."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import onnx

from lamplight_models.convert.centerface import centerface
from lamplight_models.convert.efficientnet_lite import efficientnet_lite
from lamplight_models.convert.qdq import Ranges, quantise, simplify
from lamplight_models.convert.sooner import sooner
from lamplight_models.convert.tfjs import convert as convert_tfjs
from lamplight_models.convert.tfjs_graph import read_graph

NANODET_OUTPUTS = {
    "Identity": "scores_8",
    "Identity_1": "scores_16",
    "Identity_2": "scores_32",
    "Identity_3": "sides_8",
    "Identity_4": "sides_16",
    "Identity_5": "sides_32",
}
CALIBRATION = Path(__file__).parents[1] / "calibration"
CENTERNET_OUTPUTS = {"tower_0/keypoints": "heatmap", "tower_0/wh": "sides"}


def nanodet(topology: bytes, weights: bytes) -> onnx.ModelProto:
    """Convert NanoDet from TensorFlow.js: scores and sides at strides of 8, 16 and 32 pixels."""
    return convert_tfjs(read_graph(topology, weights), NANODET_OUTPUTS)


def nanodet_int8(topology: bytes, weights: bytes) -> onnx.ModelProto:
    """Convert NanoDet and quantise it, with the ranges that `lamplight_models.calibrate` measured."""
    return sooner(quantise(simplify(nanodet(topology, weights)), read_ranges(CALIBRATION / "nanodet.json")))


def read_ranges(path: Path) -> Ranges:
    """Read the least and largest values of tensors, a JSON object of pairs."""
    return {name: (low, high) for name, (low, high) in json.loads(path.read_text()).items()}


def centernet(topology: bytes, weights: bytes) -> onnx.ModelProto:
    """Convert CenterNet from TensorFlow.js, cut off before its own search for peaks."""
    return convert_tfjs(read_graph(topology, weights), CENTERNET_OUTPUTS)


RECIPES: dict[str, Callable[..., onnx.ModelProto]] = {
    "nanodet": nanodet,
    "nanodet-int8": nanodet_int8,
    "centernet": centernet,
    "centerface": centerface,
    "efficientnet-lite": efficientnet_lite,
}


def to_onnx(recipe: str, files: list[bytes]) -> bytes:
    """Convert the `files` of a package by `recipe`, always to the same bytes; raises KeyError for an unknown one."""
    return RECIPES[recipe](*files).SerializeToString(deterministic=True)
