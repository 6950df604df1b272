"""BlazeFace: faces, by a detector of another family, in a virtual environment of the bench's own.

It comes with PyPI's `mediapipe` (Apache-2.0), whose requirements are not ours: the bench makes an environment for it
once, by pinned hashes, beside the models, and talks to it by pipes. It is given redacted pictures alone.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from lamplight_kit.errors import Stop

from lamplight_detect.privacy_bench.outside.find import Find

NAME = "blazeface"
HERE = Path(__file__).parent
WANTED, RUNNER = HERE / "blazeface.requirements.txt", HERE / "blazeface_runner.py"
DONE = "requirements.txt"
"""Its copy in the environment says that all of it is installed."""


def made_ready(folder: Path) -> Path:
    """Return the Python of the environment in `folder`, made if it is not there; Stop where it cannot be had."""
    python = folder / "bin" / "python"
    if (folder / DONE).is_file() and (folder / DONE).read_bytes() == WANTED.read_bytes():
        return python
    sys.stderr.write(f"bench: making an environment for {NAME} in {folder}: 130 MB, once\n")
    venv.create(folder, clear=True, with_pip=True)
    call = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run(  # noqa: S603 - the environment's own pip, packages by pinned hashes
        [*call, "--only-binary=:all:", "--require-hashes", "-r", str(WANTED)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1][:200]
        message = f"bench: {last} found, the packages of {WANTED.name} expected; see that pip reaches its index"
        raise Stop(message)
    (folder / DONE).write_bytes(WANTED.read_bytes())
    return python


class BlazeFace:
    """An `Outside` detector of faces, in a process of its own."""

    def __init__(self, python: Path) -> None:
        """Start it."""
        self._process = subprocess.Popen(  # noqa: S603 - our own runner on the bench's own environment
            [str(python), "-I", str(RUNNER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def finds(self, jpeg: bytes) -> Sequence[Find]:
        """Return the faces it finds in a redacted picture; Stop where it has ended."""
        asked, told = self._process.stdin, self._process.stdout
        try:
            if asked is None or told is None:
                raise BrokenPipeError
            asked.write(struct.pack(">I", len(jpeg)) + jpeg)
            asked.flush()
            line = told.readline()
            return [Find(NAME, score, (*box,)) for score, *box in json.loads(line)]
        except (OSError, ValueError) as error:
            message = f"bench: {NAME} ended ({type(error).__name__}) found, an answer expected; remove its environment"
            raise Stop(message) from None

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=20)
