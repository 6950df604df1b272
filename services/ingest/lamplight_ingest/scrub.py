"""Keeps credentials out of every text that leaves a source: states, errors, logs."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from urllib.parse import quote

from lamplight_contracts import secrets as addresses

_MIN_SECRET = 3
_MAX_TEXT = 300


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` as one short line without any of `secrets`, plain, percent-encoded or in HTML, and URL users."""
    for secret in sorted({form for known in secrets for form in _forms(known)}, key=len, reverse=True):
        text = text.replace(secret, addresses.HIDDEN)
    line = " ".join(addresses.scrub(text).split())
    return line if len(line) <= _MAX_TEXT else f"{line[: _MAX_TEXT - 1]}…"


def _forms(secret: str) -> tuple[str, ...]:
    """Return how a secret may be written; one or two letters would blot out every word, and are hidden by URL alone."""
    if len(secret) < _MIN_SECRET:
        return ()
    return (secret, quote(secret, safe=""), quote(secret), escape(secret), escape(secret, quote=False))
