"""On the real models: people are painted in colours that nothing else has, and no output holds any of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight.region.v1 import region_pb2
from lamplight_detect.bootstrap import local
from lamplight_detect.canary import expected
from lamplight_detect.canary.expected import Person
from lamplight_detect.decode import decode_still
from lamplight_detect.testing import Shelf
from lamplight_models import default_folder, missing
from numpy.typing import NDArray

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(missing(default_folder(os.environ))), reason="the models are not ready: run `make models`"),
]
NS = 1_000_000_000
START = 1_700_000_000 * NS
Bgr = NDArray[np.uint8]


def painted(bgr: Bgr, person: Person) -> Bgr:
    """Return the picture with somebody in magenta, their own light and shade kept: the models still find them."""
    left, top, right, bottom = (round(side) for side in person.box_xyxy)
    shown = cv2.cvtColor(bgr, cv2.COLOR_BGR2LAB)
    shown[top:bottom, left:right, 1:] = 128 + 60, 128 - 50
    return np.asarray(cv2.cvtColor(shown, cv2.COLOR_LAB2BGR), np.uint8)


def magenta(bgr: Bgr) -> int:
    """Return how many pixels are of that colour, as far as a JPEG keeps it."""
    blue, green, red = (bgr[..., channel].astype(int) for channel in range(3))
    return int(((blue - green > 50) & (red - green > 50)).sum())


@dataclass(frozen=True)
class Street:
    """A canary's street with its largest person painted."""

    bgr: Bgr
    person: Person


@pytest.fixture(scope="module")
def street() -> Street:
    """Paint the person of 120 px."""
    portrait = expected()[0]
    person = max(portrait.people, key=lambda one: one.height_px)
    return Street(painted(decode_still(portrait.data), person), person)


def decoded(jpeg: bytes) -> Bgr:
    """Return a JPEG's pixels."""
    found = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return np.asarray(found, np.uint8)


def test_no_painted_pixel_is_in_anything_that_leaves(street: Street) -> None:
    """Stored pictures, regions, an example of a situation: somebody's colour is in none of them."""
    shelf = Shelf()
    detect = local(store=shelf)
    camera = camera_pb2.Camera(id="c", sampling=camera_pb2.Sampling(min_gap_s=2, max_gap_s=30), evidence_every_s=1)
    data = cv2.imencode(".png", street.bgr)[1].tobytes()
    assert magenta(decode_still(data)) > 1_000
    frame = frame_pb2.Frame(camera_id="c", epoch=1, seq=1, at_ns=START, codec="png", data=data)
    frame.is_key = frame.examine = True
    results = [detect.detector.handle(frame, camera), detect.detector.flush("c")]
    records = [record.message for result in results for record in result.records]
    regions = [one.picture for one in records if isinstance(one, region_pb2.Region)]
    example, region = detect.redactor.example(data, 0, frame_pb2.Enrolment(situation_id="s"), lambda _: "key")
    assert region is not None
    outputs = [*shelf.pictures.values(), *regions, example.picture, region.picture]
    assert len(outputs) >= 4
    for output in outputs:
        assert magenta(decoded(output)) == 0


@pytest.mark.soak
def test_no_painted_pixel_is_in_a_redacted_video(street: Street, tmp_path: Path) -> None:
    """Nor in any picture of a video."""
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=5, options={"crf": "12"})
        stream.height, stream.width = street.bgr.shape[:2]
        stream.pix_fmt = "yuv444p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(street.bgr, format="bgr24")))
        container.mux(stream.encode(None))
    assert not local().redactor.redact_video(tmp_path / "in.mp4", tmp_path / "out.mp4").refused
    with av.open(str(tmp_path / "out.mp4")) as container:
        for shown in container.decode(video=0):
            assert magenta(shown.to_ndarray(format="bgr24")) == 0
