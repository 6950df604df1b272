"""Lets integration tests import what they share (importlib mode alone does not), and gives them running workers."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "services" / "ingest" / "tests")]

from ingest_world import bus, clip, seen, start  # noqa: E402, F401 - fixtures, found here by their names
