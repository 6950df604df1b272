"""Tests of the default models themselves; they need what `make models` fetches."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from lamplight_kit.onnx import Session, check_golden, read_manifest, to_tensor
from lamplight_models import DEFAULT, default_folder, missing

pytestmark = pytest.mark.models
FOLDER = default_folder(os.environ)


def session(name: str) -> Session:
    """Open a model, or skip where it is not there."""
    lacking = missing(FOLDER, [name])
    if lacking:
        pytest.skip(f"model {name} is not ready; {lacking[0].cure}")
    return Session(read_manifest(FOLDER / f"{name}.yaml"))


@pytest.mark.parametrize("name", DEFAULT)
def test_the_model_gives_its_golden_answers(name: str) -> None:
    """What the manifest says of the answers is true on this machine."""
    check_golden(session(name))


@pytest.mark.parametrize("name", DEFAULT)
def test_a_picture_is_answered_the_same_alone_and_in_a_batch(name: str) -> None:
    """The batch axis is free, and neighbours do not change an answer."""
    model = session(name)
    height, width = model.manifest.input.input_hw or (64, 96)
    pictures = np.random.default_rng(3).integers(0, 256, (2, height, width, 3), np.uint8)
    both = model.run(to_tensor(pictures, model.manifest.input))
    second = model.run(to_tensor(pictures[1:], model.manifest.input))
    for output, values in second.items():
        np.testing.assert_allclose(values[0], both[output][1], rtol=1e-3, atol=1e-4)


def test_the_face_model_shows_no_landmarks() -> None:
    """No tensor in the file has the ten channels of eyes, nose and mouth, and no constant makes one."""
    manifest = session("centerface").manifest
    assert {output.meaning for output in manifest.outputs} == {"heatmap", "log_size", "offset"}
    graph = onnx.load(manifest.file).graph
    assert not [entry.name for entry in graph.initializer if "lm" in entry.name or entry.dims[:1] == [10]]


def test_the_embedding_is_the_mean_of_its_patches() -> None:
    """One vector for the whole, and one for each of 7 x 7 places, from the same run."""
    model = session("efficientnet-lite0")
    pictures = np.random.default_rng(3).integers(0, 256, (1, 224, 224, 3), np.uint8)
    outputs = model.run(to_tensor(pictures, model.manifest.input))
    np.testing.assert_allclose(outputs["patches"].mean((1, 2)), outputs["embedding"], rtol=1e-4, atol=1e-5)


def test_the_folder_is_all_that_a_service_needs() -> None:
    """Each manifest in the folder names a file in the folder."""
    for name in DEFAULT:
        assert session(name).manifest.file.parent == Path(FOLDER)
