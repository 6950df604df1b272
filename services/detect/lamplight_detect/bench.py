"""`lamplight bench detect`: what detect costs beside the decodes and the model calls that nobody could do without.

Both sides run in one process and one thread over the same made-up street, fp32, and count CPU time. The bare side
replays exactly the encoded pictures that detect decoded and the (model, input shape) calls that it made.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight_kit.onnx import Manifest
from lamplight_kit.onnx.runtime import onnxruntime
from numpy.typing import NDArray

from lamplight_detect.bootstrap import Local, local
from lamplight_detect.change import small_luma
from lamplight_detect.gate import Gate, Recent, View
from lamplight_detect.gate.encode import jpeg
from lamplight_detect.gate.poses import UPRIGHT
from lamplight_detect.models import finder as finders
from lamplight_detect.settings import ModelSettings

FRAME_HW = 360, 640
FRAMES = 40
ROUNDS = 2
INT8 = "nanodet-int8.yaml"
GAP_NS = 2_000_000_000
START_NS = 1_700_000_000_000_000_000
LIMIT = 0.85


@dataclass
class Recorder:
    """Stands before a session and notes the shapes that it is called with."""

    session: finders.Session
    calls: list[tuple[Path, tuple[int, ...]]] = field(default_factory=list)

    @property
    def manifest(self) -> Manifest:
        """The model's manifest."""
        return self.session.manifest

    def run(self, tensor: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run the model."""
        self.calls.append((self.manifest.file, tensor.shape))
        return self.session.run(tensor)


def run(models: Path | None = None, frames: int = FRAMES) -> dict[str, object]:
    """Return the bench as `lamplight bench` prints it; `frames` pictures, two seconds apart, most of them changed."""
    pictures = street(frames, local(models=models).redactor.gate)
    measures = compared(pictures, models, "nanodet.yaml", "fp32", LIMIT)
    if ((models or ModelSettings().models) / INT8).is_file():
        measures += compared(pictures, models, INT8, "int8", None)
    return {"bench": "detect", "machine": machine(), "measures": measures}


def compared(
    pictures: Sequence[bytes], models: Path | None, things_model: str, precision: str, limit: float | None
) -> list[dict[str, object]]:
    """Return the measures of one precision of the things' model; each side's CPU time is summed over ROUNDS rounds."""
    calls: list[tuple[Path, tuple[int, ...]]] = []
    detect = local(models=models, things_model=things_model, record=lambda session: Recorder(session, calls))
    ours_s = bare_s = 0.0
    released = 0
    for _ in range(ROUNDS):
        handled_s, released = handled(detect, pictures, calls)
        ours_s += handled_s
        bare_s += bare(pictures, calls)
    count = len(pictures) * ROUNDS
    ratio = bare_s / ours_s
    return [
        _measure(f"cpu_a_frame_{precision}", 1_000 * ours_s / count, "ms"),
        _measure(f"bare_cpu_a_frame_{precision}", 1_000 * bare_s / count, "ms"),
        _measure(f"model_calls_a_frame_{precision}", len(calls) / len(pictures), "calls"),
        _measure(f"released_a_frame_{precision}", released / len(pictures), "pictures"),
        _measure(f"bare_over_detect_{precision}", ratio, "ratio", limit),
    ]


def handled(detect: Local, pictures: Sequence[bytes], calls: list[tuple[Path, tuple[int, ...]]]) -> tuple[float, int]:
    """Return the CPU seconds of detect's handler over `pictures`, and how many it released; `calls` are noted anew."""
    camera = camera_pb2.Camera(id="bench", sampling=camera_pb2.Sampling(min_gap_s=2, max_gap_s=30))
    detect.detector.forget(camera.id)
    detect.detector.handle(_frame(0, pictures[-1]), camera)
    calls.clear()
    began_s = time.process_time()
    results = [detect.detector.handle(_frame(1 + n, data), camera) for n, data in enumerate(pictures)]
    return time.process_time() - began_s, sum(result.released for result in results)


def bare(pictures: Sequence[bytes], calls: Sequence[tuple[Path, tuple[int, ...]]]) -> float:
    """Return the CPU seconds of decoding `pictures` and making `calls` with nothing around them."""
    sessions = {file: _session(file) for file, _ in calls}
    tensors = {shape: np.random.default_rng(0).random(shape, np.float32) for _, shape in calls}
    for file, shape in dict.fromkeys(calls):
        _call(sessions[file], tensors[shape])
    began_s = time.process_time()
    for data in pictures:
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    for file, shape in calls:
        _call(sessions[file], tensors[shape])
    return time.process_time() - began_s


def street(frames: int, gate: Gate, *, is_empty: bool = False) -> list[bytes]:
    """Return JPEGs of a made-up street: rough, grained ground, a dark block that moves on in four pictures of five.

    There is no block in an empty one.

    They leave through the gate as any picture does.
    """
    height, width = FRAME_HW
    random = np.random.default_rng(2)
    coarse = random.integers(70, 190, (height // 8, width // 8, 3), np.uint8)
    grain = random.integers(-6, 7, (height, width, 1))
    ground = (cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) + grain).clip(0, 255).astype(np.uint8)
    made = []
    for number in range(frames):
        scene = ground.copy()
        at = 20 + 12 * (number - number // 5) % (width - 120)
        if not is_empty:
            scene[200:260, at : at + 90] = 30
        view = View(scene, small_luma(scene), number * GAP_NS)
        made.append(jpeg(gate.release(view, gate.look(view), Recent(turns=UPRIGHT)).picture))
    return made


def machine() -> dict[str, object]:
    """Return what the figures were taken on."""
    return {
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
    }


def _frame(number: int, data: bytes) -> frame_pb2.Frame:
    return frame_pb2.Frame(
        camera_id="bench",
        epoch=1,
        seq=number,
        at_ns=START_NS + number * GAP_NS,
        codec="mjpeg",
        data=data,
        is_key=True,
        examine=True,
    )


def _session(file: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def _call(session: onnxruntime.InferenceSession, tensor: NDArray[np.float32]) -> None:
    session.run(None, {session.get_inputs()[0].name: tensor})


def _measure(name: str, value: float, unit: str, limit: float | None = None) -> dict[str, object]:
    rounded = round(value, 3)
    return {
        "name": name,
        "value": rounded,
        "unit": unit,
        "limit": limit,
        "limit_is": None if limit is None else "at least",
        "ratio": rounded if unit == "ratio" else None,
    }
