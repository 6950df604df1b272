"""Tests of making models ready, with packages made on the spot in place of the indexes."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from lamplight_kit.onnx import check_golden, measure_golden, read_manifest
from lamplight_kit.onnx.manifest import Source
from lamplight_kit.onnx.session import Session
from lamplight_kit.onnx.testing import tiny_model
from lamplight_models import DEFAULT, Missing, NotReady, ensure, manifest, missing, names, paths, ready
from lamplight_models.convert import RECIPES
from lamplight_models.folder import Folder, default_folder
from lamplight_models.golden_yaml import as_yaml

SOURCE = """\
source:
  index: pypi
  package: tiny-package
  version: 1.0.0
  sha256: {archive}
  size_bytes: {size}
  licence: MIT
  files:
  - {{path: inside/tiny.bin, sha256: {file}}}
  recipe: tiny
"""


class Index:
    """A package index in a folder: it serves one archive, counts how often, and can be taken away."""

    def __init__(self, archive: Path) -> None:
        self.archive, self.fetched, self.away = archive, 0, False

    def fetch(self, source: Source, scratch: Path, progress: Callable[[int], None]) -> Path:
        """Serve the archive as `lamplight_models.fetch.fetch` does."""
        if self.away:
            raise NotReady(f"package {source.package}: away")
        self.fetched += 1
        progress(source.size_bytes // 2)
        copy = scratch / self.archive.name
        copy.write_bytes(self.archive.read_bytes())
        return copy


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """Make a package with one model, its recipe and its manifest, all whole."""
    made = tmp_path / "made"
    made.mkdir()
    described = tiny_model(made)
    content = (made / "tiny.onnx").read_bytes()
    with zipfile.ZipFile(made / "tiny.whl", "w") as wheel:
        wheel.writestr("inside/tiny.bin", content)
        wheel.writestr("inside/other.bin", b"never taken")
    golden = as_yaml(measure_golden(Session(read_manifest(described)), 0.01))
    archive = (made / "tiny.whl").read_bytes()
    pins = {"archive": hashlib.sha256(archive).hexdigest(), "file": hashlib.sha256(content).hexdigest()}
    described.write_text(described.read_text() + golden + SOURCE.format(size=len(archive), **pins))
    found = Index(made / "tiny.whl")
    monkeypatch.setattr(ready, "fetch", found.fetch)
    monkeypatch.setattr(ready, "manifest", lambda _: read_manifest(described))
    monkeypatch.setattr("lamplight_models.convert.to_onnx", lambda _, files: files[0])
    return found


def test_a_model_is_fetched_once_and_then_offline(tmp_path: Path, index: Index) -> None:
    """The first run fetches and writes model and manifest; the second needs no index."""
    folder = tmp_path / "models"
    found = ensure(folder, ["tiny"])
    check_golden(Session(read_manifest(found["tiny"])))
    index.away = True
    assert ensure(folder, ["tiny"]) == found
    assert index.fetched == 1


def test_nothing_but_the_named_files_is_left(tmp_path: Path, index: Index) -> None:
    """The archive and the scratch folder are gone; of the package only the named file stays, by its checksum."""
    folder = tmp_path / "models"
    ensure(folder, ["tiny"])
    left = {path.name for path in folder.rglob("*") if path.is_file()}
    assert left == {".lock", "tiny.onnx", "tiny.yaml", hashlib.sha256((folder / "tiny.onnx").read_bytes()).hexdigest()}
    assert index.fetched == 1


@pytest.mark.parametrize("damaged", ["tiny.onnx", "tiny.yaml"])
def test_what_is_damaged_is_mended_without_the_index(tmp_path: Path, index: Index, damaged: str) -> None:
    """A torn file is found by its checksum, and made again from what was taken out before."""
    folder = tmp_path / "models"
    ensure(folder, ["tiny"])
    index.away = True
    (folder / damaged).write_bytes(b"torn")
    assert missing(folder, ["tiny"])
    ensure(folder, ["tiny"])
    assert not missing(folder, ["tiny"])


def test_a_manifest_that_a_user_changed_is_kept_beside(tmp_path: Path, index: Index) -> None:
    """The default comes back under its name, and what the user wrote is not lost."""
    folder = tmp_path / "models"
    ensure(folder, ["tiny"])
    (folder / "tiny.yaml").write_text("mine", encoding="utf-8")
    ensure(folder, ["tiny"])
    (kept,) = folder.glob("tiny.before-*.yaml")
    assert kept.read_text(encoding="utf-8") == "mine"
    assert not missing(folder, ["tiny"])
    assert index.fetched == 1


def test_an_index_that_is_away_leaves_nothing_half_done(tmp_path: Path, index: Index) -> None:
    """The error passes through, and the folder has no model, no manifest, no scratch."""
    folder = tmp_path / "models"
    index.away = True
    with pytest.raises(NotReady, match="tiny-package"):
        ensure(folder, ["tiny"])
    assert [path.name for path in folder.iterdir()] == [".lock"]


def test_what_a_killed_run_left_is_swept_away(tmp_path: Path, index: Index) -> None:
    """A half-fetched archive of another day does not fill the disk for ever."""
    folder = tmp_path / "models"
    (folder / ".fetch-dead" / "cache").mkdir(parents=True)
    (folder / ".part-dead").write_bytes(b"half")
    ensure(folder, ["tiny"])
    assert {path.name for path in folder.iterdir()} == {".lock", "sources", "tiny.onnx", "tiny.yaml"}
    assert index.fetched == 1


def test_a_conversion_to_other_bytes_is_refused(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of onnx that writes other bytes is found out before anything is written."""
    monkeypatch.setattr("lamplight_models.convert.to_onnx", lambda _, files: files[0] + b"\0")
    with pytest.raises(NotReady, match="locked onnx"):
        ensure(tmp_path / "models", ["tiny"])
    assert not (tmp_path / "models" / "tiny.onnx").exists()
    assert index.fetched == 1


def test_progress_goes_up_to_the_end(tmp_path: Path, index: Index) -> None:
    """A person sees the package being fetched and the model becoming ready."""
    told: list[tuple[str, str, float]] = []
    ensure(tmp_path / "models", ["tiny"], lambda *entry: told.append(entry))
    assert [entry[0] for entry in told] == ["tiny-package"] * 3 + ["tiny"] * 2
    assert [entry[2] for entry in told] == [0.0, pytest.approx(0.5, abs=0.01), 1.0, 0.0, 1.0]
    assert told[-1][1] == "ready"
    assert index.fetched == 1


def test_a_folder_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    """The cure is to set another folder."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NotReady, match="LAMPLIGHT_MODELS"):
        ensure(tmp_path / "file" / "models", ["nanodet"])


def test_an_empty_folder_lacks_the_whole_default_set(tmp_path: Path) -> None:
    """`lamplight doctor` tells each with its cure."""
    assert missing(tmp_path) == [Missing(name, "run `make models`") for name in DEFAULT]
    assert missing(tmp_path, ["centernet"]) == [Missing("centernet", "run `python -m lamplight_models centernet`")]


def test_each_role_has_one_default(tmp_path: Path) -> None:
    """Things, faces and the embedder, and nothing without a licence."""
    assert paths(tmp_path).keys() == {"things", "faces", "embedder"}
    assert {manifest(name).licence for name in DEFAULT} <= {"MIT", "Apache-2.0"}


@pytest.mark.parametrize("name", names())
def test_every_manifest_is_whole(name: str) -> None:
    """Each is read and checked, has its source, its golden outputs, and a recipe that is there."""
    found = manifest(name)
    assert found.name == name
    assert found.golden is not None
    assert found.source is not None
    assert found.source.recipe in RECIPES


def test_an_unknown_name_is_told_the_known_ones() -> None:
    """A slip of the pen gets the list."""
    with pytest.raises(NotReady, match="nanodet, centerface"):
        manifest("nanodett")


def test_the_folder_comes_from_the_setting_or_the_cache(tmp_path: Path) -> None:
    """The setting wins over the cache, which wins over home."""
    assert default_folder({"LAMPLIGHT_MODELS": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")
    assert default_folder({"XDG_CACHE_HOME": "/b"}) == Path("/b/lamplight/models")
    assert default_folder({}) == Path.home() / ".cache/lamplight/models"
    assert Folder(tmp_path).source("ab") == tmp_path / "sources" / "ab"
