"""The clips: which place, how many pictures a second, who comes, and how long they stay."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from composing.acts import SITTER, SITTING_SHARE, Act, Doing, wave
from composing.cutouts import Cutout, levels_of
from composing.drawing import HARDLY, Drawn, Figure, drawn, ground_level, sensed
from composing.media import Bgr
from composing.places import Box, Place

LABEL_EVERY = 4
REST_S = 2.0
ENCODING = {"crf": "23", "preset": "medium"}


@dataclass(frozen=True)
class Clip:
    """One clip: `empty_s` without anybody, then waves of people of the heights given, who stay for `stays_s`."""

    name: str
    place: str
    rate: Fraction
    empty_s: float
    waves_px: tuple[tuple[float, ...], ...]
    stays_s: float
    seed: int

    def acts(self, place: Place, names: Sequence[str]) -> list[Act]:
        """Return everybody's act."""
        acts: list[Act] = []
        from_s = self.empty_s
        for at, heights_px in enumerate(self.waves_px):
            acts += wave(place, names, heights_px, from_s, self.stays_s, self.seed + at)
            from_s = max(act.ends_s for act in acts) + REST_S
        return acts


CLIPS = (
    Clip("crossing", "crossing", Fraction(2), 20, ((18, 32, 60, 112, 44, 24), (22, 28, 90, 52, 36, 120)), 14, 1),
    Clip("crossing-long", "crossing", Fraction(1), 40, ((20, 30, 48, 66, 100),), 75, 3),
    Clip("junction", "junction", Fraction(2), 22, ((20, 34, 58, 86, 110), (26, 38, 48, 72, 118)), 14, 4),
    Clip("plain", "plain", Fraction(2), 18, ((17, 20, 23, 27, 32, 38, 48),), 14, 6),
    Clip("road", "road", Fraction(25, 4), 9, ((52, 104, 66, 90, 76),), 11, 8),
)


@dataclass(frozen=True)
class Cast:
    """Everybody in the light of a place, in their own clothes or in the ground's grey."""

    people: Mapping[str, Cutout]
    levels: tuple[float, float]
    is_grey: bool

    def figure(self, act: Act, x: float, doing: Doing, place: Bgr) -> Figure:
        """Return who acts as they are drawn at column `x` of `place`."""
        is_sitting = doing is Doing.SITTING
        height_px = act.height_px * (SITTING_SHARE if is_sitting else 1)
        somebody = self.people[SITTER if is_sitting else act.who].lit(self.levels).sized(height_px)
        foot_xy = x, act.foot_y
        if self.is_grey:
            somebody = somebody.in_grey(ground_level(place, foot_xy, max(4, round(act.height_px / 4))))
        return Figure(somebody.lying() if doing is Doing.LYING else somebody, foot_xy, act.seen_x)


def write(
    clip: Clip, place: Place, people: Mapping[str, Cutout], folder: Path, *, is_grey: bool = False
) -> list[dict[str, object]]:
    """Write a clip into `folder` and return its labels, one entry a labelled picture, in the words of labels.jsonl.

    With `is_grey` everybody wears grey clothes about as bright as the ground where they are.
    """
    labels = []
    path = folder / f"{clip.name}.mp4"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=clip.rate, options=dict(ENCODING))
        stream.pix_fmt = "yuv420p"
        stream.height, stream.width = place.shown[0].shape[:2]
        for number, bgr, boxes in composed(clip, place, people, is_grey=is_grey):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(bgr, format="bgr24")))
            if _is_labelled(clip, place, number):
                scene = {"scene": "street"} if place.is_street else {}
                labels.append({"file": path.name, "picture": number, **scene, "bboxes": boxes})
        container.mux(stream.encode(None))
    return labels


def composed(
    clip: Clip, place: Place, people: Mapping[str, Cutout], *, is_grey: bool
) -> Iterator[tuple[int, Bgr, list[dict[str, object]]]]:
    """Yield each picture with its number and the labelled boxes of all who show in it, and of the place's vehicles."""
    names = [name for name in people if name != SITTER]
    acts = sorted(clip.acts(place, names), key=lambda act: act.foot_y)
    random = np.random.default_rng(clip.seed)
    is_still = len(place.shown) == 1
    last = round((max(act.ends_s for act in acts) + REST_S) * clip.rate) if is_still else len(place.shown)
    cast = Cast(people, levels_of(place.shown[0]), is_grey)
    for number in range(last):
        bare = place.shown[0 if is_still else number]
        now = [(act, *there) for act in acts if (there := act.at(float(number / clip.rate))) is not None]
        figures = [cast.figure(act, x, doing, bare) for act, x, doing in now]
        scene, shown = drawn(bare, figures)
        bgr = sensed(scene, random) if is_still else np.clip(np.rint(scene), 0, 255).astype(np.uint8)
        boxes = [_label(doing, one) for (_, _, doing), one in zip(now, shown, strict=True) if one.box_xywh]
        yield number, bgr, [*boxes, *map(_car, place.vehicles.get(None, place.vehicles.get(number, ())))]


def _is_labelled(clip: Clip, place: Place, number: int) -> bool:
    if None not in place.vehicles:
        return number in place.vehicles
    return number % LABEL_EVERY == 0 and number >= clip.empty_s * clip.rate


def _label(doing: Doing, shown: Drawn) -> dict[str, object]:
    entry: dict[str, object] = {"bbox": shown.box_xywh, "category": "person", "doing": doing}
    return entry | ({"iscrowd": 1} if shown.share < HARDLY else {})


def _car(box: Box) -> dict[str, object]:
    return {"bbox": [round(side, 1) for side in box], "category": "car"}


def lines(labels: Sequence[Mapping[str, object]]) -> str:
    """Return labels as the text of labels.jsonl."""
    return "".join(json.dumps(entry) + "\n" for entry in labels)
