"""What the constants of the calibration stand on: the default encoder, on the committed dev scenes.

A flood is drawn over a real junction; the junction in other light, and other streets, must stay apart from it.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import lamplight_demo
import numpy as np
import pytest
from lamplight.command.v1 import command_pb2
from lamplight.embedding.v1 import embedding_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight.match.v1 import match_pb2
from lamplight.region.v1 import region_pb2
from lamplight.seal.v1 import seal_pb2
from lamplight.situation.v1 import situation_pb2
from lamplight_embed.bootstrap import local as local_embed
from lamplight_embed.handler import EmbedHandler
from lamplight_kit.kafka.types import Record
from lamplight_kit.testing.gate import FakeGate
from lamplight_match.bootstrap import local as local_match
from lamplight_match.calibration import FLOOR
from lamplight_match.testing import a_situation
from lamplight_models import default_folder, missing, paths
from numpy.typing import NDArray

FOLDER = default_folder(os.environ)
FOOTAGE = Path(lamplight_demo.__file__).parent / "footage"
JUNCTION = [f"neA69A1_20200508_{at}.jpg" for at in (1040, 1050, 1100)]
OTHERS = ["tfl01251_20200620_2010.jpg", "usgov_34501842524.jpg", "usgov_19064748793.jpg"]
WATERS = [(110, 120, 120), (90, 110, 130), (130, 130, 125), (80, 95, 105)]
pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(missing(FOLDER)), reason="the default models are not there: run `make models`"),
]
Picture = NDArray[np.uint8]


def scene(name: str) -> Picture:
    """Return a committed scene [H, W, 3]."""
    read = cv2.imread(str(FOOTAGE / name))
    assert read is not None, name
    return read.astype(np.uint8)


def flooded(picture: Picture, level: float, water: int) -> Picture:
    """Draw water of one of WATERS from `level` (a fraction of the height) down, with the mirrored scene in it."""
    height, width = picture.shape[:2]
    top = int(height * level)
    mirrored = cv2.resize(picture[max(0, 2 * top - height) : top][::-1], (width, height - top)).astype(np.float32)
    noise = np.random.default_rng(water).normal(0, 40, (height - top, width)).astype(np.float32)
    ripple = 3 * cv2.GaussianBlur(noise, (0, 0), 6, sigmaY=1)[..., np.newaxis]
    wet = picture.astype(np.float32)
    colour = np.array(WATERS[water], np.float32)
    wet[top:] = 0.55 * colour + 0.35 * cv2.GaussianBlur(mirrored, (0, 0), 3) + 0.1 * wet[top:] + ripple
    return np.clip(wet, 0, 255).astype(np.uint8)


def in_light(picture: Picture, gamma: float) -> Picture:
    """Return the picture brighter (gamma below 1) or darker."""
    return np.clip(255 * (picture / 255.0) ** gamma, 0, 255).astype(np.uint8)


class Eyes:
    """Pictures through a gate's seal and the default encoder."""

    def __init__(self) -> None:
        self._gate = FakeGate()
        self._embed: EmbedHandler = local_embed(keys=self._gate.ring(), manifest=paths(FOLDER)["embedder"])

    def see(self, picture: Picture, key: str, enrolment: frame_pb2.Enrolment | None = None) -> Record:
        """Return the embedding of a picture, as match reads it."""
        height, width = picture.shape[:2]
        attestation = seal_pb2.Attestation(camera_id="" if enrolment else key, height_px=height, width_px=width)
        jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
        source = region_pb2.RegionSource(
            camera_id=attestation.camera_id, kind=region_pb2.REGION_KIND_SCENE, enrolment=enrolment
        )
        region = region_pb2.Region(source=source, picture=self._gate.seal(jpeg, attestation))
        (made,) = self._embed.handle([Record("regions", 0, 0, key, region)])
        assert isinstance(made.message, embedding_pb2.Embedding)
        return Record("embeddings", 0, 0, made.key, made.message)

    def vector(self, picture: Picture) -> NDArray[np.float32]:
        """Return the vector of a picture."""
        message = self.see(picture, "a").message
        assert isinstance(message, embedding_pb2.Embedding)
        return np.frombuffer(message.vectors, "<f4").astype(np.float32)


@pytest.fixture(scope="module")
def eyes() -> Eyes:
    """The default encoder behind a gate."""
    return Eyes()


def test_streets_resemble_each_other_less_than_the_floor(eyes: Eyes) -> None:
    """And views of one street more: the floor of every threshold lies between."""
    junction = [eyes.vector(scene(name)) for name in JUNCTION]
    others = [eyes.vector(scene(name)) for name in OTHERS]
    assert max(float(one @ other) for one in junction for other in others) < FLOOR
    assert max(float(one @ other) for one, other in itertools.combinations(others, 2)) < FLOOR
    assert min(float(one @ other) for one, other in itertools.combinations(junction, 2)) > FLOOR


def test_a_drawn_flood_is_told_from_the_dry_street_in_any_light(eyes: Eyes) -> None:
    """Enrolled from two pictures, matched on a third that was taken later: every wet view, and none of the dry ones."""
    handler = local_match()
    wet = [flooded(scene(JUNCTION[number % 2]), level, number) for number, level in enumerate((0.55, 0.6, 0.65, 0.5))]
    dry = [scene(name) for name in JUNCTION[:2]]
    examples, counters = tuple(f"wet{n}" for n in range(4)), tuple(f"dry{n}" for n in range(2))
    for name, picture in zip((*examples, *counters), (*wet, *dry), strict=True):
        enrolment = frame_pb2.Enrolment(
            situation_id="flood", reference_id=name, is_counter_example=name.startswith("dry")
        )
        handler.handle([eyes.see(picture, "flood", enrolment)])
    command = command_pb2.Command(command_id="c1", enrol_situation=a_situation(examples, counters))
    (made,) = handler.handle([Record("commands", 0, 0, "flood", command)])
    assert isinstance(made.message, situation_pb2.Situation)
    assert made.message.state == situation_pb2.Situation.STATE_READY, made.message.reason

    def matched(pictures: Sequence[Picture]) -> list[bool]:
        found = [handler.handle([eyes.see(picture, "canal-1")])[0].message for picture in pictures]
        return [bool(one.matches) for one in found if isinstance(one, match_pb2.Matches)]

    later = scene(JUNCTION[2])
    gammas = (0.8, 1.0, 1.25)
    assert all(matched([in_light(flooded(later, level, 3), gamma) for level in (0.52, 0.62) for gamma in gammas]))
    assert not any(matched([in_light(later, gamma) for gamma in gammas]))
    assert not any(matched([scene(name) for name in OTHERS]))
