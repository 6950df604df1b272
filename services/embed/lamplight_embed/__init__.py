"""Embed: makes vectors of redacted regions."""
