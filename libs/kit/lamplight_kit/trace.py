"""W3C Trace Context: the `traceparent` that goes with every gRPC call and Kafka record.

https://www.w3.org/TR/trace-context/ - only the identifiers travel; exporting spans is left to the process.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

_VALID = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")
_current: ContextVar[str] = ContextVar("traceparent", default="")


def new() -> str:
    """Return a fresh traceparent, sampled."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def child(parent: str) -> str:
    """Return a traceparent of the same trace with a new span; a fresh one where `parent` is none."""
    if not _VALID.match(parent):
        return new()
    version, trace_id, _, flags = parent.split("-")
    return f"{version}-{trace_id}-{secrets.token_hex(8)}-{flags}"


def current() -> str:
    """Return the traceparent of the work at hand, empty outside any."""
    return _current.get()


@contextmanager
def within(parent: str) -> Iterator[str]:
    """Do some work as a child of `parent` (or as a new trace), with its trace id bound to every log line."""
    own = child(parent)
    token = _current.set(own)
    with structlog.contextvars.bound_contextvars(trace_id=own.split("-")[1]):
        try:
            yield own
        finally:
            _current.reset(token)
