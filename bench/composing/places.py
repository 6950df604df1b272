"""Where people are put: real places without anybody, and how tall somebody is where in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from composing.media import Bgr, picture, pictures

Box = tuple[float, float, float, float]
SHRUNK_W, SHRUNK_H = 640, 427
ROAD_EVERY, ROAD_LAST = 2, 326
"""One of so many pictures of the road's clip is taken, up to the last one of which we know the cars."""


@dataclass(frozen=True)
class Knot:
    """Somebody of `height_px` stands with their feet at `foot_y`, and is seen from `left_x` to `right_x`."""

    height_px: float
    foot_y: float
    left_x: float
    right_x: float


@dataclass(frozen=True)
class Place:
    """A place: its pictures (one that is shown again and again, or a clip's), and its perspective, far to near.

    `vehicles` are those of the place, as boxes of left, top, width and height: by the picture's number, or under None
    for all; where only some numbers are told, only these pictures are labelled.
    """

    shown: Sequence[Bgr]
    knots: tuple[Knot, ...]
    vehicles: Mapping[int | None, Sequence[Box]]
    is_street: bool = True
    stops_x: tuple[float, float] | None = None
    """Between which columns they stop; anywhere that they are seen where that is None."""

    def at(self, height_px: float) -> Knot:
        """Return where somebody of this height stands and is seen."""
        heights = [knot.height_px for knot in self.knots]
        rows = [(knot.foot_y, knot.left_x, knot.right_x) for knot in self.knots]
        foot, left, right = (float(np.interp(height_px, heights, column)) for column in zip(*rows, strict=True))
        return Knot(height_px, foot, left, right)


def crossing(media: Path) -> Place:
    """Return a wide road with a zebra crossing by day, under trees; a car waits in it and others stand far off."""
    whole = picture(media / "people_objects/usgov_34501842524.jpg")
    small = cv2.resize(whole, (SHRUNK_W, SHRUNK_H), interpolation=cv2.INTER_AREA)[67:]
    labelled = ((378, 361, 67, 61), (0, 369, 17, 24), (14, 367, 43, 18), (83, 364, 12, 13))
    scale = SHRUNK_W / whole.shape[1]
    vehicles = [(x * scale, y * scale - 67, w * scale, h * scale) for x, y, w, h in labelled]
    knots = Knot(16, 209, 60, 300), Knot(40, 238, 0, 640), Knot(120, 318, 0, 640)
    return Place([np.asarray(small, np.uint8)], knots, {None: vehicles})


def junction(media: Path) -> Place:
    """Return a grey junction in a village: the middle of three pictures, so that who and what passes is gone."""
    names = (f"situations/neA69A1_20200508_{time}.jpg" for time in ("1040", "1050", "1100"))
    middle = np.median(np.stack([picture(media / name) for name in names]), axis=0).astype(np.uint8)
    knots = Knot(16, 74, 235, 345), Knot(50, 180, 60, 470), Knot(118, 396, 0, 470)
    return Place([middle[:400, :470]], knots, {None: ()})


def plain(media: Path) -> Place:
    """Return a wide plain of grass, animals far off: no street, but a place where far people are small."""
    whole = picture(media / "coco/000000215245.jpg")
    knots = Knot(16, 190, 0, 640), Knot(50, 244, 0, 640)
    return Place([whole[:250]], knots, {None: ()}, is_street=False)


def road(media: Path) -> Place:
    """Return a road from above, a real clip: light, trails and cars that pass are the camera's own."""
    path = media / "videos/road_topdown_cars.mp4"
    size = (640, 360)
    all_shown = (cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in pictures(path, ROAD_LAST, ROAD_EVERY))
    shown = [np.asarray(one, np.uint8) for one in all_shown]
    scale = 640 / 768
    cars: dict[int | None, Sequence[Box]] = {number // ROAD_EVERY: () for number in ROAD_EMPTY}
    for number, boxes in ROAD_CARS.items():
        cars[number // ROAD_EVERY] = [(x * scale, y * scale, w * scale, h * scale) for x, y, w, h in boxes]
    return Place(shown, (Knot(50, 90, 0, 640), Knot(110, 340, 0, 640)), cars, stops_x=(430, 620))


ROAD_EMPTY = (130, 140, 150, 160, 170, 250, 260, 270, 280, 290)
"""Pictures of the road's clip without a car, each looked at."""
ROAD_CARS: Mapping[int, Sequence[Box]] = {
    100: [(285, 0, 111, 73)],
    200: [(112, 0, 148, 265), (317, 212, 174, 220)],
    320: [(185, -1, 138, 88)],
}
"""Pictures with some, and these as ../privacy-dev.jsonl has them."""

PLACES: Mapping[str, Callable[[Path], Place]] = {
    "crossing": crossing,
    "junction": junction,
    "plain": plain,
    "road": road,
}
