"""What embed's tests share: a gate, drawn pictures, and regions as detect publishes them."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from lamplight.region.v1 import region_pb2
from lamplight.seal.v1 import seal_pb2
from lamplight_kit.testing.gate import FakeGate
from numpy.typing import NDArray


@pytest.fixture
def gate() -> FakeGate:
    """A gate with a key of its own."""
    return FakeGate()


@pytest.fixture
def street() -> Callable[[int], NDArray[np.uint8]]:
    """Draw a picture [120, 160, 3] of coarse blocks, the same for a seed."""

    def draw(seed: int) -> NDArray[np.uint8]:
        coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
        return np.kron(coarse, np.ones((20, 20, 1), np.uint8)).astype(np.uint8)

    return draw


@pytest.fixture
def region_of(gate: FakeGate) -> Callable[..., region_pb2.Region]:
    """Make a scene of a camera, sealed by `gate`."""

    def make(picture_bgr: NDArray[np.uint8], camera_id: str = "a", masked_share: float = 0.0) -> region_pb2.Region:
        jpeg = cv2.imencode(".jpg", picture_bgr)[1].tobytes()
        height, width = picture_bgr.shape[:2]
        attestation = seal_pb2.Attestation(
            camera_id=camera_id, height_px=height, width_px=width, masked_share=masked_share
        )
        source = region_pb2.RegionSource(
            region_id=f"{camera_id}-1-1-scene", camera_id=camera_id, kind=region_pb2.REGION_KIND_SCENE, at_ns=1
        )
        return region_pb2.Region(source=source, picture=gate.seal(jpeg, attestation))

    return make
