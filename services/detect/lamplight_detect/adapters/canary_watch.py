"""When the canary is sent, and what it says to the gate, `/readyz` and the metrics."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from lamplight_detect import metrics

RETRY_S = 10.0
"""A gate that the canary closed is tried again this soon."""
STALE_RUNS, STALE_SLACK_S = 3.0, 60.0
"""A gate closes where no canary has come through for this many intervals and a minute: its thread may be gone."""
LATE_S = 120.0
"""A gate closes where a canary is out longer than this: a model may hang."""
NOT_YET = "no canary has come through yet"
_log = structlog.get_logger()


class CanaryWatch:
    """Holds the gate closed until the canary has come through, and from the first time that it does not.

    A part of the service: `start` sends it at once and every `every_s` from a thread. Without `start`, `when_due`
    sends it on the caller's thread.
    """

    name = "canary"

    def __init__(self, every_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        """Send the canary every `every_s` seconds; `check` (set before the first) says why the gate must close."""
        self.check: Callable[[], str] = lambda: "the canary has no way through the gate"
        self._every_s, self._now_s = every_s, now_s
        self._why = NOT_YET
        self._good_s = self._sent_s = float("-inf")
        self._sending = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def why_closed(self) -> str:
        """Return why the gate is closed, or an empty text."""
        now_s = self._now_s()
        age_s, late_s = now_s - self._good_s, now_s - self._sent_s
        is_out = self._sent_s > self._good_s
        if not self._why and (age_s > STALE_RUNS * self._every_s + STALE_SLACK_S or (is_out and late_s > LATE_S)):
            return f"a canary that came through {age_s:.0f} s ago found, one every {self._every_s:.0f} s expected"
        return self._why

    def when_due(self) -> str:
        """Send the canary if it is time to; return why the gate is closed, or an empty text."""
        with self._sending:
            if self._now_s() - self._sent_s >= self._gap_s():
                self._send()
        return self.why_closed()

    def start(self) -> None:
        """Send it from now on."""
        self._thread = threading.Thread(target=self._run, name="canary", daemon=True)
        self._thread.start()

    def unready(self) -> str | None:
        """Say why the gate is closed, or None."""
        return self.why_closed() or None

    def stop(self, timeout_s: float) -> None:
        """Let the thread end: a process that ends within a model's run is aborted."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._sending:
                self._send()
            self._stopping.wait(self._gap_s())

    def _gap_s(self) -> float:
        return min(RETRY_S, self._every_s) if self._why else self._every_s

    def _send(self) -> None:
        self._sent_s = self._now_s()
        why = self.check()
        if why:
            _log.error("the canary closed the gate", why=why)
        elif self._why not in ("", NOT_YET):
            _log.info("the canary came through")
        self._good_s = self._good_s if why else self._now_s()
        self._why = why
        metrics.CANARIES.labels("closed" if why else "good").inc()
        metrics.CANARY_OPEN.set(0 if why else 1)
