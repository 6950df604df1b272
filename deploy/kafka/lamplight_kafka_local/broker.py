"""One Kafka broker as a child process: formatted once, on free ports that its data folder remembers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from lamplight_kafka_local.jars import default_cache, fetch_jars
from lamplight_kafka_local.java import find_java

READY_S = 60.0
STOP_S = 30.0
PORT_TRIES = 3


class KafkaFailedError(RuntimeError):
    """The broker did not start; the text ends with the last lines of its log."""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - progress for a person


@dataclass
class LocalKafka:
    """A broker of one's own: `start` returns its address, `stop` ends it, and the next `start` finds its data.

    `data_dir` holds the log folder, the ports, the properties and the broker's log. `progress` gets a line for each
    thing that takes long.
    """

    data_dir: Path
    heap_mb: int = 512
    cache_dir: Path = field(default_factory=default_cache)
    progress: Callable[[str], None] = _say
    _keeper: subprocess.Popen[str] | None = None
    _java_pid: int = 0

    @property
    def log_path(self) -> Path:
        """The broker's own log."""
        return self.data_dir / "kafka.log"

    @property
    def running(self) -> bool:
        """Whether the broker's process lives."""
        return self._keeper is not None and self._keeper.poll() is None

    def start(self) -> str:
        """Start the broker, wait until it answers, and return `127.0.0.1:port`.

        Raises `KafkaFailedError`, `JarError` or `JavaNotFoundError`.
        """
        if self.running:
            return self._address()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        jars = fetch_jars(self.cache_dir, self.progress)
        command = [str(find_java()), "-cp", os.pathsep.join(map(str, jars))]
        for left in reversed(range(PORT_TRIES)):
            self._configure()
            self._format(command)
            try:
                self._run(command)
                return self._wait_ready()
            except KafkaFailedError as error:
                self.kill()
                if left == 0 or "Address already in use" not in str(error):
                    raise
                (self.data_dir / "ports.json").unlink()
        raise AssertionError  # the last try returned or raised

    def stop(self) -> None:
        """Ask the broker to write everything down and end; kill it after 30 s."""
        if self._keeper is None:
            return
        self._signal(signal.SIGTERM)
        try:
            self._keeper.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
        self._forget()

    def kill(self) -> None:
        """End the broker at once, as a power cut would; for chaos."""
        if self._keeper is not None:
            self._signal(signal.SIGKILL)
            self._forget()

    def _signal(self, number: signal.Signals) -> None:
        # The keeper reaps Java, so the process id is Java's for as long as the keeper lives.
        if self.running and self._java_pid > 0:
            os.kill(self._java_pid, number)
        elif self._keeper is not None and self._keeper.stdin is not None:
            # Broken off before Java's id was told (0 is our own group): the keeper ends Java when this pipe closes.
            self._keeper.stdin.close()

    def _forget(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.wait(STOP_S)
            for pipe in (keeper.stdin, keeper.stdout):
                if pipe is not None:
                    pipe.close()

    def _ports(self) -> dict[str, int]:
        path = self.data_dir / "ports.json"
        if path.exists():
            ports: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
            if all(_is_free(port) for port in ports.values()):
                return ports
        ports = dict(zip(("broker_port", "controller_port"), _free_ports(2), strict=True))
        path.write_text(json.dumps(ports), encoding="utf-8")
        return ports

    def _address(self) -> str:
        ports = json.loads((self.data_dir / "ports.json").read_text(encoding="utf-8"))
        return f"127.0.0.1:{ports['broker_port']}"

    def _configure(self) -> None:
        template = (files("lamplight_kafka_local") / "server.properties").read_text(encoding="utf-8")
        text = template.format(log_dir=(self.data_dir / "log").as_posix(), **self._ports())
        (self.data_dir / "server.properties").write_text(text, encoding="utf-8")
        quiet = (files("lamplight_kafka_local") / "log4j2.properties").read_text(encoding="utf-8")
        (self.data_dir / "log4j2.properties").write_text(quiet, encoding="utf-8")

    def _format(self, command: list[str]) -> None:
        if (self.data_dir / "log" / "meta.properties").exists():
            return
        shutil.rmtree(self.data_dir / "log", ignore_errors=True)  # a format that was cut off
        # A letter before it, since one in 64 would begin with "-", which the tool takes for an option.
        cluster_id = "L" + urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(self.data_dir / "server.properties")]
        options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        done = subprocess.run(  # noqa: S603 - Java with our own arguments
            [command[0], *options, *command[1:], *tool], capture_output=True, text=True, check=False, timeout=READY_S
        )
        if done.returncode != 0:
            text = f"{self.data_dir} could not be formatted for Kafka: {done.stdout[-1000:]}{done.stderr[-1000:]}"
            raise KafkaFailedError(text)

    def _run(self, command: list[str]) -> None:
        options = [
            f"-Xmx{self.heap_mb}m",
            f"-Xms{min(256, self.heap_mb)}m",
            "-XX:+UseSerialGC",
            f"-Dlog4j2.configurationFile=file:{self.data_dir / 'log4j2.properties'}",
        ]
        java = [command[0], *options, *command[1:], "kafka.Kafka", str(self.data_dir / "server.properties")]
        self.log_path.write_bytes(b"")
        self._keeper = subprocess.Popen(  # noqa: S603 - this Python with our own arguments
            [sys.executable, "-P", "-m", "lamplight_kafka_local.keeper", str(self.log_path), *java],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for whoever started us: services drain before their broker ends
        )
        assert self._keeper.stdout is not None  # noqa: S101 - a pipe was asked for
        self._java_pid = int(self._keeper.stdout.readline() or 0)

    def _wait_ready(self) -> str:
        address = self._address()
        until = time.monotonic() + READY_S
        while self.running and time.monotonic() < until:
            if _answers(address):
                return address
            time.sleep(0.1)
        log = self.log_path.read_text(encoding="utf-8", errors="replace")[-2000:]
        state = f"did not answer on {address} within {READY_S:.0f} s" if self.running else "ended while starting"
        text = f"Kafka {state}; another process may hold {self.data_dir}, or memory is short. Its log:\n{log}"
        raise KafkaFailedError(text)


def _answers(address: str) -> bool:
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
        admin = KafkaAdminClient(bootstrap_servers=address, request_timeout_ms=5000, bootstrap_timeout_ms=2000)
    except (OSError, KafkaError):
        return False
    try:
        described: dict[str, Any] = admin.describe_cluster()
        return bool(described["brokers"])
    except KafkaError:
        return False
    finally:
        admin.close()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
