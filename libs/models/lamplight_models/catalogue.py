"""Which models there are: the manifests beside this file, and which of them are the default set."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from lamplight_kit.onnx.manifest import Manifest
from lamplight_kit.onnx.manifest_file import read_manifest

from lamplight_models.errors import NotReady

MANIFESTS = Path(__file__).parent / "manifests"
DEFAULT = ("nanodet", "centerface", "efficientnet-lite0", "nanodet-int8")
"""What `make models` makes ready. The first of a role is what a service uses where nothing else is set."""


@cache
def manifest(name: str) -> Manifest:
    """Return the manifest of the model `name`; raises NotReady with the known names for an unknown one."""
    path = MANIFESTS / f"{name}.yaml"
    if not path.is_file():
        text = f"model {name!r} found, one of {', '.join(names())} expected; correct the name"
        raise NotReady(text)
    return read_manifest(path)


def names() -> Sequence[str]:
    """Return the names of all models, the default set first."""
    others = sorted(path.stem for path in MANIFESTS.glob("*.yaml"))
    return (*DEFAULT, *(name for name in others if name not in DEFAULT))
