"""The encoder of redacted videos: what it was given is all that shapes what it writes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from lamplight_detect.gate.masks import redact
from lamplight_detect.gate.picture import RedactedPicture
from lamplight_detect.gate.video import RedactedVideo

HW = (48, 64)
PICTURES, TIMES = 4, 8
SHAPED = (8, 13, 31)
"""Seeds of clips that libx264's macroblock tree wrote in several ways."""


def masked(seed: int) -> list[RedactedPicture]:
    """Return pictures of noise that show a window or two each, and are masked beside them."""
    random = np.random.default_rng(seed)
    height, width = HW
    scene = random.integers(60, 200, (*HW, 3), np.uint8)
    pictures = []
    for _ in range(PICTURES):
        bgr = (scene + random.integers(0, 3, (*HW, 3), np.uint8)).astype(np.uint8)
        mask = np.ones(HW, np.bool_)
        for _ in range(random.integers(1, 3)):
            left, top = random.integers(0, width - 8), random.integers(0, height - 8)
            tall, wide = random.integers(8, height // 2), random.integers(8, width // 2)
            mask[top : top + tall, left : left + wide] = False
        pictures.append(redact(bgr, {}, mask, None, 1.0))
    return pictures


def encoded(pictures: Sequence[RedactedPicture], path: Path) -> bytes:
    """Return the bytes of a video of `pictures`, two seconds apart."""
    with RedactedVideo(path, Fraction(10)) as video:
        for number, picture in enumerate(pictures):
            video.add(picture, 2.0 * number)
        video.finish()
    return path.read_bytes()


def test_what_lay_in_memory_before_does_not_shape_a_video(tmp_path: Path) -> None:
    """The same pictures are the same bytes, whatever the memory that the encoder gets held before."""
    random = np.random.default_rng(0)
    for seed in SHAPED:
        pictures = masked(seed)
        made = set()
        for level in range(TIMES):
            left_behind = [np.full(random.integers(1_000, 200_000), 31 * level, np.uint8) for _ in range(20)]
            del left_behind
            made.add(encoded(pictures, tmp_path / "out.mp4"))
        assert len(made) == 1
