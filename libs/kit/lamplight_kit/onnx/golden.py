"""Whether a model gives on this machine the answers that it gave where its manifest was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lamplight_kit.onnx.errors import ModelBroken
from lamplight_kit.onnx.manifest import GOLDEN_COMMAND, GoldenOutput
from lamplight_kit.onnx.tensors import golden_input

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lamplight_kit.onnx.session import Session

SAMPLES = 8


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
