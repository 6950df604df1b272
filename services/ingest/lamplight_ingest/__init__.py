"""Ingest: receives cameras, sends encoded pictures to detect, decodes nothing."""
