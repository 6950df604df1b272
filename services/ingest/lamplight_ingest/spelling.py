"""What a text means, whoever escaped or recoded it: percent, HTML, JSON and backslash escapes, bytes of any coding.

A text is letters, each with where it is written, so that what was found in the meaning is found in the writing. Pure.
"""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import unquote_to_bytes

ROUNDS = 3
"""How often a text may have been escaped, one way within another."""
_PERCENT = r"(?:%[0-9a-fA-F]{2})+"
_BYTES = "[\udc80-\udcff]+"  # bytes that were no UTF-8, as Python keeps them
_RECODED = "[\x80-\xff]{2,}"  # UTF-8 that was read as Latin-1
_ENTITY = r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,31});"
_BACKSLASH = r"\\(?:u[0-9a-fA-F]{4}|U000[0-9a-fA-F]{5}|x[0-9a-fA-F]{2}|[0-3][0-7]{2}|.)"
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "a": "\a"}
_ESCAPE = re.compile(f"{_PERCENT}|{_BYTES}|{_RECODED}|{_ENTITY}|{_BACKSLASH}", re.DOTALL)

Letters = list[tuple[str, int, int]]
"""Letter by letter what a text means, and where in it each is written: start and end."""


def meanings(text: str) -> list[Letters]:
    """Return `text` as it is written, and what it means where that differs, one round of escapes after another."""
    views: list[Letters] = [[(letter, at, at + 1) for at, letter in enumerate(text)]]
    for _ in range(ROUNDS):
        meant = _meant(views[-1])
        if meant is None:
            break
        views.append(meant)
    return views


def _meant(letters: Letters) -> Letters | None:
    """Return what escaped letters mean, once; None where none is escaped."""
    text = "".join(letter for letter, _, _ in letters)
    meant: Letters = []
    done = 0
    for match in _ESCAPE.finditer(text):
        meant += letters[done : match.start()]
        start, end = letters[match.start()][1], letters[match.end() - 1][2]
        meant += [(letter, start, end) for letter in _unescaped(match[0])]
        done = match.end()
    is_news = [letter for letter, _, _ in meant] != list(text[:done])
    return meant + letters[done:] if is_news else None


def _unescaped(escape: str) -> str:
    if escape[0] == "%":
        return _text(unquote_to_bytes(escape))
    if escape[0] == "&":
        return unescape(escape)
    if escape[0] != "\\":
        return _text(escape.encode("latin-1" if escape[0] <= "\xff" else "utf-8", "surrogateescape"))
    if len(escape) == 2:
        return _CONTROLS.get(escape[1], escape[1])
    is_hexadecimal = escape[1] in "uUx"
    return chr(int(escape[2 if is_hexadecimal else 1 :], 16 if is_hexadecimal else 8))


def _text(data: bytes) -> str:
    """Return bytes as text: UTF-8 where they are that, else Latin-1, which anything is."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
