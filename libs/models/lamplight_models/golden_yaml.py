"""The golden values of a model as they stand in its manifest."""

from __future__ import annotations

from pathlib import Path

from lamplight_kit.onnx import Session, measure_golden, read_manifest
from lamplight_kit.onnx.manifest import Golden

TOLERANCE = 0.01
"""A share of an output's size: float32 differs by far less between machines, another model by far more."""


def golden_yaml(manifest: Path) -> str:
    """Run the model of `manifest` and return the `golden` part for it; raises what reading and opening raise."""
    return as_yaml(measure_golden(Session(read_manifest(manifest)), TOLERANCE))


def as_yaml(golden: Golden) -> str:
    """Write `golden` as the manifests hold it, numbers to six figures."""
    lines = ["golden:", f"  shape: {list(golden.shape)}", f"  tolerance: {golden.tolerance}", "  outputs:"]
    for output in golden.outputs:
        values = ", ".join(f"{value:.6g}" for value in output.values)
        lines += [f"  - name: {output.name}", f"    mean: {output.mean:.6g}", f"    std: {output.std:.6g}"]
        lines += [f"    values: [{values}]"]
    return "\n".join(lines) + "\n"
