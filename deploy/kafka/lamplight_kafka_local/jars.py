"""Kafka's jars: fetched once, every one of them pinned by checksum in `jars.sha256`."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

KAFKA_VERSION = "4.1.0"


class JarError(RuntimeError):
    """A jar could not be fetched, or is not the one that was pinned; the text names it and the cure."""


@dataclass(frozen=True)
class Jar:
    """One pinned jar: Maven's names for it and what its bytes must hash to."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def filename(self) -> str:
        """The jar's name on disk."""
        return f"{self.artifact}-{self.version}.jar"


def pinned_jars() -> tuple[Jar, ...]:
    """All jars that a broker needs, as `jars.sha256` lists them."""
    lines = (files("lamplight_kafka_local") / "jars.sha256").read_text(encoding="utf-8").splitlines()
    return tuple(_jar(*line.split()) for line in lines)


def _jar(sha256: str, coordinate: str) -> Jar:
    group, artifact, version = coordinate.split(":")
    return Jar(group, artifact, version, sha256)


def default_cache() -> Path:
    """Where jars are kept between runs: `$XDG_CACHE_HOME/lamplight/kafka`, or `~/.cache/lamplight/kafka`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lamplight" / "kafka"


def fetch_jars(cache: Path, progress: Callable[[str], None]) -> Sequence[Path]:
    """Return the verified jars in `cache`, after fetching those that are not there (43 MB, once).

    With all of them there, no network is touched. Raises `JarError`.
    """
    folder = cache / KAFKA_VERSION
    jars = pinned_jars()
    missing = [jar for jar in jars if not is_intact(folder / jar.filename, jar)]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        progress(f"kafka: fetching Apache Kafka {KAFKA_VERSION}: {len(missing)} of {len(jars)} jars, about 43 MB, once")
        _fetch(missing, folder, progress)
    return [folder / jar.filename for jar in jars]


def is_intact(path: Path, jar: Jar) -> bool:
    """Whether `path` holds exactly the bytes that were pinned for `jar`."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == jar.sha256


def _fetch(missing: Sequence[Jar], folder: Path, progress: Callable[[str], None]) -> None:
    # Each coordinate is named in full, so jgo resolves nothing by itself: no POM is read, no version is chosen.
    from jgo.maven import MavenContext  # noqa: PLC0415 - 0.3 s, and not needed once the jars are there

    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        context = MavenContext(repo_cache=Path(scratch))
        for count, jar in enumerate(missing, 1):
            artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
            try:
                fetched = artifact.resolve()
            except (OSError, RuntimeError) as error:
                text = (
                    f"{jar.filename}: could not be fetched ({error}); connect this machine to Maven Central once, "
                    f"or copy the jars of Apache Kafka {KAFKA_VERSION} into {folder}"
                )
                raise JarError(text) from error
            _take(Path(fetched), folder, jar)
            if count % 10 == 0 or count == len(missing):
                progress(f"kafka: {count} of {len(missing)} jars fetched and checked")


def _take(fetched: Path, folder: Path, jar: Jar) -> None:
    if not is_intact(fetched, jar):
        text = (
            f"{jar.filename}: the fetched bytes are not the pinned ones (sha256 {jar.sha256} expected); "
            "a proxy or mirror changed them: fetch through another network"
        )
        raise JarError(text)
    shutil.move(fetched, folder / jar.filename)
