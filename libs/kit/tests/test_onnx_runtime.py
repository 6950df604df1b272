"""onnxruntime calls nobody."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import lamplight_kit

ROOT = Path(lamplight_kit.__file__).parents[3]
ONE_DOOR = Path(lamplight_kit.__file__).parent / "onnx" / "runtime.py"


def test_the_runtime_is_imported_in_one_place_alone() -> None:
    """An import from anywhere else would come before it is told to be silent."""
    found = []
    for part in ("libs", "services", "examples", "bench"):
        for path in sorted((ROOT / part).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                found += [path for name in names if name.split(".")[0] == "onnxruntime"]
    assert found == [ONE_DOOR]


def test_the_runtime_writes_no_session_id(tmp_path: Path) -> None:
    """Its telemetry client, where it is awake, leaves a file in the temporary folder at the import."""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    program = "import lamplight_kit.onnx"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**environment, "TMPDIR": str(tmp_path)}, timeout=60, check=False
    )
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []
