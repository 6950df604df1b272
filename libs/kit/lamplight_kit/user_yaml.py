"""YAML and JSON that people give us, with bounds: how deep values may nest, and how much aliases may stand for.

A few lines of aliases of aliases stand for more values than any machine holds, and thousands of brackets overflow the
stack of whoever walks them. What passes here is small enough to be walked, so that no reader need count. Depth is
bounded while the text is read, aliases and merges before any value is made of it; and a value that cannot be made (a
30th of February) is an error with its line, as any other mistake.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.constructor import RoundTripConstructor, SafeConstructor
from ruamel.yaml.error import FileMark, MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.scanner import RoundTripScanner, Scanner

from lamplight_kit.yaml_bounds import MOST_BITS, MOST_DEEP, Measure, UnboundedError, too_deep

MOST_CHARACTERS = 1_200
"""Of a number, date or truth value: `MOST_BITS` in the longest way to write them, and some."""
SHOWN = 60
"""Characters of a value that are told."""

# What ruamel's reader raises for a value that it cannot make, beside errors of its own.
_UNMADE = (ArithmeticError, AssertionError, AttributeError, LookupError, NotImplementedError, TypeError, ValueError)
_TAG = "tag:yaml.org,2002:"
_EXPECTED = {
    f"{_TAG}int": f"a whole number of at most {MOST_BITS:,} bits",
    f"{_TAG}float": "a number",
    f"{_TAG}bool": "true or false",
    f"{_TAG}timestamp": "a date or time that there is",
}


class BadValueError(MarkedYAMLError):
    """A value that YAML takes for a number, a date or the like, and that is none.

    `value` is what was found, cut. The error's own text is without it, since it may stand in a file of secrets.
    """

    def __init__(self, value: str, expected: str, cure: str, mark: Any) -> None:
        """Take the place from a mark of the reader, but not the text around it."""
        place = FileMark(mark.name, mark.index, mark.line, mark.column)
        super().__init__(problem=f"{expected} expected; {cure}", problem_mark=place)
        self.value = value if len(value) <= SHOWN else f"{value[:SHOWN]}…"
        self.expected, self.cure = expected, cure


def load(text: str | bytes, kind: Literal["rt", "safe"] = "rt") -> Any:
    """Return what a YAML text holds, by ruamel's reader of this kind; raises `YAMLError`."""
    reader = YAML(typ=kind, pure=True)
    reader.max_depth = MOST_DEEP + 2  # of nodes, where we count levels below the first
    reader.Constructor, reader.Scanner = (_Rt, _RtScanner) if kind == "rt" else (_Safe, _SafeScanner)
    try:
        return reader.load(text)
    except MaxDepthExceededError as error:
        raise too_deep(error.problem_mark) from None
    except RecursionError:
        raise too_deep() from None
    except _UNMADE as error:
        message = f"something that the reader cannot take ({type(error).__name__})"
        raise YAMLError(message) from None


def load_json(text: str) -> Any:
    """Return what a JSON text holds; raises ValueError, also where it nests too deep or a number is too large."""
    try:
        found = json.loads(text)
        check(found)
    except RecursionError:
        raise ValueError(too_deep().problem) from None
    except UnboundedError as error:
        raise ValueError(error.problem) from None
    except json.JSONDecodeError:
        raise
    except ValueError:  # the one other thing that the reader refuses
        message = "a number of thousands of digits"
        raise ValueError(message) from None
    return found


def check(value: Any, depth: int = 0) -> None:
    """Raise `UnboundedError` where `value` (of a JSON text) nests too deep, or holds too large a whole number."""
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        text = f"a whole number of more than {MOST_BITS:,} bits"
        raise UnboundedError(text)
    if not isinstance(value, Mapping | list):
        return
    if depth > MOST_DEEP:
        raise too_deep()
    for each in value.values() if isinstance(value, Mapping) else value:
        check(each, depth + 1)


class _Bounded:
    """Measures the nodes before it makes values of them, and says which could not be made."""

    def construct_document(self, node: Any) -> Any:
        Measure().of(node)
        return super().construct_document(node)  # type: ignore[misc] # of the reader's constructor

    def construct_object(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - the reader's own
        if str(node.tag) in _EXPECTED and len(node.value) > MOST_CHARACTERS:
            raise _bad_value(node)
        try:
            found = super().construct_object(node, deep)  # type: ignore[misc] # of the reader's constructor
        except _UNMADE:
            raise _bad_value(node) from None
        if isinstance(found, int) and found.bit_length() > MOST_BITS:
            raise _bad_value(node)
        return found


class _Map(CommentedMap):
    """A mapping that notes who merges it without comparing it to all who did: 5,000 cameras share their defaults."""

    __slots__ = ()

    def add_referent(self, cm: Any) -> None:
        self._ref.append(cm)


class _Rt(_Bounded, RoundTripConstructor):
    def construct_yaml_map(self, node: Any) -> Iterator[_Map]:
        """Make a mapping as the reader does, of our own kind."""
        found = _Map()
        found._yaml_set_line_col(node.start_mark.line, node.start_mark.column)  # noqa: SLF001 - as the reader does
        yield found
        self.construct_mapping(node, found, deep=True)
        self.set_collection_style(found, node)


_Rt.add_constructor(f"{_TAG}map", _Rt.construct_yaml_map)
_Rt.add_constructor(None, _Rt.construct_undefined)  # an unknown tag is refused, as the safe reader does


class _Safe(_Bounded, SafeConstructor):
    pass


class _Careful:
    """Says where it met a character that there is none of."""

    def fetch_more_tokens(self) -> Any:
        try:
            return super().fetch_more_tokens()  # type: ignore[misc] # of the reader's scanner
        except _UNMADE:
            reader = self.reader  # type: ignore[attr-defined] # of the reader's scanner
            told, cure = reader.prefix(8), "mend it, or write the character itself"
            raise BadValueError(told, "a character that there is", cure, reader.get_mark()) from None


class _RtScanner(_Careful, RoundTripScanner):
    pass


class _SafeScanner(_Careful, Scanner):
    pass


def _bad_value(node: Any) -> BadValueError:
    told = node.value if isinstance(node, ScalarNode) else f"a {node.id}"
    tag = str(node.tag)
    expected = _EXPECTED.get(tag, f"a value of type {tag.removeprefix(_TAG)}")
    return BadValueError(told, expected, "mend it, or put it into quotes if it is a text", node.start_mark)
