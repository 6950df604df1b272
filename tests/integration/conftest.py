"""Lets integration tests import what they share (importlib mode alone does not), and gives them running workers."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from ingest_world import bus, clip, seen, start  # noqa: F401 - fixtures, found here by their names
