"""How all tests run: how they are shared out among processes (`-n 2`, as `make test` does), and their brokers' Java."""

from __future__ import annotations

import os
from typing import Any

import pytest

REAL_PARTS = ("tests/integration/", "tests/chaos/", "tests/e2e/test_up.py", "deploy/kafka/")
"""Tests that start brokers and services, and time them."""

if not os.environ.get("LAMPLIGHT_SOAK"):
    # These brokers live for seconds: without Java's second compiler they start in half of the processor's time.
    os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Let one process run all tests on real parts, on one broker; the files of other tests fill the rest.

    That group, the largest, comes first. It mostly waits; those that reckon use the processor meanwhile.
    """
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class Shares(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "real parts" if nodeid.startswith(REAL_PARTS) else nodeid.split("::", 1)[0]

    return Shares(config, log)
