"""The life of a service process: start its parts in order, say how it is, drain on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol, runtime_checkable

import structlog

from lamplight_kit import metrics
from lamplight_kit.errors import LamplightError, SettingsError, Stop

_DRAIN_S = 20.0
_log = structlog.get_logger()


class Component(Protocol):
    """A part of a service."""

    name: str

    def start(self) -> None:
        """Begin; returns once begun. Raises `Stop` where it cannot."""
        ...

    def unready(self) -> str | None:
        """Say why this part is not ready, or None where it is."""
        ...

    def stop(self, timeout_s: float) -> None:
        """Finish what is at hand, let go, end within `timeout_s`."""
        ...


@runtime_checkable
class Follower(Protocol):
    """A part that is told, before it starts, how to ask why parts are not ready (a gRPC server's health service)."""

    def follow(self, reasons: Callable[[], Mapping[str, str]]) -> None:
        """Take `reasons`: why each part that is not ready is not, by name; empty when the process is ready."""
        ...


class Health:
    """/healthz, /readyz and /metrics of a process, over plain HTTP."""

    name = "health"

    def __init__(self, listen: str, parts: Sequence[Component]) -> None:
        """Serve at `listen` (host:port) what `parts` say of themselves."""
        host, _, port = listen.rpartition(":")
        self._parts = parts
        try:
            self._server = ThreadingHTTPServer((host, int(port)), self._handler())
        except (OSError, ValueError) as error:
            message = f"http_listen {listen!r}: {error}; a free host:port expected; set LAMPLIGHT_HTTP_LISTEN"
            raise SettingsError(message) from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread.start()

    def reasons(self) -> Mapping[str, str]:
        """Return why each part that is not ready is not."""
        said = {part.name: part.unready() for part in self._parts}
        return {name: why for name, why in said.items() if why is not None}

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        health = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._answer(HTTPStatus.OK, metrics.CONTENT_TYPE_LATEST, metrics.render())
                elif self.path == "/healthz":
                    self._answer(HTTPStatus.OK, "application/json", b'{"alive": true}')
                elif self.path == "/readyz":
                    reasons = health.reasons()
                    status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
                    self._answer(
                        status, "application/json", json.dumps({"ready": not reasons, "unready": reasons}).encode()
                    )
                else:
                    self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"/healthz, /readyz or /metrics expected\n")

            def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                with contextlib.suppress(ConnectionError):  # who asked has hung up
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Probes are not worth a line."""

        return Handler


def run(name: str, parts: Sequence[Component], http_listen: str, ports_file: Path | None = None) -> int:
    """Run a service until SIGTERM or SIGINT; return its exit status (0: drained, 2: it could not start).

    Parts start in order and stop in reverse. A part with an attribute `port` has it written to `ports_file` (JSON,
    by part name) once all have started, beside the health port (`http`). A `Follower` gets the process's readiness.
    """
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    started: list[Component] = []
    health: Health | None = None
    try:
        health = Health(http_listen, parts)
        health.start()
        for part in parts:
            if isinstance(part, Follower):
                part.follow(health.reasons)
        for part in parts:
            part.start()
            started.append(part)
        if ports_file is not None:
            _write_ports(ports_file, {"http": health.port, **_ports(parts)})
        _log.info("started", service_name=name, http_port=health.port, parts=[part.name for part in parts])
        ending.wait()
    except Stop as error:
        _log.error("cannot start", service_name=name, error=str(error))
        return 2
    finally:
        _drain(started)
        if health is not None:
            health.stop()
    _log.info("drained", service_name=name)
    return 0


def _ports(parts: Sequence[Component]) -> Mapping[str, int]:
    found = {part.name: getattr(part, "port", 0) for part in parts}
    return {name: port for name, port in found.items() if port}


def _write_ports(path: Path, ports: Mapping[str, int]) -> None:
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps(ports), encoding="utf-8")
    beside.replace(path)


def _drain(started: Sequence[Component]) -> None:
    for part in reversed(started):
        try:
            part.stop(_DRAIN_S)
        except LamplightError as error:
            _log.warning("part did not drain", part=part.name, error=str(error))


class AsyncPart:
    """A component that lives on an event loop of its own thread; subclass and write `run`."""

    name = "async"

    def __init__(self) -> None:
        """Make the loop's thread; nothing runs until `start`."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=self.name, daemon=True)

    async def open(self) -> None:
        """Begin on the loop; raise `Stop` where that cannot be."""

    async def close(self, timeout_s: float) -> None:
        """End on the loop."""

    def start(self) -> None:
        """Start the loop and wait for `open`."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.open(), self._loop).result()

    def unready(self) -> str | None:
        """Say why this part is not ready, or None where it is."""
        return None

    def stop(self, timeout_s: float) -> None:
        """Wait for `close`, end the loop."""
        try:
            asyncio.run_coroutine_threadsafe(self.close(timeout_s), self._loop).result(timeout_s + 5)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout_s)
