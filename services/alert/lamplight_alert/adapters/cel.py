"""CEL by the package common-expression-language: a text becomes a condition; what cannot be known becomes UNKNOWN."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import cel

from lamplight_alert.model import Truth
from lamplight_alert.scopes import Scope

# What the library raises for an absent name, for types that do not fit, and for sums that have no result.
FAULTS = (LookupError, TypeError, RuntimeError, ValueError, ArithmeticError)


def prepare(scope: Scope) -> object:
    """Make `scope` ready for any number of conditions (making one takes far longer than evaluating with it)."""
    return cel.Context(dict(scope))


def compile_condition(source: str) -> Callable[[object], Truth]:
    """Return the condition of `source`, to be called with what `prepare` gave; ValueError where it is not CEL."""
    program = cel.compile(source)

    def holds(context: object) -> Truth:
        try:
            result = program.execute(cast("cel.Context", context))
        except FAULTS:
            return Truth.UNKNOWN
        if not isinstance(result, bool):
            return Truth.UNKNOWN
        return Truth.TRUE if result else Truth.FALSE

    return holds


def grammar(source: str) -> str:
    """Say in words why `source` is not CEL, or nothing."""
    try:
        cel.compile(source)
    except ValueError as error:
        return str(error).partition("ERROR: ")[2].split("\n")[0].removeprefix("<input>:") or str(error)
    return ""


def trial(source: str, scope: Scope) -> tuple[object, str]:
    """Evaluate `source` once; return its result, or None and in words why it has none."""
    try:
        return cel.compile(source).execute(cel.Context(dict(scope))), ""
    except KeyError as error:
        return None, f"there is no {error}"
    except FAULTS as error:
        return None, str(error)
