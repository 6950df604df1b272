"""One process that is kept running: started on a leash, probed, started again when it ends, drained when told."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lamplight_kit.clock import Clock

from lamplight_cli.running import leash

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0
CANNOT_START = 2
"""The exit status of a service that cannot start: its settings, or its models, are wrong."""
TRIES = 3
_LOG_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True)
class Specification:
    """What to run: a command, its own environment over ours, where its log goes, and how to ask whether it is ready."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    http_port: int


@dataclass(frozen=True)
class State:
    """How a process is, and why.

    `word` is `starting` (until it is first ready), `ready`, `unready`, `waiting` (to be started again), `failed` (it
    says that it cannot start) or `ended`.
    """

    name: str
    word: str
    why: str = ""
    pid: int = 0
    restarts: int = 0


class Probe(Protocol):
    """How to ask a process whether it is ready."""

    def __call__(self, http_port: int) -> str | None:
        """Return None where it is ready, else why not; ConnectionError where it does not answer."""
        ...


def pause_s(deaths_in_a_row: int) -> float:
    """Return how long to wait before the next start: half a second, doubled with each death, at most half a minute."""
    return min(FIRST_PAUSE_S * 2.0 ** (deaths_in_a_row - 1), LONGEST_PAUSE_S)


class KeptProcess:
    """A process that is started again whenever it ends, later each time, until `stop`.

    Every method is to be called from the main thread: on Linux children die with the thread that started them.
    """

    def __init__(self, specification: Specification, clock: Clock, probe: Probe) -> None:
        """Nothing runs until `start`."""
        self.specification = specification
        self._clock = clock
        self._probe = probe
        self._child: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._start_again_s = 0.0
        self._deaths_in_a_row = 0
        self._was_ready = self._was_ever_ready = False
        self._log_from = 0
        self.restarts = 0
        self.state = State(specification.name, "starting")

    def start(self) -> None:
        """Start it now."""
        wanted = self.specification
        wanted.log.parent.mkdir(parents=True, exist_ok=True)
        if wanted.log.exists() and wanted.log.stat().st_size > _LOG_BYTES:
            wanted.log.replace(wanted.log.with_suffix(".log.1"))
        self._log_from = wanted.log.stat().st_size if wanted.log.exists() else 0
        with wanted.log.open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 - the project's own programs
                [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *wanted.command],
                env={**os.environ, **wanted.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours: we drain in order
            )
        self._started_s = self._clock.monotonic_s()
        self._was_ready = False
        self.state = self._said("starting")

    def look(self) -> State:
        """Return how it is now, after starting it again where it is time."""
        now_s = self._clock.monotonic_s()
        if self._child is None:
            if now_s >= self._start_again_s:
                self.start()
            return self.state
        status = self._child.poll()
        if status is not None:
            self._died(status, now_s)
        else:
            self.state = self._asked()
        return self.state

    def ask_to_end(self) -> None:
        """Send SIGTERM; `wait_ended` follows."""
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)

    def wait_ended(self, timeout_s: float) -> None:
        """Wait for the end; kill it and all it started after `timeout_s`."""
        if self._child is None:
            return
        try:
            self._child.wait(timeout_s)
            self.state = self._said("ended")
        except subprocess.TimeoutExpired:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
            self.state = self._said("ended", f"killed: it did not drain within {timeout_s:.0f} s")
        self._child = None

    def _asked(self) -> State:
        try:
            why = self._probe(self.specification.http_port)
        except OSError:
            return self._said("starting")
        if why is not None:
            return self._said("unready" if self._was_ready else "starting", why)
        self._was_ready = self._was_ever_ready = True
        return self._said("ready")

    def _died(self, status: int, now_s: float) -> None:
        lived_s = now_s - self._started_s
        self._deaths_in_a_row = 1 if lived_s > STEADY_S else self._deaths_in_a_row + 1
        self.restarts += 1
        wait_s = pause_s(self._deaths_in_a_row)
        self._start_again_s = now_s + wait_s
        said = last_error(self.specification.log, self._log_from)
        if status == CANNOT_START and not self._was_ever_ready and self._deaths_in_a_row >= TRIES:
            self.state = self._said("failed", said or f"ended with status {status}; read {self.specification.log}")
            self._child, self._start_again_s = None, math.inf
            return
        why = f"ended with status {status}; starts again in {wait_s:g} s" + (f": {said}" if said else "")
        self.state = self._said("waiting", why)
        self._child = None

    def _said(self, word: str, why: str = "") -> State:
        pid = self._child.pid if self._child is not None else 0
        return State(self.specification.name, word, why, pid, self.restarts)


def last_error(log: Path, start: int = 0) -> str:
    """Return the last error's text of a log of JSON lines, else its last line; empty where it says nothing.

    What stands before byte `start` was said by another process, earlier.
    """
    try:
        with log.open("rb") as stream:
            stream.seek(max(start, log.stat().st_size - 8_000))
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    for line in reversed(lines[-40:]):
        try:
            entry = json.loads(line)
        except ValueError:
            return line.strip()[:300]
        if isinstance(entry, dict) and entry.get("level") in {"error", "critical"}:
            return str(entry.get("error") or entry.get("event"))[:300]
    return ""
