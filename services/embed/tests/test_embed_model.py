"""The default encoder: the same place resembles itself, masks cost little, and a manifest must fit."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lamplight.embedding.v1 import embedding_pb2
from lamplight.region.v1 import region_pb2
from lamplight_embed.adapters.onnx_encoder import OnnxEncoder
from lamplight_embed.bootstrap import local
from lamplight_kit.errors import Stop
from lamplight_kit.kafka.types import Record
from lamplight_kit.testing.gate import FakeGate
from lamplight_models import default_folder, missing, paths
from numpy.typing import NDArray

Draw = Callable[[int], NDArray[np.uint8]]
RegionOf = Callable[..., region_pb2.Region]

FOLDER = default_folder(os.environ)
pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(missing(FOLDER)), reason="the default models are not there: run `make models`"),
]


@pytest.fixture(scope="module")
def encoder() -> OnnxEncoder:
    """The default encoder."""
    return OnnxEncoder(paths(FOLDER)["embedder"])


def test_vectors_have_length_one_and_repeat(street: Draw, encoder: OnnxEncoder) -> None:
    """The same picture gives the same vector."""
    first, second = encoder.encode(street(1)), encoder.encode(street(1))
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    assert (first == second).all()
    assert len(first) == encoder.dimension


def test_a_slightly_changed_picture_resembles_itself_more_than_another(street: Draw, encoder: OnnxEncoder) -> None:
    """Darker by a tenth is nearer than another place."""
    first = encoder.encode(street(1))
    darker = encoder.encode((street(1) * 0.9).astype(np.uint8))
    other = encoder.encode(street(2))
    assert float(first @ darker) > float(first @ other)


def test_grey_masks_cost_less_than_black_ones(street: Draw, encoder: OnnxEncoder) -> None:
    """The gate's grey is 0 after normalising: the reason for docs/decisions/0070."""
    whole = encoder.encode(street(3))
    similarities = {}
    for fill in (0, 127):
        masked = street(3).copy()
        masked[40:90, 50:80] = fill
        similarities[fill] = float(whole @ encoder.encode(masked))
    assert similarities[127] > similarities[0]


def test_local_is_the_same_handler_without_kafka(gate: FakeGate, region_of: RegionOf, street: Draw) -> None:
    """What `lamplight watch` uses: a ring of keys, regions in, embeddings out."""
    handler = local(keys=gate.ring(), manifest=paths(FOLDER)["embedder"])
    (outgoing,) = handler.handle([Record("regions", 0, 0, "a", region_of(street(1)))])
    assert isinstance(outgoing.message, embedding_pb2.Embedding)
    assert outgoing.message.dimension == 1280


def test_a_detector_is_no_encoder() -> None:
    """A manifest of another role stops the start and names the setting."""
    with pytest.raises(Stop, match="LAMPLIGHT_EMBEDDER"):
        OnnxEncoder(Path(paths(FOLDER)["things"]))
