"""One door: encoders of pictures are called in the gate alone, and pictures are decoded in detect alone."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import lamplight_detect
import lamplight_kit
import pytest

ROOT = Path(lamplight_detect.__file__).parents[3]
GATE = Path(lamplight_detect.__file__).parent / "gate"
VERIFY = Path(lamplight_kit.__file__).parent / "seal" / "verify.py"
"""It has a token of its own, by which a SealedPicture is made."""
ENCODERS = frozenset(
    {"imencode", "imwrite", "imencodemulti", "imwritemulti", "imwriteanimation", "imencodeanimation", "VideoWriter"}
)
WRITERS = frozenset(
    {
        "add_stream",
        "add_stream_from_template",
        "encode_lazy",
        "to_image",
        "tofile",
        "savez",
        "savez_compressed",
        "savetxt",
    }
)
SAVED = frozenset({"save"})
LIBRARIES = frozenset({"PIL", "imageio", "skimage", "matplotlib", "tifffile", "turbojpeg", "simplejpeg"})
MADE_UP = {"services/ingest/lamplight_ingest/bench_sampler.py", "services/ingest/lamplight_ingest/bench_server.py"}
"""Ingest's benches encode noise and places that they draw themselves; they never see a source."""
DOORS = frozenset({"_DOOR", "_EYE", "_HAND", "_SHELF"})
"""The tokens by which the gate's values are made, and so nothing else makes them."""


def sources() -> Iterator[Path]:
    """Yield every module of libs and services that is not a test nor generated."""
    for part in ("libs", "services"):
        for path in sorted((ROOT / part).rglob("*.py")):
            if (
                "tests" not in path.relative_to(ROOT).parts
                and "node_modules" not in path.parts
                and not path.name.endswith("_pb2.py")
            ):
                yield path


def names_in(node: ast.AST) -> Iterator[str]:
    """Yield what a node names: attributes, names, what is imported by any alias, and texts, which getattr takes."""
    if isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.alias):
        yield node.name
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def av_names(tree: ast.AST) -> set[str]:
    """Return by which names a module calls PyAV and what it takes from there."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {one.asname or one.name.split(".")[0] for one in node.names if one.name.split(".")[0] == "av"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "av":
            found |= {one.asname or one.name for one in node.names}
    return found


def root_of(node: ast.expr) -> str:
    """Return the first name of `a.b.c`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def encoders_in(path: Path) -> Iterator[str]:
    """Yield the names of encoders and of ways to write arrays that a module mentions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    of_av = av_names(tree)
    for node in ast.walk(tree):
        yield from (ENCODERS | WRITERS).intersection(names_in(node))
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in SAVED:
                yield "save"
            values = [*node.args, *(word.value for word in node.keywords if word.arg == "mode")]
            written = any(isinstance(one, ast.Constant) and one.value in {"w", "a", "x"} for one in values)
            if written and root_of(node.func) in of_av:
                yield "av for writing"
        elif isinstance(node, ast.Import | ast.ImportFrom):
            modules = [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from LIBRARIES.intersection(module.split(".")[0] for module in modules)


def test_encoders_of_pictures_are_called_in_the_gate_alone() -> None:
    """Outside detect's gate no module of libs or services names an encoder of pictures."""
    found = {str(path.relative_to(ROOT)): sorted(set(encoders_in(path))) for path in sources()}
    outside = {name: said for name, said in found.items() if said and not (ROOT / name).is_relative_to(GATE)}
    assert set(outside) == MADE_UP
    assert any((ROOT / name).is_relative_to(GATE) and said for name, said in found.items())


@pytest.mark.parametrize(
    "source",
    [
        "import cv2\ncv2.imencode('.jpg', x)\n",
        "from PIL import Image\n",
        "import av\nav.open('x', 'w')\n",
        "import av as video\nvideo.open('x', mode='w')\n",
        "from cv2 import imencode as small\nsmall('.jpg', x)\n",
        "import cv2\ngetattr(cv2, 'imencode')('.jpg', x)\n",
        "from av import open as container\ncontainer('x.mp4', 'w')\n",
        "import av\nav.CodecContext.create('mjpeg', 'w').encode(x)\n",
        "from av import CodecContext\nCodecContext.create('mjpeg', 'w').encode(x)\n",
        "frame.to_image()\n",
        "frame.save('x.png')\n",
        "import numpy as np\nnp.save('x.npy', bgr)\n",
        "import imageio.v3 as iio\niio.imwrite('x.png', bgr)\n",
        "bgr.tofile('x.raw')\n",
    ],
)
def test_the_search_sees_every_way_to_write_a_picture(tmp_path: Path, source: str) -> None:
    """Aliases, names in texts, raw encoders and plain dumps of arrays are found, or the search would prove nothing."""
    module = tmp_path / "leak.py"
    module.write_text(source)
    assert set(encoders_in(module))


def named_in(paths: Iterable[Path], wanted: frozenset[str]) -> list[str]:
    """Return which modules name something of `wanted` in any way."""
    trees = ((path, ast.walk(ast.parse(path.read_text(encoding="utf-8")))) for path in paths)
    return sorted({str(path) for path, nodes in trees for node in nodes if wanted.intersection(names_in(node))})


def test_the_gates_tokens_are_named_by_the_gate_alone() -> None:
    """The tokens that make the gate's values (a RedactedPicture …) are named nowhere else, however they are spelt."""
    inside = named_in(GATE.rglob("*.py"), DOORS)
    assert {Path(name).name for name in inside} == {"picture.py", "masks.py", "look.py", "gate.py", "aside.py"}
    assert [name for name in named_in(sources(), DOORS) if not Path(name).is_relative_to(GATE)] == [str(VERIFY)]


def test_the_search_sees_the_token_by_any_spelling(tmp_path: Path) -> None:
    """Imported, by an alias, or by its name in a text."""
    module = tmp_path / "leak.py"
    for source in ("from x import _DOOR as key\n", "x.picture._DOOR\n", "getattr(x, '_DOOR')\n"):
        module.write_text(source)
        assert named_in([module], DOORS) == [str(module)]


def test_masks_are_burnt_in_by_the_gate_alone() -> None:
    """`gate.masks.redact` makes a RedactedPicture of anything, masks or none: nobody but the gate may name it."""
    named = []
    for path in sources():
        if path.is_relative_to(GATE):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").endswith(("gate.masks", "gate")):
                named += [f"{path.name}: {one.name}" for one in node.names if one.name in {"redact", "masks", "burnt"}]
            if isinstance(node, ast.Import):
                named += [f"{path.name}: {one.name}" for one in node.names if one.name.endswith("gate.masks")]
    assert named == []
