"""Tests of taking files out of archives: only named ones, only what was pinned."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from lamplight_kit.onnx.manifest import Source, SourceFile
from lamplight_models.archive import take
from lamplight_models.errors import NotReady

FILES = {"package/models/wanted.bin": b"wanted", "package/models/faceres.bin": b"never", "package/last": b"last"}


def make_archive(folder: Path, kind: str) -> Path:
    """Write FILES as a wheel (zip) or an npm archive (tar.gz)."""
    path = folder / f"archive.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as opened:
            for name, content in FILES.items():
                opened.writestr(name, content)
        return path
    with tarfile.open(path, "w:gz") as packed:
        for name, content in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return path


def source_of(archive: Path, *names: str) -> Source:
    """Pin `names` in `archive` as they are."""
    files = tuple(SourceFile(name, hashlib.sha256(FILES.get(name, b"?")).hexdigest()) for name in names)
    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    return Source("npm", "some-package", "1.0.0", checksum, archive.stat().st_size, "MIT", files, "nanodet")


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_only_named_files_are_taken(tmp_path: Path, kind: str) -> None:
    """What is named comes out with its content; nothing is written, and nothing else is read into memory."""
    archive = make_archive(tmp_path, kind)
    source = source_of(archive, "package/last", "package/models/wanted.bin")
    found = {file.path: content for file, content in take(archive, source, source.files)}
    assert found == {"package/models/wanted.bin": b"wanted", "package/last": b"last"}
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_another_archive_is_refused_unread(tmp_path: Path, kind: str) -> None:
    """An archive with another checksum may hold anything, whatever its name."""
    archive = make_archive(tmp_path, kind)
    source = source_of(archive, "package/last")
    archive.write_bytes(archive.read_bytes() + b"\0")
    with pytest.raises(NotReady, match=r"some-package 1.0.0.*another archive"):
        list(take(archive, source, source.files))


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_a_file_that_is_not_there_names_the_package(tmp_path: Path, kind: str) -> None:
    """The text names package, file and what was expected."""
    archive = make_archive(tmp_path, kind)
    source = source_of(archive, "package/none")
    with pytest.raises(NotReady, match=r"some-package 1.0.0, package/none"):
        list(take(archive, source, source.files))
