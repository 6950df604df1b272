"""Seals of redacted pictures, and how a reader verifies them."""
