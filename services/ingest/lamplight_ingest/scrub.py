"""Keeps credentials out of every text that leaves a source: states, errors, logs; and makes it one that can go.

A secret is looked for however it was written (`spelling`): text and secret are compared by the letters that every way
of writing leaves, and every word is hidden that holds one of them. This is the second line: what a server says in its
own words is not repeated at all (`heard`).
"""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lamplight_contracts import secrets as addresses

from lamplight_ingest.spelling import Letters, meanings

_MIN_SECRET = 3
_MIN_CORE = 6
_MAX_TEXT = 300
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORD, _WHITE = re.compile(r"\S+"), re.compile(r"\s+")
_LEFT_OUT = ((re.compile(r"[^a-z0-9]+"), 4), (re.compile(r"[^!-~]+"), 3), (re.compile(r"(?!)"), 1))
"""What is left out of both before they are compared, by how many letters must be left of a secret to tell it by."""

Span = tuple[int, int]


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` as one short line without any of `secrets`, however written, and without URL users.

    It is valid text: no surrogate and no control character is left of bytes that are no UTF-8, or steer a terminal.
    """
    hidden = _without(text, [form for known in secrets for form in _forms(known)])
    line = " ".join(addresses.scrub(fit(hidden)).split())
    return line if len(line) <= _MAX_TEXT else f"{line[: _MAX_TEXT - 1]}…"


def fit(text: str) -> str:
    """Return `text` with a mark for each surrogate, and a space for what steers a terminal or a reader's eye."""
    return _UNFIT.sub(" ", _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text))


def _forms(secret: str) -> list[str]:
    """Return how a secret may be written; one or two letters would blot out every word, and are hidden by URL alone."""
    if len(secret) < _MIN_SECRET:
        return []
    plain = {secret} if secret.isascii() else {secret, secret.upper(), *_recoded(secret)}
    meant = {_joined(view) for form in plain for view in meanings(form)}
    return [*meant, *{core for form in plain for data in _coded(form) for core in _cores(data)}]


def _recoded(text: str) -> Iterator[str]:
    yield unicodedata.normalize("NFC", text)
    yield unicodedata.normalize("NFD", text)
    ascii_alone = text.encode("ascii", "ignore").decode()
    if len(ascii_alone) >= _MIN_SECRET:
        yield ascii_alone


def _coded(text: str) -> Iterator[bytes]:
    yield text.encode("utf-8", "replace")
    if not text.isascii() and all(letter <= "\xff" for letter in text):
        yield text.encode("latin-1")


def _cores(data: bytes) -> Iterator[str]:
    """Yield what stands in every base64 of bytes that `data` is among, wherever among them it begins."""
    for shift in range(3):
        core = base64.b64encode(bytes(shift) + data)[(8 * shift + 5) // 6 : 8 * (shift + len(data)) // 6]
        if len(core) >= _MIN_CORE:
            yield core.decode()


def _without(text: str, forms: list[str]) -> str:
    """Return `text` with every word hidden that a part of one of `forms` stands in."""
    if not forms:
        return text
    views = [_Compared(view) for view in meanings(text)]
    words = [match.span() for match in _WORD.finditer(text)]
    hidden: set[int] = set()
    for sought in map(_sought, forms):
        for start, end in (span for view in views for span in view.found(sought)):
            held = [at for at, word in enumerate(words) if word[0] < end and start < word[1]]
            hidden.update(range(held[0] - sought.before, held[-1] + sought.after + 1) if held else ())
    return _hide(text, [word for at, word in enumerate(words) if at in hidden])


def _hide(text: str, spans: list[Span]) -> str:
    shown, done = [], 0
    for start, end in spans:
        shown += [text[done:start], addresses.HIDDEN]
        done = end
    return "".join([*shown, text[done:]])


@dataclass(frozen=True)
class _Sought:
    """What is left of a secret when `left_out` is; so many words of it may stand before and after that."""

    letters: str
    left_out: re.Pattern[str]
    before: int
    after: int


def _sought(form: str) -> _Sought:
    folded = form.casefold()
    for left_out, least in _LEFT_OUT:
        letters = left_out.sub("", folded)
        if len(letters) >= least:
            break
    before, after = folded[: folded.find(letters[0])], folded[folded.rfind(letters[-1]) + 1 :]
    return _Sought(letters, left_out, len(_WHITE.findall(before)), len(_WHITE.findall(after)))


class _Compared:
    """One meaning of a text, as secrets are looked for in it."""

    def __init__(self, view: Letters) -> None:
        self._folded = [(folded, start, end) for letter, start, end in view for folded in letter.casefold()]
        self._kept: dict[re.Pattern[str], tuple[str, Letters]] = {}

    def found(self, sought: _Sought) -> Iterator[Span]:
        """Yield where `sought` is written."""
        text, letters = self._without(sought.left_out)
        at = text.find(sought.letters)
        while at >= 0:
            yield letters[at][1], letters[at + len(sought.letters) - 1][2]
            at = text.find(sought.letters, at + 1)

    def _without(self, left_out: re.Pattern[str]) -> tuple[str, Letters]:
        if left_out not in self._kept:
            letters = [entry for entry in self._folded if not left_out.match(entry[0])]
            self._kept[left_out] = _joined(letters), letters
        return self._kept[left_out]


def _joined(letters: Letters) -> str:
    return "".join(letter for letter, _, _ in letters)
