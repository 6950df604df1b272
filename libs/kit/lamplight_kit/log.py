"""Logs: structlog, one canonical JSON line an event, ids bound by context; never pixels, vectors or credentials."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from lamplight_contracts.secrets import scrub

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
            _named(service),
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


def _named(service: str) -> Callable[[object, str, MutableMapping[str, Any]], MutableMapping[str, Any]]:
    """Return what puts the service's name to each line, from whatever thread."""

    def named(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("service", service)
        return event

    return named


def without_pixels(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace bytes by their length, take users and passwords out of URLs, cut texts that are too long."""
    return {key: _plain(value) for key, value in event.items()}


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
    # What is no text of JSON's own (an error, a path) would be written by its repr: that may hold an address.
    return value if value is None or isinstance(value, int | float) else scrub(repr(value))[:_MAX_TEXT]
