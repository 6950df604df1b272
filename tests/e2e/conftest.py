"""What end-to-end tests share: the command a user types, a dead proxy, and a clip that goes dark and bright."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest
from waits import until

ROOT = Path(__file__).parents[2]
LAMPLIGHT = [sys.executable, "-m", "lamplight_cli"]
DARK_EVERY_S = 8
"""The clip is bright for the first half of each such period, dark for the second."""
FPS = 5
CAMERAS = """version: 1
cameras:
- id: blinking
  name: Blinking camera
  source: {clip}
  district: east
  sampling: {{pictures: all, min_gap_s: 0.5}}
"""
RULES = """version: 1
rules:
- id: dark
  cameras: [blinking]
  over: camera
  when: '"dark" in camera.health'
  clear_s: 1
"""
PROXY = "http://127.0.0.1:9"
"""Port 9 discards, and nothing listens: whoever asks the proxy fails."""


def environment() -> dict[str, str]:
    """Return the environment of a machine behind a proxy that is dead."""
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"), PROXY)
    own = {name: value for name, value in os.environ.items() if not name.startswith("LAMPLIGHT_")}
    own.pop("no_proxy", None)
    own.pop("NO_PROXY", None)
    models = {"LAMPLIGHT_MODELS": os.environ["LAMPLIGHT_MODELS"]} if "LAMPLIGHT_MODELS" in os.environ else {}
    return {**own, **proxies, **models, "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> Sequence[Mapping[str, Any]]:
        """Its JSON lines; fails where stdout holds anything else."""
        return [json.loads(line) for line in self.out.splitlines()]


def run(*arguments: str | Path, timeout_s: float = 90) -> Answer:
    """Run the command as a user does."""
    done = subprocess.run(
        [*LAMPLIGHT, *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def lamplight() -> Callable[..., Answer]:
    """Give the command."""
    return run


@dataclass
class System:
    """A running `lamplight up`."""

    process: subprocess.Popen[bytes]
    data: Path
    log: Path

    @property
    def said(self) -> str:
        """All that it has said so far."""
        return self.log.read_text(encoding="utf-8")

    @property
    def state(self) -> Mapping[str, Any]:
        """Where everything is."""
        found: Mapping[str, Any] = json.loads((self.data / "state.json").read_text(encoding="utf-8"))
        return found

    def children(self) -> Sequence[psutil.Process]:
        """Every process that it has started, and theirs."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, module: str) -> psutil.Process:
        """The process that runs a module."""
        return next(each for each in self.children() if module in each.cmdline())

    def wait_ready(self) -> None:
        """Wait until it says that all is up."""
        until(lambda: "up: ready" in self.said or self.process.poll() is not None, "readiness", 110)
        assert self.process.poll() is None, self.said


@pytest.fixture(scope="session")
def start_up() -> Iterator[Callable[..., System]]:
    """Give what runs `lamplight up`; ended with the session, should a test have failed before it ended it."""
    running: list[subprocess.Popen[bytes]] = []

    def start(data: Path, *arguments: str | Path) -> System:
        log = data.with_name(f"{data.name}-{len(running)}.log")
        with log.open("wb") as out:
            command = [*LAMPLIGHT, "up", "--data", str(data), *map(str, arguments)]
            running.append(subprocess.Popen(command, env=environment(), stdout=out, stderr=out))
        return System(running[-1], data, log)

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()


def make_clip(path: Path, seconds: int) -> Path:
    """Write a clip of an empty scene that goes dark and bright again: a camera whose faults are known."""
    chance = np.random.default_rng(7)
    scene = np.full((24, 32), 160, np.uint8)
    scene[chance.random(scene.shape) < 0.2] = 90
    scene = scene.repeat(10, axis=0).repeat(10, axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, FPS)
        stream.codec_context.gop_size = FPS
        for number in range(seconds * FPS):
            is_dark = number / FPS % DARK_EVERY_S >= DARK_EVERY_S / 2
            # A little noise, so that no two pictures are the same one.
            grey = (scene // (20 if is_dark else 1) + chance.integers(0, 4, scene.shape)).astype(np.uint8)
            picture = av.VideoFrame.from_ndarray(np.repeat(grey[..., None], 3, axis=2), "rgb24")
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def make_files(folder: Path, clip: Path) -> Mapping[str, Path]:
    """Write a user's files for the blinking camera."""
    cameras, rules = folder / "cameras.yaml", folder / "rules.yaml"
    cameras.write_text(CAMERAS.format(clip=clip), encoding="utf-8")
    rules.write_text(RULES, encoding="utf-8")
    return {"cameras": cameras, "rules": rules}


@pytest.fixture(scope="session")
def blinking(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], tuple[Path, Mapping[str, Path]]]:
    """Give what makes a blinking clip of so many seconds, and the user's files for it."""

    def make(seconds: int) -> tuple[Path, Mapping[str, Path]]:
        folder = tmp_path_factory.mktemp("blinking")
        clip = make_clip(folder / "blinking.mp4", seconds)
        return clip, make_files(folder, clip)

    return make
