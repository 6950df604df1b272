"""`lamplight bench gate`: what the gate costs beside the model calls that it makes, for a picture of 640x360.

A live picture is taken once as a new camera's and once as one's whose background is valid; what learning that costs is
told apart. Both sides run in one process and one thread and count CPU time. The bare side replays exactly the (model,
input shape) calls that the gate made on the same pictures. Decoding, encoding and sealing are on neither side.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lamplight_detect import bench
from lamplight_detect.background import Scene
from lamplight_detect.bootstrap import local
from lamplight_detect.change import small_luma
from lamplight_detect.gate import Gate, Recent, View
from lamplight_detect.gate.poses import UPRIGHT
from lamplight_detect.learn import learnt
from lamplight_detect.settings import default_models

PICTURES = 16
"""One of so many is searched in full though a background vouches for it."""
SIGHTED = 22
"""Pictures of the empty street from which the background is learnt: as a file's, which waits for no minutes."""
ROUNDS = 2
MOST = 1.3
Calls = list[tuple[Path, tuple[int, ...]]]
Pass = Callable[[Gate, Sequence[View]], float]
"""Releases pictures; returns the CPU seconds that were not the gate's."""


def run(models: Path | None = None, pictures: int = PICTURES) -> dict[str, object]:
    """Return the bench as `lamplight bench` prints it: live and single pictures, fp32 and int8 where that is ready."""
    cv2.setNumThreads(1)
    street = local(models=models).redactor.gate
    empty = _views(bench.street(SIGHTED, street, is_empty=True), 0)
    views = _views(bench.street(pictures, street), SIGHTED)
    measures = compared(views, empty, models, "nanodet.yaml", "fp32")
    if ((models or default_models()) / bench.INT8).is_file():
        measures += compared(views, empty, models, bench.INT8, "int8")
    return {"bench": "gate", "machine": bench.machine(), "measures": measures}


def compared(
    views: Sequence[View], empty: Sequence[View], models: Path | None, things_model: str, precision: str
) -> list[dict[str, object]]:
    """Return the measures of one precision of the things' model; each side's CPU time is summed over the rounds.

    `empty` is what the background is learnt from.
    """
    calls: Calls = []
    detect = local(models=models, things_model=things_model, record=lambda session: bench.Recorder(session, calls))
    measures: list[dict[str, object]] = []
    scene = sighted(detect.redactor.gate, empty)
    passes: dict[str, Pass] = {"vouched": partial(vouched, scene=scene), "live": live, "single": single}
    for name, passed in passes.items():
        passed(detect.redactor.gate, views[:1])
        ours_s = bare_s = others_s = 0.0
        for _ in range(ROUNDS):
            calls.clear()
            began_s = time.process_time()
            apart_s = passed(detect.redactor.gate, views)
            ours_s += time.process_time() - began_s - apart_s
            others_s += apart_s
            bare_s += bench.bare([], calls)
        count = ROUNDS * len(views)
        measures += [
            _measure(f"{name}_picture_{precision}", 1_000 * ours_s / count, "ms"),
            _measure(f"{name}_bare_sessions_{precision}", 1_000 * bare_s / count, "ms"),
            _measure(f"{name}_sessions_a_picture_{precision}", len(calls) / len(views), "calls"),
            _measure(f"{name}_gate_over_bare_{precision}", ours_s / bare_s, "ratio", MOST),
        ]
        if others_s:
            measures.append(_measure(f"background_{precision}", 1_000 * others_s / count, "ms"))
    return measures


def sighted(gate: Gate, empty: Sequence[View]) -> Scene:
    """Return a scene whose background is learnt from pictures of the empty street."""
    scene, recent = Scene(ripe_min=0), Recent(turns=UPRIGHT)
    for view in empty:
        sample = gate.glance(view, gate.look(view), recent)
        scene, _ = learnt(gate, scene.seen(view).scene, view, sample, np.zeros((0, 4), np.float32))
    if not scene.is_valid:
        message = f"a background valid in {scene.valid_share:.2f} of the picture found, a valid one expected"
        raise AssertionError(message)
    return scene


def vouched(gate: Gate, views: Sequence[View], scene: Scene) -> float:
    """Release the pictures as `live` does, as a camera's whose background is valid; return what that costs itself."""
    recent, none, apart_s = Recent(turns=UPRIGHT), np.zeros((0, 4), np.float32), 0.0
    for view in views:
        began_s = time.process_time()
        seen = scene.seen(view)
        apart_s += time.process_time() - began_s
        recent = replace(recent, unexplained=seen.unexplained, vouched=seen.vouched, is_spared=True)
        searched = gate.search(view, gate.look(view), recent)
        began_s = time.process_time()
        scene, _ = learnt(gate, seen.scene, view, searched.sample, none, seen.vouched)
        backdrop = scene.backdrop()
        apart_s += time.process_time() - began_s
        gate.finish(searched, recent, replace(searched.sample, at_ns=view.at_ns + bench.GAP_NS), backdrop)
        scene = scene.filled(backdrop, view.at_ns)
        recent = recent.with_sample(searched.sample, gate.policy)
    return apart_s


def live(gate: Gate, views: Sequence[View]) -> float:
    """Release the pictures as one camera's whose masks are held, and that is known to hang upright."""
    recent = Recent(turns=UPRIGHT)
    for view in views:
        released = gate.release(view, gate.look(view), recent)
        recent = Recent(recent.with_sample(released.sample, gate.policy).samples, UPRIGHT)
    return 0.0


def single(gate: Gate, views: Sequence[View]) -> float:
    """Release each picture as one that comes alone: searched in every turn, and mirrored."""
    for view in views:
        gate.release(view, gate.look(view), Recent())
    return 0.0


def _views(encoded: Sequence[bytes], first: int) -> list[View]:
    return [_view(data, (first + number) * bench.GAP_NS) for number, data in enumerate(encoded)]


def _view(data: bytes, at_ns: int) -> View:
    bgr: NDArray[np.uint8] = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    return View(bgr, small_luma(bgr), at_ns)


def _measure(name: str, value: float, unit: str, limit: float | None = None) -> dict[str, object]:
    rounded = round(value, 3)
    limit_is = None if limit is None else "at most"
    ratio = rounded if unit == "ratio" else None
    return {"name": name, "value": rounded, "unit": unit, "limit": limit, "limit_is": limit_is, "ratio": ratio}
