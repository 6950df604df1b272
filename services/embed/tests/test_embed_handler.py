"""Embed turns sealed regions, and only those, into vectors under the same key."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from lamplight.embedding.v1 import embedding_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight.region.v1 import region_pb2
from lamplight.seal.v1 import seal_pb2
from lamplight_embed.adapters.opencv_pictures import decode
from lamplight_embed.handler import EmbedHandler
from lamplight_embed.seals import PatientVerifier
from lamplight_embed.vectors import normalised
from lamplight_kit.clock import ManualClock
from lamplight_kit.errors import Refuse, Retry
from lamplight_kit.kafka.types import Record
from lamplight_kit.seal import BadSeal, KeyRing
from lamplight_kit.testing.gate import FakeGate
from numpy.typing import NDArray

Draw = Callable[[int], NDArray[np.uint8]]
RegionOf = Callable[..., region_pb2.Region]


class MeanColour:
    """An encoder whose vector is the mean colour."""

    model_sha256 = "f" * 64
    dimension = 3

    def encode(self, picture_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        return normalised(picture_bgr.mean(axis=(0, 1)).astype(np.float32))


def record(region: region_pb2.Region, key: str = "a") -> Record:
    """Return `region` as read from its topic."""
    return Record("regions", 0, 0, key, region)


def handler(keys: KeyRing, clock: ManualClock | None = None, wait_s: float = 30.0) -> EmbedHandler:
    """Return embed's handler with the small encoder."""
    verifier = PatientVerifier(keys, clock or ManualClock(), wait_s)
    return EmbedHandler(MeanColour(), verifier, decode, max_masked_share=0.8)


def embeddings(made: EmbedHandler, *regions: region_pb2.Region) -> list[embedding_pb2.Embedding]:
    """Return what `made` makes of `regions`."""
    found = [outgoing.message for outgoing in made.handle([record(region) for region in regions])]
    assert all(isinstance(message, embedding_pb2.Embedding) for message in found)
    return found  # type: ignore[return-value]  # just asserted


def test_a_sealed_region_becomes_a_vector(gate: FakeGate, region_of: RegionOf, street: Draw) -> None:
    """The vector has length 1, names its encoder, and carries the region's source on."""
    region = region_of(street(1))
    (embedding,) = embeddings(handler(gate.ring()), region)
    vector = np.frombuffer(embedding.vectors, "<f4")
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    assert vector == pytest.approx(normalised(street(1).mean(axis=(0, 1)).astype(np.float32)), abs=0.01)
    assert (embedding.dimension, embedding.grid_rows, embedding.grid_columns) == (3, 1, 1)
    assert embedding.kind == embedding_pb2.VECTOR_KIND_POOLED
    assert embedding.model_sha256 == MeanColour.model_sha256
    assert embedding.source == region.source
    assert embedding.refused == ""


def test_an_example_keeps_its_key_and_its_enrolment(gate: FakeGate, region_of: RegionOf, street: Draw) -> None:
    """An example of a situation goes the same way, under the situation's key."""
    region = region_of(street(1), camera_id="")
    region.source.enrolment.CopyFrom(
        frame_pb2.Enrolment(situation_id="flood", reference_id="one.jpg", is_counter_example=True)
    )
    (outgoing,) = handler(gate.ring()).handle([record(region, key="flood")])
    assert outgoing.key == "flood"
    assert isinstance(outgoing.message, embedding_pb2.Embedding)
    assert outgoing.message.source.enrolment.is_counter_example


def test_a_changed_picture_goes_to_the_dead_letters(gate: FakeGate, region_of: RegionOf, street: Draw) -> None:
    """A region whose seal does not hold is refused as a message, never embedded."""
    region = region_of(street(1))
    region.picture = region.picture[:-3] + b"xyz"
    with pytest.raises(BadSeal):
        handler(gate.ring()).handle([record(region)])


def test_a_picture_of_another_camera_is_refused(gate: FakeGate, region_of: RegionOf, street: Draw) -> None:
    """A sealed picture cannot be passed off as another camera's."""
    region = region_of(street(1), camera_id="a")
    region.source.camera_id = "b"
    with pytest.raises(BadSeal, match="sealed for camera 'a'"):
        handler(gate.ring()).handle([record(region)])


def test_an_unknown_key_is_waited_for_and_then_refused(gate: FakeGate, region_of: RegionOf, street: Draw) -> None:
    """A key may be published after the region that it sealed; not for ever."""
    clock, keys = ManualClock(), KeyRing()
    made = handler(keys, clock, wait_s=30)
    region = region_of(street(1))
    with pytest.raises(Retry):
        made.handle([record(region)])
    clock.turn(29)
    with pytest.raises(Retry):
        made.handle([record(region)])
    clock.turn(2)
    with pytest.raises(BadSeal, match="published"):
        made.handle([record(region)])
    keys.add(gate.key)
    assert len(made.handle([record(region)])) == 1


@pytest.mark.parametrize("jpeg", [b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xdb\x00\x04ab\xff\xd9"])
def test_a_picture_that_is_none_is_told(gate: FakeGate, region_of: RegionOf, street: Draw, jpeg: bytes) -> None:
    """A sealed picture that cannot be decoded gives an embedding that says so: enrolment is waiting for one."""
    region = region_of(street(1))
    region.picture = gate.seal(jpeg, seal_pb2.Attestation(camera_id="a", height_px=120, width_px=160))
    (embedding,) = embeddings(handler(gate.ring()), region)
    assert "attested" in embedding.refused
    assert embedding.vectors == b""


def test_a_picture_that_is_nearly_all_mask_gets_no_vector(gate: FakeGate, region_of: RegionOf, street: Draw) -> None:
    """Such pictures resemble each other by their masks alone."""
    full, half = region_of(street(1), masked_share=0.81), region_of(street(1), masked_share=0.5)
    refused, embedded = embeddings(handler(gate.ring()), full, half)
    assert "81%" in refused.refused
    assert embedded.vectors


def test_a_black_picture_gets_no_vector(gate: FakeGate, region_of: RegionOf) -> None:
    """A vector without a direction cannot be compared."""
    (embedding,) = embeddings(handler(gate.ring()), region_of(np.zeros((32, 32, 3), np.uint8)))
    assert "direction" in embedding.refused


def test_what_is_no_region_is_refused() -> None:
    """A message of another type, or a removal, goes to the dead letters."""
    with pytest.raises(Refuse, match="a Region expected"):
        handler(KeyRing()).handle([Record("regions", 0, 7, "a", None)])
