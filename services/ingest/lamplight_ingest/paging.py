"""A long list a page at a time, by id (as AIP-158): what is there all the while comes once, in order; pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from heapq import nsmallest

USUAL, MOST = 1_000, 5_000
MOST_IDS = 1_000
PAGE_BYTES = 8 << 20
"""Of entries in one answer, one of which may be 128 KiB: well below the 32 MiB of a message."""
_MARK = b"v1:"


def size_of(told: int) -> int:
    """Return how many a page may hold; ValueError below 0."""
    if told < 0:
        message = "0 or more"
        raise ValueError(message)
    return min(told or USUAL, MOST)


def token_after(identifier: str) -> str:
    """Return the token of the page that begins behind `identifier`."""
    return base64.urlsafe_b64encode(_MARK + identifier.encode()).decode()


def after(token: str) -> str:
    """Return the id behind which a page begins, empty for the first; ValueError for what is no token of ours."""
    try:
        plain = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True) if token else _MARK
        found = plain.decode("utf-8")
    except (binascii.Error, UnicodeError):
        found = ""
    if not found.startswith(_MARK.decode()):
        message = "empty, or the next_page_token of an answer"
        raise ValueError(message)
    return found.removeprefix(_MARK.decode())


def page(ids: Iterable[str], behind: str, size: int) -> list[str]:
    """Return the next `size` of `ids` behind an id, and one more where there is more."""
    return nsmallest(size + 1, {each for each in ids if each > behind})
