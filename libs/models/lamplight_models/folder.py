"""The folder of models that are ready: each with its manifest beside it, so that a service needs nothing but it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lamplight_kit.onnx.manifest import Manifest

from lamplight_models.errors import NotReady

SETTING = "LAMPLIGHT_MODELS"
SCRATCH, PART = ".fetch-", ".part-"
"""How the names of a folder and a file in the making begin."""


def default_folder(environ: Mapping[str, str]) -> Path:
    """Return `$LAMPLIGHT_MODELS`, or `lamplight/models` in the user's cache (`$XDG_CACHE_HOME`, `~/.cache`)."""
    if environ.get(SETTING):
        return Path(environ[SETTING]).absolute()
    cache = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "lamplight" / "models"


class Folder:
    """Reading and writing the folder; a file in it is whole or not there, whenever the process dies."""

    def __init__(self, path: Path) -> None:
        """Use `path`, which need not be there yet."""
        self.path = path

    def model(self, manifest: Manifest) -> Path:
        """Return where the ONNX file of `manifest` is or goes."""
        return self.path / manifest.file.name

    def manifest(self, manifest: Manifest) -> Path:
        """Return where the copy of `manifest` is or goes."""
        return self.path / manifest.path.name

    def source(self, sha256: str) -> Path:
        """Return where a file taken out of a package is or goes, by its checksum."""
        return self.path / "sources" / sha256

    def is_whole(self, manifest: Manifest) -> bool:
        """Say whether the model and its manifest are there with the content that they must have."""
        copy = self.manifest(manifest)
        same = copy.is_file() and copy.read_bytes() == manifest.path.read_bytes()
        return same and has_checksum(self.model(manifest), manifest.sha256)

    def set_aside(self, path: Path) -> Path | None:
        """Keep what is at `path` under another name before it is written anew; None where nothing is.

        A manifest that somebody changed is theirs: under a name of its own it can be chosen by the settings.
        """
        if not path.is_file():
            return None
        kept = path.with_name(f"{path.stem}.before-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}{path.suffix}")
        path.replace(kept)
        return kept

    def write(self, path: Path, content: bytes) -> None:
        """Write `content` to `path` in this folder at once; raises NotReady where the disk does not take it."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=PART, delete=False) as part:
                part.write(content)
                part.flush()
                os.fsync(part.fileno())
            Path(part.name).chmod(0o644)
            Path(part.name).replace(path)
        except OSError as error:
            text = f"{path}: {error.strerror} found, a folder to write to expected; make room, or set {SETTING}"
            raise NotReady(text) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process at a time make models in this folder; another one waits, and then finds them there."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("w")
        except OSError as error:
            text = f"{self.path}: {error.strerror} found, a folder to write to expected; set {SETTING} to another"
            raise NotReady(text) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._sweep()
            yield

    def _sweep(self) -> None:
        """Remove what a run that was killed left half done."""
        for scratch in self.path.glob(f"{SCRATCH}*"):
            shutil.rmtree(scratch, ignore_errors=True)
        for part in (*self.path.glob(f"{PART}*"), *self.path.glob(f"sources/{PART}*")):
            part.unlink(missing_ok=True)


def has_checksum(path: Path, sha256: str) -> bool:
    """Say whether there is a file at `path` with this sha256."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False
