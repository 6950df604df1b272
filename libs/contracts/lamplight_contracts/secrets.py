"""Passwords inside addresses: whether a text holds one, and the text without it; the one home of that question.

What counts: everything between `://` (or the start) and the last `@` where a colon or a URL's authority is before it,
fragments included, and the values of query keys that are called like a secret. Rather too much than a part of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

HIDDEN = "***"
_WHITE = re.compile(r"\s|$")
# A URL runs on over white space, which a password may hold, until the next word that holds a URL.
_CHUNK = re.compile(r"(?<!\S)\S*://(?:(?!(?<!\S)\S*://).)*|\S+", re.DOTALL)
_HEAD = re.compile(r"[^:@]*://")
_USER = re.compile(r"[^/?#\s]*@")
_ENCODED_USER = re.compile(r"[^/?#\s]*:[^/?#\s]*(?=%40)")
_KEY = re.compile(r"[?&;#]([^=&;#?\s]+)=")
# As makers of recorders write it: rtsp://host/user=admin_password=1234_channel=1_stream=0.sdp.
_PATH_KEY = re.compile(r"[/_]([^=&;#?/_\s]+)=")
_WORD = re.compile(r"[a-z0-9]+")
_SECRET_WORD = re.compile(
    r"(?:.*(?:password|passwd|passphrase|pwd|token|secret|apikey|accesskey|signature|credentials?)"
    r"|(?:user|login)?pass?|pw|psw|key|sig|auth|authorization)\d*"
)

Span = tuple[int, int]


def has_secret(text: str, *, whole: bool = False) -> bool:
    """Tell whether `text` holds a URL's user or password; `whole`: it is one address, its white space included."""
    return any(True for _ in _spans(text, whole=whole))


def scrub(text: str, *, whole: bool = False) -> str:
    """Return `text` with `***` for every user, password and secret query value in it; `whole` as in `has_secret`."""
    done, shown = 0, []
    for start, end in _merged(sorted(_spans(text, whole=whole))):
        shown += [text[done:start], HIDDEN]
        done = end
    return "".join([*shown, text[done:]])


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _spans(text: str, *, whole: bool) -> Iterator[Span]:
    chunks = [(0, text)] if whole else [(match.start(), match[0]) for match in _CHUNK.finditer(text)]
    for offset, chunk in chunks:
        user = _user(chunk)
        if user is not None:
            yield offset + user[0], offset + user[1]
    for match in _KEY.finditer(text):
        if _is_secret(match[1]):
            yield match.end(), len(text) if whole else _end_of_word(text, match.end())
    begin = text.find("://")
    if begin >= 0:  # a file's own path may well hold key=value
        for match in _PATH_KEY.finditer(text, begin + 3):
            if _is_secret(match[1]):
                yield match.end(), len(text) if whole else _end_of_word(text, match.end())


def _user(chunk: str) -> Span | None:
    """Return where user and password stand in one word, or in one URL and what follows it."""
    head = _HEAD.match(chunk)
    start = head.end() if head else 0
    at = chunk.rfind("@")
    if at >= start and (":" in chunk[start:at] or (head and _USER.match(chunk, start))):
        return start, at
    encoded = _ENCODED_USER.match(chunk, start) if head else None
    return (start, encoded.end()) if encoded else None


def _is_secret(key: str) -> bool:
    return any(_SECRET_WORD.fullmatch(word) for word in _WORD.findall(unquote(key).lower()))


def _end_of_word(text: str, start: int) -> int:
    white = _WHITE.search(text, start)
    return white.start() if white else len(text)
