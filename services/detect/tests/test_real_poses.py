"""The real models over pictures that are turned, squeezed, or of pixels that are not square."""

from __future__ import annotations

import os
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from lamplight_detect.bootstrap import Local, local
from lamplight_detect.gate import GateClosed
from lamplight_models import default_folder, missing
from numpy.typing import NDArray

MEDIA = Path(os.environ.get("LAMPLIGHT_TEST_MEDIA", "")) / "people_objects"
PLATE = (543, 425, 613, 442)
"""The readable plate of the nearest oncoming car in vienna-street."""
STANDING = (395, 70, 500, 370)
"""The man at the right of jet-red-carpet, from his neck to his shoes; 585x388."""
FILL, NEAR = 127, 14
pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(missing(default_folder(os.environ))), reason="the models are not ready: run `make models`"),
    pytest.mark.skipif("LAMPLIGHT_TEST_MEDIA" not in os.environ, reason="no footage: set LAMPLIGHT_TEST_MEDIA"),
]


@cache
def detect() -> Local:
    """Return detect on the real models."""
    return local()


def picture(name: str) -> NDArray[np.uint8]:
    """Return a dev picture."""
    return np.asarray(cv2.imread(str(MEDIA / name), cv2.IMREAD_COLOR), np.uint8)


def redacted(bgr: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return what leaves, None where nothing does."""
    result = detect().redactor.redact_picture(cv2.imencode(".png", bgr)[1].tobytes())
    if result.refused:
        return None
    return np.asarray(cv2.imdecode(np.frombuffer(result.picture, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def filled(bgr: NDArray[np.uint8], box: tuple[int, int, int, int]) -> float:
    """Return the share of a box that is the fill."""
    left, top, right, bottom = box
    return float((np.abs(bgr[top:bottom, left:right].astype(int) - FILL).max(axis=2) <= NEAR).mean())


@pytest.mark.parametrize("turns", [1, 2])
def test_a_plate_is_masked_however_the_camera_hangs(turns: int) -> None:
    """A camera upside down or on its side, and no word of it in the file: the plate is masked, or nothing leaves."""
    out = redacted(np.ascontiguousarray(np.rot90(picture("usgov_19064748793.jpg"), turns)))
    if out is not None:
        assert filled(np.rot90(out, -turns), PLATE) >= 0.9


@pytest.mark.parametrize("size", [(352, 576), (704, 288), (240, 800)], ids=["half D1", "2CIF", "strip"])
def test_people_are_masked_in_pictures_whose_pixels_are_not_square(size: tuple[int, int]) -> None:
    """CCTV recorders store 352x576 and 704x288 of a 4:3 view: whoever stands there is masked, or nothing leaves."""
    whole = picture("jet_humans_1.jpg")
    out = redacted(np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.uint8))
    if out is not None:
        across, down = size[0] / whole.shape[1], size[1] / whole.shape[0]
        left, top, right, bottom = STANDING
        assert (
            filled(out, (round(left * across), round(top * down), round(right * across), round(bottom * down))) >= 0.9
        )


def test_a_video_with_pixels_that_are_not_square_is_searched_as_it_is_shown(tmp_path: Path) -> None:
    """The stream says its sample aspect ratio (half D1: 24:11); the search takes it into account."""
    path, out = tmp_path / "in.mp4", tmp_path / "out.mp4"
    whole = picture("jet_humans_1.jpg")
    shown = np.asarray(cv2.resize(whole, (352, 576), interpolation=cv2.INTER_AREA), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5, options={"crf": "14"})
        stream.width, stream.height, stream.pix_fmt = 352, 576, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(585 * 576, 388 * 352)
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="bgr24")))
        container.mux(stream.encode(None))
    try:
        refused = detect().redactor.redact_video(path, out).refused
    except GateClosed:
        return
    if refused:
        return
    with av.open(str(out)) as container:
        last = np.asarray([one.to_ndarray(format="bgr24") for one in container.decode(video=0)][-1], np.uint8)
    across, down = last.shape[1] / 585, last.shape[0] / 388
    left, top, right, bottom = STANDING
    assert filled(last, (round(left * across), round(top * down), round(right * across), round(bottom * down))) >= 0.9
