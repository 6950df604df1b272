"""`lamplight bench gate`: what the gate costs beside the model calls that it makes, for a picture of 640x360.

Both sides run in one process and one thread and count CPU time. The bare side replays exactly the (model, input shape)
calls that the gate made on the same pictures. Decoding, encoding and sealing are on neither side.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lamplight_detect import bench
from lamplight_detect.bootstrap import local
from lamplight_detect.change import small_luma
from lamplight_detect.gate import Gate, Recent, View
from lamplight_detect.gate.poses import UPRIGHT
from lamplight_detect.settings import default_models

PICTURES = 8
ROUNDS = 3
MOST = 1.3
Calls = list[tuple[Path, tuple[int, ...]]]
Pass = Callable[[Gate, Sequence[View]], None]


def run(models: Path | None = None, pictures: int = PICTURES) -> dict[str, object]:
    """Return the bench as `lamplight bench` prints it: live and single pictures, fp32 and int8 where that is ready."""
    cv2.setNumThreads(1)
    street = local(models=models).redactor.gate
    encoded = bench.street(pictures, street)
    views = [_view(data, number * bench.GAP_NS) for number, data in enumerate(encoded)]
    measures = compared(views, models, "nanodet.yaml", "fp32")
    if ((models or default_models()) / bench.INT8).is_file():
        measures += compared(views, models, bench.INT8, "int8")
    return {"bench": "gate", "machine": bench.machine(), "measures": measures}


def compared(views: Sequence[View], models: Path | None, things_model: str, precision: str) -> list[dict[str, object]]:
    """Return the measures of one precision of the things' model; each side's CPU time is summed over the rounds."""
    calls: Calls = []
    detect = local(models=models, things_model=things_model, record=lambda session: bench.Recorder(session, calls))
    measures: list[dict[str, object]] = []
    passes: dict[str, Pass] = {"live": live, "single": single}
    for name, passed in passes.items():
        passed(detect.redactor.gate, views[:1])
        ours_s = bare_s = 0.0
        for _ in range(ROUNDS):
            calls.clear()
            ours_s += _cpu_s(lambda passed=passed: passed(detect.redactor.gate, views))  # type: ignore[misc] # bound
            bare_s += bench.bare([], calls)
        count = ROUNDS * len(views)
        measures += [
            _measure(f"{name}_picture_{precision}", 1_000 * ours_s / count, "ms"),
            _measure(f"{name}_bare_sessions_{precision}", 1_000 * bare_s / count, "ms"),
            _measure(f"{name}_sessions_a_picture_{precision}", len(calls) / len(views), "calls"),
            _measure(f"{name}_gate_over_bare_{precision}", ours_s / bare_s, "ratio", MOST),
        ]
    return measures


def live(gate: Gate, views: Sequence[View]) -> None:
    """Release the pictures as one camera's whose masks are held, and that is known to hang upright."""
    recent = Recent(turns=UPRIGHT)
    for view in views:
        released = gate.release(view, gate.look(view), recent)
        recent = Recent(recent.with_sample(released.sample, gate.policy).samples, UPRIGHT)


def single(gate: Gate, views: Sequence[View]) -> None:
    """Release each picture as one that comes alone: searched in every turn, and mirrored."""
    for view in views:
        gate.release(view, gate.look(view), Recent())


def _cpu_s(work: Callable[[], None]) -> float:
    began_s = time.process_time()
    work()
    return time.process_time() - began_s


def _view(data: bytes, at_ns: int) -> View:
    bgr: NDArray[np.uint8] = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    return View(bgr, small_luma(bgr), at_ns)


def _measure(name: str, value: float, unit: str, limit: float | None = None) -> dict[str, object]:
    rounded = round(value, 3)
    limit_is = None if limit is None else "at most"
    ratio = rounded if unit == "ratio" else None
    return {"name": name, "value": rounded, "unit": unit, "limit": limit, "limit_is": limit_is, "ratio": ratio}
