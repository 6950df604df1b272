"""Reading the detectors' outputs, and refusing what no working model answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lamplight_detect.detections import Detections
from lamplight_detect.models.centerface import CenterFace
from lamplight_detect.models.finder import ModelFault, believable
from lamplight_detect.models.letterbox import letterbox, padded, tensor_of
from lamplight_detect.models.nanodet import NanoDet
from lamplight_kit.onnx import Manifest, to_tensor
from lamplight_models import manifest
from numpy.typing import NDArray

Outputs = dict[str, NDArray[np.float32]]


@dataclass
class SaidSession:
    """A session that answers what a test makes of the tensor."""

    manifest: Manifest
    answer: Callable[[NDArray[np.float32]], Outputs]

    def run(self, tensor: NDArray[np.float32]) -> Outputs:
        """Answer."""
        return self.answer(tensor)


def nanodet_says(cell: int, class_id: int, score: float, side_bin: int) -> Outputs:
    """Return NanoDet's outputs with one detection at a cell of stride 32, each side `side_bin` strides away."""
    outputs: Outputs = {}
    for stride, cells in ((8, 2704), (16, 676), (32, 169)):
        outputs[f"scores_{stride}"] = np.linspace(0, 0.01, cells * 80, dtype=np.float32).reshape(1, cells, 80)
        outputs[f"sides_{stride}"] = np.zeros((1, cells, 44), np.float32)
    outputs["scores_32"][0, cell, class_id] = score
    bins = np.full((4, 11), -50, np.float32)
    bins[:, side_bin] = 50
    outputs["sides_32"][0, cell] = bins.ravel()
    return outputs


def centerface_says(tensor: NDArray[np.float32], row: int, column: int) -> Outputs:
    """Return CenterFace's outputs with one face of 40x20 (h x w) input pixels at a cell."""
    rows, columns = tensor.shape[2] // 4, tensor.shape[3] // 4
    outputs: Outputs = {
        "heatmap": np.zeros((1, 1, rows, columns), np.float32),
        "log_size": np.zeros((1, 2, rows, columns), np.float32),
        "offset": np.zeros((1, 2, rows, columns), np.float32),
    }
    outputs["heatmap"][0, 0, row, column] = 0.9
    outputs["log_size"][0, :, row, column] = np.log([10, 5])
    return outputs


def test_nanodet_reads_a_cell_as_a_box() -> None:
    """A cell's sides, in strides from its centre, become a box in pixels of the picture."""
    finder = NanoDet(SaidSession(manifest("nanodet"), lambda _: nanodet_says(13 * 6 + 6, 0, 0.8, 2)))
    found = finder.find(np.zeros((416, 416, 3), np.uint8), 0.3)
    assert found.boxes_xyxy.tolist() == [[144, 144, 272, 272]]
    assert found.class_ids.tolist() == [0]
    assert found.scores.tolist() == pytest.approx([0.8])


def test_nanodet_maps_back_through_the_letterbox() -> None:
    """A wide picture is padded above and below, and its boxes come back in its own pixels."""
    finder = NanoDet(SaidSession(manifest("nanodet"), lambda _: nanodet_says(13 * 6 + 6, 0, 0.8, 2)))
    found = finder.find(np.zeros((208, 832, 3), np.uint8), 0.3)
    assert found.boxes_xyxy.tolist() == [[288, 0, 544, 208]]


def test_centerface_reads_a_cell_as_a_face() -> None:
    """A face at a cell of the doubled picture comes back in the picture's own pixels."""
    finder = CenterFace(SaidSession(manifest("centerface"), lambda tensor: centerface_says(tensor, 10, 20)))
    found = finder.find(np.zeros((64, 128, 3), np.uint8), 0.3)
    assert found.boxes_xyxy.tolist() == [pytest.approx([36, 11, 46, 31], abs=0.01)]


def test_centerface_bounds_what_it_looks_at() -> None:
    """A large picture is not enlarged beyond the bound."""
    shapes = []

    def answer(tensor: NDArray[np.float32]) -> Outputs:
        shapes.append(tensor.shape)
        return centerface_says(tensor, 0, 0)

    CenterFace(SaidSession(manifest("centerface"), answer), max_px=100_000).find(np.zeros((720, 1280, 3), np.uint8), 1)
    assert shapes[0][2] * shapes[0][3] < 130_000


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _outputs: {},
        lambda outputs: {**outputs, "scores_8": outputs["scores_8"][:, :100]},
        lambda outputs: {**outputs, "sides_16": np.full_like(outputs["sides_16"], np.nan)},
        lambda outputs: {**outputs, "scores_32": np.full_like(outputs["scores_32"], np.inf)},
        lambda outputs: {**outputs, "scores_32": outputs["scores_32"] * 9},
    ],
    ids=["nothing", "wrong shape", "NaN", "infinity", "scores above 1"],
)
def test_what_no_model_answers_is_a_fault(spoil: Callable[[Outputs], Outputs]) -> None:
    """Outputs that are missing, misshapen, not finite or no scores raise, and never mean that nobody is there."""
    finder = NanoDet(SaidSession(manifest("nanodet"), lambda _: spoil(nanodet_says(0, 0, 0.8, 2))))
    with pytest.raises(ModelFault):
        finder.find(np.zeros((416, 416, 3), np.uint8), 0.05)


@pytest.mark.parametrize("box", [(-500, 0, 10, 10), (0, 0, 1e9, 5), (np.nan, 0, 1, 1)])
def test_boxes_far_outside_are_a_fault(box: tuple[float, float, float, float]) -> None:
    """A box that reaches farther beyond the picture than the picture is large says that the model is broken."""
    found = Detections(np.array([box], np.float32), np.ones(1, np.float32), np.zeros(1, np.int64))
    with pytest.raises(ModelFault):
        believable(found, (100, 200))


def test_a_model_of_another_kind_is_refused() -> None:
    """A finder does not take a model that decodes otherwise."""
    with pytest.raises(ModelFault, match="nanodet expected"):
        NanoDet(SaidSession(manifest("centerface"), lambda _: {}))
    with pytest.raises(ModelFault, match="centerface expected"):
        CenterFace(SaidSession(manifest("nanodet"), lambda _: {}))


@pytest.mark.parametrize("name", ["nanodet", "centerface"])
def test_the_table_gives_the_kits_tensor(name: str) -> None:
    """Look-up by table gives exactly what the kit's arithmetic gives, which golden outputs were made with."""
    spec = manifest(name).input
    picture = np.random.default_rng(3).integers(0, 256, (64, 96, 3), np.uint8)
    assert (tensor_of(picture, spec) == to_tensor(picture[None], spec)).all()


@given(st.integers(16, 300), st.integers(16, 300), st.tuples(*[st.floats(0, 1, width=32)] * 4))
def test_boxes_come_back_from_where_they_were_fitted(
    height: int, width: int, share: tuple[float, float, float, float]
) -> None:
    """Fitting a box forth and back gives the same box, letterboxed or padded."""
    picture = np.zeros((height, width, 3), np.uint8)
    box = np.array([share], np.float32) * np.array([width, height] * 2, np.float32)
    for _, fit in (letterbox(picture, (96, 96), 0), padded(picture, (2 * height, 2 * width), 32, 0)):
        there = box * np.array([fit.scale_x, fit.scale_y] * 2) + np.array([fit.left_px, fit.top_px] * 2)
        assert np.allclose(fit.back(there.astype(np.float32)), box, atol=0.05)
