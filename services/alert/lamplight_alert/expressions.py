"""Reading a CEL text without evaluating it: which names it asks for, and its smallest conditions.

This is no second parser (the CEL library says what is grammar): it looks only at words, dots, brackets and the
logical signs, after the library has taken the text. Tokens as in the language's specification,
https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<string>(?:[bB]?[rR]?|[rR][bB])
      (?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))
  | (?P<word>[_a-zA-Z][_a-zA-Z0-9]*)
  | (?P<number>\d[\w.]*(?:[eE][+-]?\d+)?)
  | (?P<sign>&&|\|\||[=!<>]=|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})
_NO_NAMES = frozenset({"true", "false", "null", "in"})
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True)
class Token:
    """A piece of the text: its kind (string, word, number, sign), itself, and where it starts (from 0)."""

    kind: str
    text: str
    start: int


@dataclass(frozen=True)
class Reference:
    """A name that is asked for: `thing.box.left` as ("thing", "box", "left"), and where it starts (from 0)."""

    path: tuple[str, ...]
    start: int


@dataclass(frozen=True)
class Atom:
    """A smallest condition between the logical signs, its text and where it starts (from 0)."""

    text: str
    start: int
    tokens: tuple[Token, ...]


def tokens_of(text: str) -> tuple[Token, ...]:
    """Split `text` into tokens, without spaces and comments."""
    return tuple(
        Token(str(found.lastgroup), found.group(), found.start())
        for found in _TOKEN.finditer(text)
        if found.lastgroup != "space"
    )


def references(tokens: Sequence[Token]) -> tuple[Reference, ...]:
    """Return every name that is asked for, but those that macros bind (`z` of `zones.exists(z, …)`)."""
    bound = _bound(tokens)
    found = (_reference(tokens, i) for i in range(len(tokens)) if _starts_name(tokens, i))
    return tuple(reference for reference in found if reference.path[0] not in bound)


def literals(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Return the texts of plain strings in `tokens`, but those that name a field (`camera["state"]`)."""
    return tuple(
        token.text[1:-1] for i, token in enumerate(tokens) if _is_plain_string(token) and not _is_index(tokens, i)
    )


def counted_classes(text: str) -> tuple[str, ...]:
    """Return the classes whose counts a condition names (`camera.counts.person`), each once."""
    paths = [reference.path for reference in references(tokens_of(text))]
    return tuple(dict.fromkeys(path[2] for path in paths if len(path) > 2 and path[1] == "counts"))


def calls(tokens: Sequence[Token]) -> bool:
    """Tell whether a function or method is called in `tokens`."""
    return any(token.kind == "word" and _sign(tokens, i + 1) == "(" for i, token in enumerate(tokens))


def takes_counts_whole(text: str) -> bool:
    """Tell whether a condition looks at counts otherwise than by a class's name (`camera.counts.exists(…)`)."""
    paths = [reference.path for reference in references(tokens_of(text))]
    return any(len(path) == 1 or path[1:] == ("counts",) for path in paths)


def atoms(text: str) -> tuple[Atom, ...]:
    """Return the smallest conditions of `text`, each of which must be true, false or unknown by itself."""
    return tuple(
        Atom(text[part[0].start : part[-1].start + len(part[-1].text)], part[0].start, tuple(part))
        for part in _atoms(tokens_of(text))
    )


def _atoms(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    tokens = _bare(tokens)
    parts = _split(tokens)
    if len(parts) > 1:
        for part in parts:
            yield from _atoms(part)
    elif tokens:
        yield tokens


def _bare(tokens: Sequence[Token]) -> Sequence[Token]:
    """Take off leading `!` and the brackets around the whole."""
    while tokens and (tokens[0].text == "!" or (tokens[0].text == "(" and _closing(tokens) == len(tokens) - 1)):
        rest = tokens[1:] if tokens[0].text == "!" else tokens[1:-1]
        if tokens[0].text == "!" and len(_split(rest)) > 1:
            return tokens
        tokens = rest
    return tokens


def _split(tokens: Sequence[Token]) -> list[Sequence[Token]]:
    """Split at the logical signs that stand outside all brackets; `a ? b : c` splits too."""
    has_choice = any(token.text == "?" for token, depth in _depths(tokens) if depth == 0)
    signs = {"&&", "||", "?", ":"} if has_choice else {"&&", "||"}
    cuts = [i for i, (token, depth) in enumerate(_depths(tokens)) if depth == 0 and _is_sign(token, signs)]
    bounds = [-1, *cuts, len(tokens)]
    return [tokens[bounds[i] + 1 : bounds[i + 1]] for i in range(len(bounds) - 1)]


def _depths(tokens: Sequence[Token]) -> Iterator[tuple[Token, int]]:
    depth = 0
    for token in tokens:
        depth -= token.kind == "sign" and token.text in _CLOSING
        yield token, depth
        depth += token.kind == "sign" and token.text in _OPENING


def _closing(tokens: Sequence[Token]) -> int:
    """Return where the bracket closes that `tokens` starts with."""
    inner = list(_depths(tokens))
    return next((i for i, (_, depth) in enumerate(inner) if i > 0 and depth == 0), -1)


def _is_sign(token: Token, signs: set[str]) -> bool:
    return token.kind == "sign" and token.text in signs


def _is_plain_string(token: Token) -> bool:
    return token.kind == "string" and token.text[0] in "\"'" and "\\" not in token.text and token.text[:3] != '"""'


def _is_index(tokens: Sequence[Token], i: int) -> bool:
    if i < 2 or _sign(tokens, i - 1) != "[" or _sign(tokens, i + 1) != "]":
        return False
    return (tokens[i - 2].kind == "word" and tokens[i - 2].text != "in") or _sign(tokens, i - 2) in {"]", ")"}


def _sign(tokens: Sequence[Token], i: int) -> str:
    return tokens[i].text if 0 <= i < len(tokens) and tokens[i].kind == "sign" else ""


def _starts_name(tokens: Sequence[Token], i: int) -> bool:
    token = tokens[i]
    is_name = token.kind == "word" and token.text not in _NO_NAMES
    return is_name and _sign(tokens, i - 1) != "." and _sign(tokens, i + 1) != "("


def _reference(tokens: Sequence[Token], i: int) -> Reference:
    path, start = [tokens[i].text], tokens[i].start
    while (step := _next_step(tokens, i)) is not None:
        name, i = step
        path.append(name)
    return Reference(tuple(path), start)


def _next_step(tokens: Sequence[Token], i: int) -> tuple[str, int] | None:
    """Return the next part of a path after token `i`, by dot or by a plain string in brackets, and its last token."""
    if i + 2 >= len(tokens):
        return None
    if _sign(tokens, i + 1) == "." and tokens[i + 2].kind == "word" and _sign(tokens, i + 3) != "(":
        return tokens[i + 2].text, i + 2
    if _sign(tokens, i + 1) == "[" and _is_plain_string(tokens[i + 2]) and _sign(tokens, i + 3) == "]":
        return tokens[i + 2].text[1:-1], i + 3
    return None


def _bound(tokens: Sequence[Token]) -> frozenset[str]:
    """Return the names that macros bind."""
    return frozenset(
        tokens[i + 2].text
        for i, token in enumerate(tokens)
        if token.text in _MACROS and _sign(tokens, i + 1) == "(" and _sign(tokens, i + 3) == ","
    )
