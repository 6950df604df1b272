"""A folder of situations: `<id>/situation.yaml`, `<id>/examples/*.jpg` and `<id>/counter/*.jpg`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lamplight.situation.v1 import situation_pb2
from lamplight_kit.errors import BadInput, Problem

from lamplight_cli.files.document import ID, ID_EXPECTED, Document

_PICTURES = (".jpg", ".jpeg", ".png")
_MAGIC = {b"\xff\xd8\xff": "mjpeg", b"\x89PNG\r\n\x1a\n": "png"}
_FIELDS = ("version", "name", "description", "cameras", "zones", "threshold")
_MOST_BYTES = 24 << 20


@dataclass(frozen=True)
class Example:
    """One example picture as it lies on disk; `codec` is FFmpeg's name of its coding."""

    path: Path
    reference_id: str
    codec: str
    is_counter_example: bool


@dataclass(frozen=True)
class SituationFolder:
    """A situation and its pictures; its `references` are still empty."""

    situation: situation_pb2.Situation
    examples: Sequence[Example]


def read_situations(path: Path) -> Sequence[SituationFolder]:
    """Read every situation under `path` (or the one that `path` itself is); raises `BadInput` with every mistake."""
    if not path.is_dir():
        raise BadInput((Problem("", str(path), "a folder of situations", "mend the path", str(path), 1),))
    folders = [path] if _is_situation(path) else sorted(each for each in path.iterdir() if each.is_dir())
    problems: list[Problem] = []
    if not folders:
        cure = "put each situation in a folder of its own, with a folder `examples`"
        problems.append(Problem("", "no folder", "DIR/<id>/examples/*.jpg", cure, str(path), 1))
    found = []
    for folder in folders:
        try:
            found.append(_situation(folder))
        except BadInput as error:
            problems.extend(error.problems)
    if problems:
        raise BadInput(tuple(problems))
    return found


def codec_of(content: bytes) -> str:
    """Return FFmpeg's name of a picture's coding by its first bytes; empty where it is neither JPEG nor PNG."""
    return next((name for magic, name in _MAGIC.items() if content.startswith(magic)), "")


def _is_situation(path: Path) -> bool:
    return (path / "examples").is_dir() or (path / "situation.yaml").is_file()


def _situation(folder: Path) -> SituationFolder:
    problems: list[Problem] = []
    identifier = folder.resolve().name
    if not ID.fullmatch(identifier):
        problems.append(Problem("", identifier, f"a folder named by {ID_EXPECTED}", "rename it", str(folder), 1))
    examples = [*_examples(folder / "examples", problems), *_examples(folder / "counter", problems)]
    if not any(not example.is_counter_example for example in examples):
        problems.append(
            Problem("", "no example", "at least one JPEG or PNG", "add example pictures", str(folder / "examples"), 1)
        )
    situation = situation_pb2.Situation(id=identifier, name=identifier)
    try:
        _read(folder / "situation.yaml", situation)
    except BadInput as error:
        problems.extend(error.problems)
    if problems:
        raise BadInput(tuple(problems))
    return SituationFolder(situation, examples)


def _read(path: Path, situation: situation_pb2.Situation) -> None:
    if not path.exists():
        return
    document = Document.read(path)
    found = document.root.fields(_FIELDS)
    if "version" in found:
        found["version"].whole(1, 1)
    if "name" in found:
        situation.name = found["name"].text()
    if "description" in found:
        situation.description = found["description"].text()
    if "cameras" in found:
        situation.cameras.extend(found["cameras"].texts("a list of camera ids, with *, label:x, or ! before"))
    if "zones" in found:
        situation.zone_ids.extend(item.identifier() for item in found["zones"].items("a list of zone ids"))
    if "threshold" in found:
        situation.threshold = found["threshold"].number(0, 1)
    document.check()


def _examples(folder: Path, problems: list[Problem]) -> Sequence[Example]:
    if not folder.is_dir():
        return []
    found: dict[str, Example] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in _PICTURES:
            continue
        with path.open("rb") as stream:
            codec = codec_of(stream.read(8))
        if not codec:
            problems.append(Problem("", "no picture", "a JPEG or PNG", "export it again", str(path), 1))
        if path.stat().st_size > _MOST_BYTES:
            text = f"{path.stat().st_size} bytes"
            problems.append(Problem("", text, f"at most {_MOST_BYTES} bytes", "make it smaller", str(path), 1))
        reference_id = _reference_id(folder.name, path.name)
        if reference_id in found:
            cure = f"rename it: {found[reference_id].path.name} reads alike"
            problems.append(Problem("", path.name, "a name of its own", cure, str(path), 1))
        found[reference_id] = Example(path, reference_id, codec, folder.name == "counter")
    return list(found.values())


def _reference_id(folder: str, name: str) -> str:
    plain = re.sub(r"[^a-z0-9_.-]+", "-", name.lower())
    return f"{folder}-{plain}"[:63]
