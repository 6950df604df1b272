"""Dates and waits as HTTP writes them (RFC 9110, 5.6.7 and 10.2.3); pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from lamplight_ingest.model import NS_PER_S

LONGEST_WAIT_S = 3600.0
LONG_REST_S = 10.0


def date_ns(text: str | None) -> int | None:
    """Return an HTTP date as Unix ns; None where there is none, or none that can be read."""
    if not text:
        return None
    try:
        found = parsedate_to_datetime(text)
        aware = found if found.tzinfo else found.replace(tzinfo=UTC)
        return int(aware.timestamp()) * NS_PER_S
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def taken_ns(headers: Mapping[str, str]) -> int | None:
    """Return when headers (names in lower case) say that their picture was taken, Unix ns; None where none does.

    `X-Timestamp` is what mjpg-streamer and its kin send: Unix seconds with a fraction.
    """
    stamp = headers.get("x-timestamp", "").strip()
    if re.fullmatch(r"\d{9,10}(\.\d{1,9})?", stamp):
        seconds, _, fraction = stamp.partition(".")
        return int(seconds) * NS_PER_S + int(fraction.ljust(9, "0") or "0")
    return date_ns(headers.get("last-modified"))


def rest_text(status: int, wait_s: float, now_ns: int) -> str:
    """Return what an operator is told of a server that answered `status` and wants to be left alone for `wait_s`.

    It names the time only of a long rest: a state is not to change with every one of many short ones.
    """
    if wait_s < LONG_REST_S:
        return f"its server answers {status} and asks for a while (Retry-After)"
    until = datetime.fromtimestamp(math.ceil(now_ns / NS_PER_S + wait_s), UTC)
    return f"its server answered {status} and asked to be left alone until {until:%Y-%m-%d %H:%M:%S} UTC (Retry-After)"


def retry_after_s(text: str | None, now_ns: int) -> float | None:
    """Return the seconds that `Retry-After` asks for, at most an hour; None where it asks for nothing readable."""
    if text is None:
        return None
    if seconds := re.fullmatch(r"[ \t]*([0-9]{1,9})[ \t]*", text):
        return min(float(seconds[1]), LONGEST_WAIT_S)
    at_ns = date_ns(text)
    return None if at_ns is None else min(max(0.0, (at_ns - now_ns) / NS_PER_S), LONGEST_WAIT_S)
