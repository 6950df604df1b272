"""Lamplight's demo: cameras of several kinds on this machine, and what to watch for."""
