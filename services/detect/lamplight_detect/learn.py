"""Learning a camera's ground from a searched picture, and looking into what stands before it unexplained."""

from __future__ import annotations

from lamplight_detect.background import Scene
from lamplight_detect.detections import Boxes
from lamplight_detect.gate import Gate, Sample, View
from lamplight_detect.gate.motion import Mask


def learnt(
    gate: Gate, scene: Scene, view: View, sample: Sample, standing: Boxes, vouched: Mask | None = None
) -> tuple[Scene, bool]:
    """Return `scene` with one more picture, of which `sample` holds the masks, and whether anything was explained.

    Nothing is learnt in the boxes `standing` [N, 4]; `vouched` [h, w] is what `Scene.seen` said of the picture.
    GateClosed where a look fails.
    """
    scene = scene.after(view, sample, standing, vouched)
    has_explained = False
    for candidate in scene.candidates(view):
        is_anyone = gate.is_anyone(view, candidate.box_xyxy)
        scene = scene.judged(view, candidate, is_anyone=is_anyone)
        has_explained |= not is_anyone
    return scene, has_explained
