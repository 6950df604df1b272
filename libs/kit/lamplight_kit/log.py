"""Logs: structlog, one canonical JSON line an event, ids bound by context; never pixels, vectors or credentials."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_CREDENTIALS = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s@]+@")
_MAX_TEXT = 2_000


class _Stderr:
    """Whatever is stderr when a line is written: it may be replaced after loggers were bound."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure(service: str, level: str = "info") -> None:
    """Log JSON lines to stderr, bound to `service`; tracebacks carry no local variables."""
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(number, logging.WARNING), format="%(name)s %(levelname)s %(message)s")
    # Its clients say every retry while a broker is away; the bus says it once, in its own words.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            without_pixels,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(_Stderr()),  # type: ignore[arg-type]  # print asks for no more
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


def without_pixels(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace bytes by their length, take user and password out of URLs, cut texts that are too long."""
    return {key: _plain(value) for key, value in event.items()}


def scrub(text: str) -> str:
    """Take user and password out of every URL in `text`."""
    return _CREDENTIALS.sub(r"\g<scheme>***@", text)


def _plain(value: object) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, str):
        return scrub(value)[:_MAX_TEXT]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "__array_interface__"):
        return "<array>"
    return value
