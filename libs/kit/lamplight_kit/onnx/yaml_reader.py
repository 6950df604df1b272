"""Reading a YAML file field by field, keeping every problem with its line, so that a user mends the file once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from lamplight_kit import user_yaml
from lamplight_kit.errors import BadInput, Problem

T = TypeVar("T")
SHOWN = 60


class Reader:
    """One mapping of the file, with the problems met so far in the whole file.

    A field that is wrong is noted and read as its fallback, so that reading goes on; `finish` then raises them all.
    """

    def __init__(self, node: Mapping[str, object], path: str, file: str, problems: list[Problem]) -> None:
        """Read `node`, which stands at `path` ("" for the top) in `file`; append to the shared `problems`."""
        self.node, self.path, self.file, self.problems = node, path, file, problems
        self.seen: set[str] = set()

    @classmethod
    def of(cls, file: Path) -> Reader:
        """Read the top mapping of `file`; raises BadInput where it is no YAML mapping, OSError where it is not read."""
        try:
            node = user_yaml.load(file.read_bytes())
        except user_yaml.BadValueError as error:
            line = error.problem_mark.line + 1
            raise BadInput((Problem("", error.value, error.expected, error.cure, str(file), line),)) from error
        except MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 0
            raise BadInput((Problem("", str(error.problem), "YAML", "mend the syntax", str(file), line),)) from error
        except YAMLError as error:
            raise BadInput((Problem("", str(error), "YAML", "mend the file", str(file), 1),)) from error
        if not isinstance(node, CommentedMap):
            found = type(node).__name__
            raise BadInput((Problem("", found, "a mapping of fields", "see the models' README", str(file), 1),))
        return cls(node, "", str(file), [])

    def note(self, key: str, expected: str, cure: str) -> None:
        """Keep a problem with the field `key`."""
        value = self.node.get(key)
        shown = "nothing" if key not in self.node else str(value)[:SHOWN]
        path = f"{self.path}.{key}" if self.path else key
        self.problems.append(Problem(path, shown, expected, cure, self.file, line_of(self.node, key)))

    def take(self, key: str, check: Callable[[object], T], expected: str, fallback: T, *, optional: bool = False) -> T:
        """Read `key` through `check` (raises TypeError or ValueError); where it is missing or wrong, the fallback."""
        self.seen.add(key)
        if key not in self.node:
            if not optional:
                self.note(key, expected, f"add {key}")
            return fallback
        try:
            return check(self.node[key])
        except (TypeError, ValueError):
            self.note(key, expected, f"correct {key}")
            return fallback

    def text(self, key: str, *, fallback: str = "", optional: bool = False) -> str:
        """Read a text that is not empty."""
        return self.take(key, a_text, "a text", fallback, optional=optional)

    def one_of(self, key: str, choices: Sequence[str]) -> str:
        """Read one of `choices`; the first where it is wrong."""

        def check(value: object) -> str:
            if value not in choices:
                raise ValueError
            return str(value)

        return self.take(key, check, f"one of {', '.join(choices)}", choices[0])

    def inner(self, key: str) -> Reader:
        """Read the mapping under `key`; an empty one where it is missing or wrong."""
        node = self.take(key, a_mapping, "a mapping of fields", CommentedMap())
        return Reader(node, f"{self.path}.{key}" if self.path else key, self.file, self.problems)

    def each(self, key: str, *, optional: bool = False) -> Iterator[Reader]:
        """Read the list of mappings under `key`, one reader an entry."""
        nodes = self.take(key, a_list, "a list", CommentedSeq(), optional=optional)
        path = f"{self.path}.{key}" if self.path else key
        for at, node in enumerate(nodes):
            if isinstance(node, CommentedMap):
                yield Reader(node, f"{path}[{at}]", self.file, self.problems)
            else:
                line = line_of(nodes, at)
                found = str(node)[:SHOWN]
                cure = "write {name: value, ...}"
                self.problems.append(Problem(f"{path}[{at}]", found, "a mapping of fields", cure, self.file, line))

    def close(self) -> None:
        """Note every field that nothing read: a slip of the pen must not pass for a default."""
        for key in self.node:
            if key not in self.seen:
                self.note(str(key), f"one of {', '.join(sorted(self.seen))}", f"remove or rename {key}")

    def finish(self) -> None:
        """Raise BadInput with all problems met in the file, if any."""
        self.close()
        if self.problems:
            raise BadInput(tuple(self.problems))


def line_of(node: object, key: str | int) -> int:
    """Return the line (from 1) of `key` in a mapping or list that ruamel.yaml read; of the whole where it is absent."""
    if not isinstance(node, CommentedMap | CommentedSeq):
        return 0
    try:
        line = node.lc.key(key)[0] if isinstance(node, CommentedMap) else node.lc.item(key)[0]
    except (KeyError, TypeError, AttributeError):
        line = node.lc.line or 0
    return int(line) + 1


def a_text(value: object) -> str:
    """Return `value` if it is a text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return str(value)


def a_number(value: object) -> float:
    """Return `value` if it is a number (true and false are none)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return float(value)


def a_count(value: object) -> int:
    """Return `value` if it is a whole number above 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ValueError
    return int(value)


def a_mapping(value: object) -> CommentedMap:
    """Return `value` if it is a mapping."""
    if not isinstance(value, CommentedMap):
        raise TypeError
    return value


def a_list(value: object) -> CommentedSeq:
    """Return `value` if it is a list."""
    if not isinstance(value, CommentedSeq):
        raise TypeError
    return value


def numbers(value: object) -> tuple[float, ...]:
    """Return `value` if it is a list of numbers that is not empty."""
    found = tuple(a_number(item) for item in a_list(value))
    if not found:
        raise ValueError
    return found
