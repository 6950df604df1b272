"""The console takes no pictures: nothing could be spooled to its disk."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import Any

from fastapi.routing import APIRoute
from lamplight_console.adapters.http import build


def test_the_console_takes_nothing_in() -> None:
    """Every route only reads, and no parser of forms (which spools files to disk) is even installed."""
    parts: Any = SimpleNamespace()
    routes = [route for route in build(parts).routes if isinstance(route, APIRoute)]
    assert {method for route in routes for method in route.methods} <= {"GET", "HEAD"}
    assert not any(route.body_field for route in routes)
    assert importlib.util.find_spec("multipart") is None
    assert importlib.util.find_spec("python_multipart") is None
