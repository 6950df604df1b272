"""One door: encoders of pictures are called in the gate alone, and pictures are decoded in detect alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import lamplight_detect

ROOT = Path(lamplight_detect.__file__).parents[3]
GATE = Path(lamplight_detect.__file__).parent / "gate"
ENCODERS = frozenset(
    {"imencode", "imwrite", "imencodemulti", "imwritemulti", "imwriteanimation", "imencodeanimation", "VideoWriter"}
)
ENCODING_METHODS = frozenset({"add_stream", "add_stream_from_template", "encode_lazy"})
PILLOW = "PIL"


def sources() -> Iterator[Path]:
    """Yield every module of libs and services that is not a test nor generated."""
    for part in ("libs", "services"):
        for path in sorted((ROOT / part).rglob("*.py")):
            if "tests" not in path.parts and "node_modules" not in path.parts and not path.name.endswith("_pb2.py"):
                yield path


def encoders_in(path: Path) -> Iterator[str]:
    """Yield the names of encoders that a module mentions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr in ENCODERS | ENCODING_METHODS:
            yield node.attr
        elif isinstance(node, ast.Name) and node.id in ENCODERS:
            yield node.id
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "open":
            modes = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "mode")]
            is_av = isinstance(node.func.value, ast.Name) and node.func.value.id == "av"
            if is_av and any(isinstance(mode, ast.Constant) and mode.value != "r" for mode in modes):
                yield "av.open for writing"
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [one.name for one in node.names] + [getattr(node, "module", None) or ""]
            if any(name.split(".")[0] == PILLOW for name in names):
                yield PILLOW


def test_encoders_of_pictures_are_called_in_the_gate_alone() -> None:
    """Outside detect's gate no module of libs or services names an encoder of pictures."""
    found = {str(path.relative_to(ROOT)): sorted(set(encoders_in(path))) for path in sources()}
    assert {name: said for name, said in found.items() if said and not (ROOT / name).is_relative_to(GATE)} == {}
    assert any((ROOT / name).is_relative_to(GATE) and said for name, said in found.items())


def test_the_search_sees_an_encoder(tmp_path: Path) -> None:
    """The search finds what it looks for, or it would prove nothing."""
    module = tmp_path / "leak.py"
    module.write_text("import av, cv2\nfrom PIL import Image\ncv2.imencode('.jpg', x)\nav.open('x', 'w')\n")
    assert set(encoders_in(module)) == {"imencode", "PIL", "av.open for writing"}


def test_the_gates_door_is_opened_by_the_gate_alone() -> None:
    """The token that makes a RedactedPicture is named nowhere outside the gate."""
    named = [path for path in sources() if "redacted._DOOR" in path.read_text(encoding="utf-8")]
    assert named
    assert all(path.is_relative_to(GATE) for path in named)
