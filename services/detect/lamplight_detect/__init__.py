"""Detect: decodes, redacts, finds things and places; the only room that sees a picture."""
