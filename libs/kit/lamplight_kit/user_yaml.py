"""YAML and JSON that people give us, with bounds: how deep values may nest, and how much aliases may stand for.

A few lines of aliases of aliases stand for more values than any machine holds, and thousands of brackets overflow the
stack of whoever walks them. What passes here is small enough to be walked, so that no reader need count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

MOST_DEEP = 64
"""Values within each other: a rule's condition has a few, a camera's zones five."""
MOST_VALUES = 5_000_000
"""What a file may stand for once its aliases are written out: 5,000 cameras have some 200,000 values."""


# So many brackets that open, each soon after the one before, and none that closes: no prose has that.
_OPEN = re.compile(r"(?:[\[{][^\[\]{}]{0,80}){" + str(MOST_DEEP + 1) + "}")


class UnboundedError(YAMLError):
    """A file whose values nest too deep, or stand for too many."""


def load(text: str | bytes, kind: Literal["rt", "safe"] = "rt") -> Any:
    """Return what a YAML text holds, by ruamel's reader of this kind; raises `YAMLError`."""
    plain = text if isinstance(text, str) else text.decode("utf-8", "replace")
    if _OPEN.search(plain):  # before the reader, which takes seconds for a thousand of them
        raise UnboundedError(_too_deep())
    try:
        found = YAML(typ=kind, pure=True).load(text)
    except RecursionError:
        raise UnboundedError(_too_deep()) from None
    check(found)
    return found


def load_json(text: str) -> Any:
    """Return what a JSON text holds; raises ValueError, also where it nests too deep."""
    try:
        found = json.loads(text)
        check(found)
    except (RecursionError, UnboundedError):
        raise ValueError(_too_deep()) from None
    except json.JSONDecodeError:
        raise
    except ValueError:  # the one other thing that the reader refuses
        message = "a number of thousands of digits"
        raise ValueError(message) from None
    return found


def check(value: Any) -> None:
    """Raise `UnboundedError` where `value` nests too deep, holds itself, or stands for too many values."""
    _size(value, 0, {})


def _size(value: Any, depth: int, known: dict[int, int]) -> int:
    """Return how many values one stands for; what stands in several places is counted in each, but walked once."""
    if isinstance(value, Mapping):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set):
        inner = list(value)
    else:
        return 1
    if depth > MOST_DEEP:
        raise UnboundedError(_too_deep())
    size = known.get(id(value))
    if size is None:
        size = known[id(value)] = 1 + sum(_size(each, depth + 1, known) for each in inner)
    if size > MOST_VALUES:
        text = f"aliases that stand for more than {MOST_VALUES:,} values"
        raise UnboundedError(text)
    return size


def _too_deep() -> str:
    return f"values nested more than {MOST_DEEP} deep"
