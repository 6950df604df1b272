"""One ONNX model, verified against its manifest before and after it is loaded; onnxruntime is used only here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lamplight_kit.onnx.errors import ModelBroken, ModelMissing, TensorRefused
from lamplight_kit.onnx.manifest import Manifest, Shape
from lamplight_kit.onnx.runtime import onnxruntime

SILENT = 3
"""onnxruntime's log level for errors only: its warnings are about graphs, which nobody at a service can change."""


class Session:
    """A loaded model. One thread: a process a core beats threads within a model on a CPU."""

    def __init__(self, manifest: Manifest) -> None:
        """Verify the checksum, load, and check inputs and outputs against `manifest`.

        Raises ModelMissing where there is no file, ModelBroken where it is not what the manifest says.
        """
        self.manifest = manifest
        self._runtime = _load(verified_bytes(manifest), manifest)
        _check_ports(manifest, self._runtime)
        self._names = [output.name for output in manifest.outputs]

    def run(self, tensor: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run the model on `tensor` (float32, the manifest's shape) and return its outputs by name.

        Raises TensorRefused where the input has another shape or type, where the run fails, and where an output is
        not finite: a detector that answers NaN must not pass for one that saw nobody.
        """
        self._check_input(tensor)
        try:
            found = self._runtime.run(self._names, {self.manifest.input.name: tensor})
        except Exception as error:  # onnxruntime raises unrelated classes; all mean that there is no answer
            text = f"model {self.manifest.name}: {error} found, an answer expected; see the picture's size"
            raise TensorRefused(text) from error
        outputs = dict(zip(self._names, found, strict=True))
        for name, array in outputs.items():
            if not is_finite(array):
                text = f"model {self.manifest.name}, output {name}: NaN or infinity found, numbers expected"
                raise TensorRefused(f"{text}; run `lamplight doctor`")
        return outputs

    def _check_input(self, tensor: NDArray[np.float32]) -> None:
        spec = self.manifest.input
        hw_ok = tensor.ndim == len(spec.shape) and not any(side % spec.multiple_of for side in tensor.shape[2:])
        if tensor.dtype != np.float32 or not hw_ok or not fits(tensor.shape, spec.shape) or 0 in tensor.shape:
            expected = f"float32 {list(spec.shape)}, sides in multiples of {spec.multiple_of}"
            found = f"{tensor.dtype} {list(tensor.shape)}"
            raise TensorRefused(f"model {self.manifest.name}: {found} found, {expected} expected; use to_tensor")


def is_finite(array: NDArray[np.float32]) -> bool:
    """Say whether all of `array` are numbers; then their sum is one, unless it is too large, and is had sooner."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def verified_bytes(manifest: Manifest) -> bytes:
    """Return the model's file, read once and verified, so that what is loaded is what was verified."""
    try:
        content = manifest.file.read_bytes()
    except OSError as error:
        text = f"{manifest.file}: {error.strerror} found, model {manifest.name} expected; run `make models`"
        raise ModelMissing(text) from error
    found = hashlib.sha256(content).hexdigest()
    if found != manifest.sha256:
        text = f"{manifest.file}: sha256 {found} found, {manifest.sha256} expected; delete it and run `make models`"
        raise ModelBroken(text)
    return content


def fits(shape: Sequence[int], spec: Shape) -> bool:
    """Say whether `shape` has the fixed axes of `spec`; a free axis may have any length."""
    same_rank = len(shape) == len(spec)
    return same_rank and all(not isinstance(want, int) or want == have for have, want in zip(shape, spec, strict=True))


def _load(content: bytes, manifest: Manifest) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # a plan of memory for each input shape: models of free shapes hoard them
    options.log_severity_level = SILENT
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises unrelated classes; all mean that it cannot load the file
        text = f"{manifest.file}: {error} found, a model for onnxruntime expected; convert it again"
        raise ModelBroken(text) from error


def _check_ports(manifest: Manifest, runtime: onnxruntime.InferenceSession) -> None:
    _check_ports_of(manifest, "inputs", {manifest.input.name: manifest.input.shape}, runtime.get_inputs())
    wanted = {output.name: output.shape for output in manifest.outputs}
    _check_ports_of(manifest, "outputs", wanted, runtime.get_outputs())


def _check_ports_of(
    manifest: Manifest, what: str, wanted: Mapping[str, Shape], ports: Sequence[onnxruntime.NodeArg]
) -> None:
    found = {port.name: (port.type, tuple(port.shape)) for port in ports}
    same = found.keys() == wanted.keys() and all(
        kind == "tensor(float)" and _same_axes(shape, wanted[name]) for name, (kind, shape) in found.items()
    )
    if not same:
        text = f"{manifest.file}: {what} {found} found, float32 {dict(wanted)} expected; mend {manifest.path}"
        raise ModelBroken(text)


def _same_axes(found: Sequence[object], wanted: Shape) -> bool:
    """Say whether two declared shapes agree: the same fixed axes, and free ones at the same places."""
    pairs = zip(found, wanted, strict=False)
    return len(found) == len(wanted) and all(
        have == want if isinstance(want, int) else not isinstance(have, int) for have, want in pairs
    )
