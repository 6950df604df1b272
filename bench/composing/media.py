"""Reading the footage: pictures, and pictures of videos."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Bgr = NDArray[np.uint8]
"""A picture [H, W, 3]."""


@lru_cache(maxsize=64)
def picture(path: Path, number: int | None = None) -> Bgr:
    """Return the picture at `path`, or that of this `number` of a video; ValueError where there is none."""
    bgr = cv2.imread(str(path)) if number is None else next(islice(_decoded(path), number, None), None)
    if bgr is None:
        message = f"no picture{'' if number is None else f' {number}'} in {path} found, one expected"
        raise ValueError(message)
    return np.asarray(bgr, np.uint8)


def pictures(path: Path, last: int, every: int) -> list[Bgr]:
    """Return one of `every` pictures of a video, those before number `last`."""
    return list(islice(_decoded(path), 0, last, every))


def _decoded(path: Path) -> Iterator[Bgr]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
