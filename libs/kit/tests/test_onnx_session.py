"""Tests of sessions: only the model that its manifest names is run, and only whole answers come out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lamplight_kit.errors import Refuse
from lamplight_kit.onnx import (
    ModelBroken,
    ModelMissing,
    Session,
    TensorRefused,
    check_golden,
    golden_input,
    measure_golden,
    read_manifest,
    to_tensor,
)
from lamplight_kit.onnx.manifest import Manifest
from lamplight_kit.onnx.session import is_finite as is_finite_of
from lamplight_kit.onnx.testing import tiny_model


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Make a model whose embedding is each colour's mean."""
    return read_manifest(tiny_model(tmp_path))


def test_outputs_come_by_name(manifest: Manifest) -> None:
    """The embedding of one grey value is that value, as the manifest scales it."""
    pictures = np.full((2, 8, 12, 3), 255, np.uint8)
    outputs = Session(manifest).run(to_tensor(pictures, manifest.input))
    assert outputs.keys() == {"embedding"}
    np.testing.assert_allclose(outputs["embedding"], np.ones((2, 3)), rtol=1e-6)


def test_colours_go_where_the_model_wants_them(manifest: Manifest) -> None:
    """A blue picture in OpenCV's order has its blue in the last channel of an RGB model, the first of a BGR one."""
    blue = np.zeros((1, 4, 4, 3), np.uint8)
    blue[..., 0] = 255
    assert to_tensor(blue, manifest.input)[0, :, 0, 0].tolist() == [-127 / 128, -127 / 128, 1.0]
    assert to_tensor(blue, replace(manifest.input, colours="BGR"))[0, :, 0, 0].tolist() == [1.0, -127 / 128, -127 / 128]


def test_a_changed_file_is_never_loaded(manifest: Manifest) -> None:
    """One changed byte, and the file is not what was checked and licensed."""
    content = bytearray(manifest.file.read_bytes())
    content[-1] ^= 1
    manifest.file.write_bytes(content)
    with pytest.raises(ModelBroken, match="sha256"):
        Session(manifest)


def test_a_missing_file_names_the_cure(manifest: Manifest) -> None:
    """Without the file there is no session, and the text says what brings it."""
    manifest.file.unlink()
    with pytest.raises(ModelMissing, match="make models"):
        Session(manifest)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path, manifest: Manifest) -> None:
    """Bytes with the right checksum that are no model end in our own error."""
    import hashlib

    (tmp_path / "tiny.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelBroken, match="a model for onnxruntime expected"):
        Session(replace(manifest, sha256=hashlib.sha256(b"nothing").hexdigest()))


def test_another_input_than_the_manifest_says_is_refused(manifest: Manifest) -> None:
    """A manifest that belongs to another model is found out when it is opened."""
    with pytest.raises(ModelBroken, match="inputs"):
        Session(replace(manifest, input=replace(manifest.input, name="pixels")))
    with pytest.raises(ModelBroken, match="inputs"):
        Session(replace(manifest, input=replace(manifest.input, shape=("N", 3, 64, 64))))


def test_another_output_than_the_manifest_says_is_refused(manifest: Manifest) -> None:
    """A vector of another length is another model."""
    output = replace(manifest.outputs[0], shape=("N", 4))
    with pytest.raises(ModelBroken, match="outputs"):
        Session(replace(manifest, outputs=(output,)))


@pytest.mark.parametrize(
    "tensor",
    [
        np.zeros((1, 3, 8, 8)),
        np.zeros((3, 8, 8), np.float32),
        np.zeros((1, 4, 8, 8), np.float32),
        np.zeros((1, 3, 8, 9), np.float32),
        np.zeros((0, 3, 8, 8), np.float32),
        np.zeros((1, 3, 0, 8), np.float32),
    ],
    ids=["float64", "no batch", "four colours", "odd side", "no picture", "no height"],
)
def test_an_odd_input_is_refused(manifest: Manifest, tensor: np.ndarray) -> None:
    """What the manifest does not allow never reaches the model; the message goes to the dead letters."""
    with pytest.raises(TensorRefused, match="expected") as raised:
        Session(manifest).run(tensor)
    assert isinstance(raised.value, Refuse)


def test_a_model_that_answers_nan_is_no_answer(tmp_path: Path) -> None:
    """A square root of what is below 0 is not a number: nobody may conclude from it that nobody is there."""
    manifest = read_manifest(tiny_model(tmp_path, op="Sqrt"))
    dark = to_tensor(np.zeros((1, 8, 8, 3), np.uint8), manifest.input)
    with pytest.raises(TensorRefused, match="NaN"):
        Session(manifest).run(dark)


def test_the_golden_input_is_the_same_everywhere(manifest: Manifest) -> None:
    """It is made of whole numbers only, looks like a picture, and its batch repeats nothing."""
    first = golden_input((1, 3, 8, 12), replace(manifest.input, mean=(0, 0, 0), std=(1, 1, 1), colours="BGR"))
    assert first.shape == (1, 3, 8, 12)
    assert first[0, :, 0, 0].tolist() == [0, 40, 80]
    assert first[0, 0, 0, :4].tolist() == [0, 3, 6, 9]
    assert first[0, 0, :4, 0].tolist() == [0, 5, 10, 15]
    assert first.min() >= 0
    assert first.max() <= 255


def test_a_model_passes_its_own_golden_values(manifest: Manifest) -> None:
    """What was measured is what is found again."""
    golden = measure_golden(Session(manifest), tolerance=0.01)
    assert golden.shape == (1, 3, 128, 132)
    check_golden(Session(replace(manifest, golden=golden)))


def test_another_answer_than_the_golden_one_is_found_out(manifest: Manifest) -> None:
    """A machine or a runtime that computes something else must not run the model."""
    golden = measure_golden(Session(manifest), tolerance=0.01)
    wrong = replace(golden.outputs[0], values=(*golden.outputs[0].values[:-1], golden.outputs[0].values[-1] + 0.5))
    with pytest.raises(ModelBroken, match="golden values"):
        check_golden(Session(replace(manifest, golden=replace(golden, outputs=(wrong,)))))
    short = replace(golden.outputs[0], values=golden.outputs[0].values[:-1])
    with pytest.raises(ModelBroken, match="golden values"):
        check_golden(Session(replace(manifest, golden=replace(golden, outputs=(short,)))))


def test_a_model_without_golden_values_is_not_checked_by_silence(manifest: Manifest) -> None:
    """Where there is nothing to check against, the check fails and says how to get it."""
    with pytest.raises(ModelBroken, match="--golden"):
        check_golden(Session(manifest))


@pytest.mark.parametrize(
    ("values", "is_finite"),
    [((1.0, 2.0), True), ((3e38, 3e38), True), ((1.0, np.nan), False), ((np.inf, -np.inf), False)],
)
def test_whatever_is_no_number_is_told(values: tuple[float, ...], *, is_finite: bool) -> None:
    """Also among numbers whose sum is none."""
    assert is_finite_of(np.array(values, np.float32)) == is_finite
