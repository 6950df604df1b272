"""The broker of a system on this machine, kept like any other process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lamplight_kafka_local import KafkaFailedError, LocalKafka
from lamplight_kit.clock import Clock

from lamplight_cli.running.process import State, pause_s

NAME = "kafka"


class KeptKafka:
    """A broker that is started again when it ends; its address may change then, and `look` says so by `address`."""

    def __init__(self, data_dir: Path, clock: Clock, say: Callable[[str], None]) -> None:
        """Keep its data in `data_dir`."""
        self._broker = LocalKafka(data_dir, progress=say)
        self._clock = clock
        self._deaths_in_a_row = 0
        self._start_again_s = 0.0
        self.address = ""
        self.state = State(NAME, "starting")

    def start(self) -> None:
        """Start and wait until it answers. Raises `KafkaFailedError`, `JarError` or `JavaNotFoundError`."""
        self.address = self._broker.start()
        self.state = State(NAME, "ready", self.address, restarts=self.state.restarts)

    def look(self) -> State:
        """Return how it is now, after starting it again where it has ended."""
        if self._broker.running:
            self._deaths_in_a_row = 0
            return self.state
        now_s = self._clock.monotonic_s()
        if self.state.word == "ready":
            self._wait("it ended", now_s)
        elif now_s >= self._start_again_s:
            try:
                self.start()
            except KafkaFailedError as error:
                self._wait(str(error).splitlines()[0], now_s)
        return self.state

    def stop(self) -> None:
        """Let it write everything down and end."""
        self._broker.stop()
        self.state = State(NAME, "ended", restarts=self.state.restarts)

    def _wait(self, why: str, now_s: float) -> None:
        self._deaths_in_a_row += 1
        wait_s = pause_s(self._deaths_in_a_row)
        self._start_again_s = now_s + wait_s
        self.state = State(NAME, "waiting", f"{why}; starts again in {wait_s:g} s", restarts=self.state.restarts + 1)
