"""Detectors from outside that look at what has left the gate: for measuring alone, and never part of the gate."""

from lamplight_detect.privacy_bench.outside.find import Find, Outside

__all__ = ["Find", "Outside"]
