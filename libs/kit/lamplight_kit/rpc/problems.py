"""Bad input over gRPC: INVALID_ARGUMENT with its problems, so that the caller can point at the user's own line.

gRPC takes 8 KiB of metadata in all without fail, text and problems as they are on the wire; what does not fit is
counted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NoReturn
from urllib.parse import quote

import grpc

from lamplight_kit.errors import BadInput, Problem

MOST_PACKED = 4_800
"""Bytes of JSON in the trailer; base64 makes 6,400 of them."""
MOST_ONE = 2_000
"""Bytes of one problem, so that the first always fits; what a user wrote is told with 80 characters or so."""
MOST_TEXT = 800
"""Bytes of the call's own text, percent-encoded as on the wire."""
_METADATA = "lamplight-problems-bin"


async def refuse_input(context: grpc.aio.ServicerContext[Any, Any], error: BadInput) -> NoReturn:
    """End the call with INVALID_ARGUMENT, the beginning of the error's text, and its problems in the trailer."""
    trailing = ((_METADATA, packed(error.problems)),)
    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, _text(str(error)), trailing)
    raise AssertionError


def packed(problems: Sequence[Problem]) -> bytes:
    """Return the first problems, as many as fit, and one that counts the others: a JSON list of `MOST_PACKED` bytes."""
    kept: list[bytes] = []
    room = MOST_PACKED - len(_json(_more(len(problems)))) - 4
    for problem in problems:
        each = _json(problem)
        each = each if len(each) <= MOST_ONE else _json(_cut(problem))
        room -= len(each) + 2
        if room < 0:
            kept.append(_json(_more(len(problems) - len(kept))))
            break
        kept.append(each)
    return b"[" + b", ".join(kept) + b"]"


def problems_of(error: grpc.RpcError) -> tuple[Problem, ...]:
    """Return the problems that a call was refused for; empty where it failed for another reason."""
    trailing: Any = error.trailing_metadata() if hasattr(error, "trailing_metadata") else None
    for key, value in trailing or ():
        if key == _METADATA:
            return tuple(Problem(**item) for item in json.loads(value))
    return ()


def _more(count: int) -> Problem:
    return Problem("", f"and {count:,} more problems", "none", "mend those that are told, then try again")


def _json(problem: Problem) -> bytes:
    return json.dumps(asdict(problem), ensure_ascii=False).encode("utf-8", "replace")


def _cut(problem: Problem) -> Problem:
    """Return a problem of `MOST_ONE` bytes: a character is at most six of them in JSON."""
    most = next(most for most in (400, 200, 100, 50) if len(_json(_shortened(problem, most))) <= MOST_ONE)
    return _shortened(problem, most)


def _shortened(problem: Problem, most: int) -> Problem:
    texts = (problem.path, problem.value, problem.expected, problem.cure, problem.file)
    path, value, expected, cure, file = (text[:most] + "…" * (len(text) > most) for text in texts)
    return Problem(path, value, expected, cure, file, problem.line)


def _text(text: str) -> str:
    short = text[:MOST_TEXT]
    while len(quote(short, safe=" ", errors="replace")) > MOST_TEXT:
        short = short[: len(short) * 3 // 4]
    return short if short == text else f"{short}…"
