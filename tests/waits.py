"""How all tests on real parts wait: for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

Found = TypeVar("Found")


def until(find: Callable[[], Found | None], what: str = "what was waited for", within_s: float = 60.0) -> Found:
    """Return what `find` gives once that is true; fail, naming `what`, after `within_s`."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        found = find()
        if found:
            return found
        time.sleep(0.02)
    pytest.fail(f"{what} did not come within {within_s:g} s")
