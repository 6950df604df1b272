"""A snapshot server: each camera is an address whose JPEG changes as its script says, with ETag and Last-Modified.

    with serve({"quay": Script((Step(b"...", 5.0), Step(b"...", 5.0)))}) as server:
        httpx.get(server.url("quay"))

A script starts when its first picture is asked for, and starts again at its end.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

POLL_S = 0.05


@dataclass(frozen=True)
class Step:
    """One picture (JPEG bytes, sent as they are) and for how long it is the newest."""

    jpeg: bytes
    seconds: float


@dataclass(frozen=True)
class Script:
    """What one camera shows, step by step, over and over."""

    steps: tuple[Step, ...]

    @property
    def duration_s(self) -> float:
        """Seconds until the script starts again."""
        return sum(step.seconds for step in self.steps)

    def at(self, elapsed_s: float) -> tuple[Step, float]:
        """Return the step that shows `elapsed_s` after the start, and when, after the start, it began."""
        round_s = elapsed_s - elapsed_s % self.duration_s
        began_s = [round_s + start for start in itertools.accumulate((s.seconds for s in self.steps), initial=0.0)]
        ends_s = began_s[1:]
        index = next((i for i, end in enumerate(ends_s) if elapsed_s < end), len(self.steps) - 1)
        return self.steps[index], began_s[index]


@dataclass(frozen=True)
class SnapshotServer:
    """A running server: its port, and the URL of each of its cameras."""

    port: int
    names: tuple[str, ...]
    host: str = "127.0.0.1"

    def url(self, name: str | None = None) -> str:
        """Return the address of camera `name`, or of the only one."""
        return f"http://{self.host}:{self.port}/{self.names[0] if name is None else name}.jpg"


@contextlib.contextmanager
def serve(
    scripts: Mapping[str, Script], port: int = 0, host: str = "127.0.0.1", now: Callable[[], float] = time.time
) -> Iterator[SnapshotServer]:
    """Serve `scripts` by name, in a thread of its own, until the block ends.

    Port 0 takes a free one; `now` gives Unix seconds. `OSError` where the port is taken.
    """
    server = ThreadingHTTPServer((host, port), partial(_Handler, Shows(scripts, now)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(POLL_S,), name="demo-snapshots", daemon=True)
    thread.start()
    try:
        yield SnapshotServer(server.server_address[1], tuple(scripts), host)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Shows:
    """Which picture each script shows now; remembers when each was first asked for."""

    def __init__(self, scripts: Mapping[str, Script], now: Callable[[], float]) -> None:
        """Begin no script yet; `now` gives Unix seconds."""
        self._scripts = scripts
        self._now = now
        self._started_s: dict[str, float] = {}
        self._lock = threading.Lock()

    def newest(self, name: str) -> tuple[bytes, float] | None:
        """Return the JPEG that `name` shows and the Unix time it was taken, or None for an unknown name."""
        script = self._scripts.get(name)
        if script is None:
            return None
        with self._lock:
            started_s = self._started_s.setdefault(name, self._now())
        step, began_s = script.at(self._now() - started_s)
        return step.jpeg, started_s + began_s


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, shows: Shows, *args: object) -> None:
        self._shows = shows
        super().__init__(*args)  # type: ignore[arg-type]  # socketserver's own three arguments, passed on as they came

    def do_GET(self) -> None:
        """Answer with the newest picture, or 304 where the caller has it."""
        newest = self._shows.newest(self.path.partition("?")[0].strip("/").removesuffix(".jpg"))
        if newest is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        jpeg, taken_s = newest
        etag = f'"{hashlib.sha256(jpeg).hexdigest()[:16]}-{int(taken_s)}"'
        fresh = self._has(etag, taken_s)
        self.send_response(HTTPStatus.NOT_MODIFIED if fresh else HTTPStatus.OK)
        self.send_header("ETag", etag)
        self.send_header("Last-Modified", formatdate(taken_s, usegmt=True))
        self.send_header("Cache-Control", "no-cache")
        if not fresh:
            self.send_header("Content-Type", "image/jpeg")
            self.send_header("Content-Length", str(len(jpeg)))
        self.end_headers()
        if not fresh and self.command == "GET":
            self.wfile.write(jpeg)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def _has(self, etag: str, taken_s: float) -> bool:
        """Tell whether the caller has this picture: by `If-None-Match` or, without one, by its date (RFC 9110, 13)."""
        if (asked := self.headers.get("If-None-Match")) is not None:
            return etag in (tag.strip() for tag in asked.split(","))
        since = self.headers.get("If-Modified-Since")
        if since is None:
            return False
        try:
            return int(taken_s) <= parsedate_to_datetime(since).timestamp()
        except ValueError:
            return False

    def log_message(self, *_: object) -> None:
        """Say nothing: the demo's terminal is for alerts."""
