"""Whether the canary comes through: decoded, coloured, fitted, searched and masked as on the day it was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from lamplight.frame.v1 import frame_pb2
from lamplight_kit.errors import LamplightError
from lamplight_kit.onnx import Kind
from lamplight_kit.onnx.golden import difference, summarise
from numpy.typing import NDArray

from lamplight_detect.canary.expected import Expected, Person, Portrait, colours_of
from lamplight_detect.canary.recorder import Recorder
from lamplight_detect.change import small_luma
from lamplight_detect.decode import Decoder
from lamplight_detect.detections import Boxes, Detections, iou
from lamplight_detect.gate import Gate, GateClosed, Recent, View
from lamplight_detect.gate.people import in_tiles
from lamplight_detect.gate.picture import RedactedPicture
from lamplight_detect.gate.poses import UPRIGHT

COLOUR_LEVELS = 3.0
"""Means of decoded colours may differ by this many levels of 255: decoders round differently."""
SAME_IOU = 0.4
COVERED_SHARE = 0.9


@dataclass(frozen=True)
class Canary:
    """Sends the canary's pictures through `gate`, which is on `recorders` of the sessions that the workers use.

    `check_models` compares the sessions' answers with their manifests' golden ones and raises where they differ.
    """

    gate: Gate
    recorders: Sequence[Recorder]
    pictures: Expected
    check_models: Callable[[], None]

    def check(self) -> str:
        """Return why the gate must close, or an empty text."""
        try:
            self.check_models()
            for portrait in self.pictures:
                self._check(portrait)
        except LamplightError as error:
            return f"the canary: {error}"
        except Exception as error:  # noqa: BLE001 - whatever it was, the canary did not come through
            return f"the canary: {type(error).__name__} found, an answer expected; see the log"
        return ""

    def _check(self, portrait: Portrait) -> None:
        for recorder in self.recorders:
            recorder.forget()
        bgr = decoded(portrait)
        view = View(bgr, small_luma(bgr), 0)
        whole = self.gate.look(view)
        tiled = in_tiles(self.gate.things, bgr, self.gate.policy, self.gate.policy.most_tiles)
        for person in portrait.people:
            _check_found(portrait, person, self._people(whole if person.found_by == "whole" else tiled))
        picture = self.gate.release(view, whole, Recent(turns=UPRIGHT)).picture
        for person in portrait.people:
            _check_masked(portrait, person, picture)
        for recorder in self.recorders:
            _check_golden(portrait, recorder)

    def _people(self, found: Detections) -> Boxes:
        policy = self.gate.policy
        people = found.of(self.gate.things.manifest.indices(Kind.PERSON))
        return people.at_least(policy.small_score).boxes_xyxy


def decoded(portrait: Portrait) -> NDArray[np.uint8]:
    """Return the picture [H, W, 3] as a camera's decoder gives it; GateClosed where its colours are others."""
    frame = frame_pb2.Frame(codec="mjpeg", data=portrait.data, is_key=True, examine=True)
    bgr = Decoder().decode(frame, each_alone=True)[0].bgr
    off = float(np.abs(colours_of(bgr) - portrait.colours).max())
    if off > COLOUR_LEVELS:
        message = (
            f"{portrait.name} decoded {off:.0f} levels off its colours found, at most {COLOUR_LEVELS:.0f} expected"
        )
        raise GateClosed(message)
    return bgr


def _check_found(portrait: Portrait, person: Person, people: Boxes) -> None:
    box = np.array([person.box_xyxy], np.float32)
    if not (iou(people, box) >= SAME_IOU).any():
        message = (
            f"{portrait.name}: nobody of {person.height_px} px in the pass {person.found_by} found, one expected; "
            "run `lamplight doctor`"
        )
        raise GateClosed(message)


def _check_masked(portrait: Portrait, person: Person, picture: RedactedPicture) -> None:
    left, top, right, bottom = (round(side) for side in person.box_xyxy)
    mask = picture.mask[top:bottom, left:right]
    if not mask[: -(-len(mask) // 3)].all() or mask.mean() < COVERED_SHARE:
        message = f"{portrait.name}: {mask.mean():.0%} of somebody of {person.height_px} px masked found, all expected"
        raise GateClosed(message)


def _check_golden(portrait: Portrait, recorder: Recorder) -> None:
    """Compare raw outputs with those of the day the canary was made; a model unknown then is held to its manifest."""
    manifest = recorder.manifest
    tolerance = manifest.golden.tolerance if manifest.golden else 0.0
    outputs = recorder.first or {}
    for wanted in portrait.golden.get(manifest.sha256, ()):
        found = outputs.get(wanted.name)
        worst = float("inf") if found is None else difference(summarise(wanted.name, found), wanted)
        if not worst <= tolerance:
            message = (
                f"{portrait.name}, model {manifest.name}, output {wanted.name}: {worst:.2%} off its golden values "
                f"found, at most {tolerance:.2%} expected"
            )
            raise GateClosed(message)
