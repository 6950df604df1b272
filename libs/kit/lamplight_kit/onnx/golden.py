"""Whether a model gives on this machine the answers that it gave where its manifest was made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lamplight_kit.onnx.errors import ModelBroken
from lamplight_kit.onnx.manifest import GOLDEN_COMMAND, Golden, GoldenOutput
from lamplight_kit.onnx.session import Session
from lamplight_kit.onnx.tensors import golden_input

SAMPLES = 8
FREE_SIDE_PX = 128


def check_golden(session: Session) -> None:
    """Run the golden input and compare; raises ModelBroken with the first value that is not as the manifest says."""
    manifest, golden = session.manifest, session.manifest.golden
    if golden is None:
        text = f"{manifest.path}: no golden outputs found, some expected"
        raise ModelBroken(f"{text}; add what `{GOLDEN_COMMAND} {manifest.path}` prints")
    outputs = session.run(golden_input(golden.shape, manifest.input))
    for wanted in golden.outputs:
        worst = difference(summarise(wanted.name, outputs[wanted.name]), wanted)
        if worst > golden.tolerance:
            text = f"model {manifest.name}, output {wanted.name}: {worst:.2%} off its golden values found, at most"
            raise ModelBroken(f"{text} {golden.tolerance:.2%} expected; do not use it on this machine")


def measure_golden(session: Session, tolerance: float) -> Golden:
    """Return what the model gives now, to be written into its manifest; free sides of the input are made small."""
    spec = session.manifest.input
    side_px = -(-FREE_SIDE_PX // spec.multiple_of) * spec.multiple_of
    height, width = spec.input_hw or (side_px, side_px + spec.multiple_of)
    shape = (1, 3, height, width)
    outputs = session.run(golden_input(shape, spec))
    return Golden(shape, tolerance, tuple(summarise(name, output) for name, output in outputs.items()))


def summarise(name: str, output: NDArray[np.float32]) -> GoldenOutput:
    """Return mean, standard deviation and evenly spaced values of `output`."""
    flat = output.ravel().astype(np.float64)
    places = np.linspace(0, flat.size - 1, min(SAMPLES, flat.size)).astype(np.int64)
    return GoldenOutput(name, float(flat.mean()), float(flat.std()), tuple(float(value) for value in flat[places]))


def difference(found: GoldenOutput, wanted: GoldenOutput) -> float:
    """Return the largest difference between two summaries, as a share of the output's size (mean plus deviation)."""
    size = max(abs(wanted.mean) + wanted.std, 1e-12)
    ours = np.array([found.mean, found.std, *found.values])
    theirs = np.array([wanted.mean, wanted.std, *wanted.values])
    if ours.shape != theirs.shape:
        return float("inf")
    return float(np.abs(ours - theirs).max() / size)
