"""A YAML file as the user wrote it: every value knows its path and its line, and every mistake is kept, not raised.

A reader walks the file by `Node`s, takes what it needs, and asks the document at the end (`check`) whether all was
well; so a user learns of every mistake at once.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lamplight_contracts.secrets import has_secret, scrub
from lamplight_kit import user_yaml
from lamplight_kit.errors import BadInput, Problem
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
ID_EXPECTED = "an id of a-z, 0-9, _ and -, at most 63, that starts with a letter or digit"
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_VALUE = 80


@dataclass
class Document:
    """One file and what is wrong in it."""

    name: str
    content: Any = None
    problems: list[Problem] = field(default_factory=list)
    rename: Callable[[str], str] = str
    """What the user calls the value at a path, where the file is no YAML."""

    @classmethod
    def read(cls, path: Path) -> Document:
        """Read `path`; raises `BadInput` where it cannot be read or is no YAML."""
        name = str(path)
        try:
            content = user_yaml.load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BadInput(
                (Problem("", name, "a readable file", f"{error.strerror}: mend the path", name, 1),)
            ) from error
        except UnicodeDecodeError as error:
            raise BadInput(
                (Problem("", f"byte {error.start}", "UTF-8 text", "save the file as UTF-8", name, 1),)
            ) from error
        except user_yaml.BadValueError as error:
            told, line = scrub(error.value, whole=True), error.problem_mark.line + 1
            raise BadInput((Problem("", told, error.expected, error.cure, name, line),)) from error
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark is not None else 1
            found = scrub(" ".join(str(error.problem or error.context).split()))
            raise BadInput((Problem("", found, "YAML", "mend the line, or the one before it", name, line),)) from error
        except YAMLError as error:
            raise BadInput((Problem("", scrub(str(error)), "YAML", "mend the file", name, 1),)) from error
        return cls(name, content)

    @property
    def root(self) -> Node:
        """The whole content."""
        return Node(self, "", self.content, 1)

    def check(self) -> None:
        """Raise `BadInput` with every problem so far, in the order of the file."""
        if self.problems:
            named = (replace(each, path=self.rename(each.path)) for each in self.problems)
            raise BadInput(tuple(sorted(dict.fromkeys(named), key=lambda problem: problem.line)))

    def at_lines(self, problems: Sequence[Problem]) -> BadInput:
        """Return what a service found wrong, each at the user's own line."""
        return BadInput(
            tuple(
                replace(each, file=self.name, line=self.line_of(each.path), path=self.rename(each.path))
                for each in problems
            )
        )

    def line_of(self, path: str) -> int:
        """Return the line of a path such as `rules[2].when`, or of as much of it as the file holds."""
        here, line = self.content, 1
        for match in _STEP.finditer(path):
            step: Any = match[1] if match[2] is None else int(match[2])
            try:
                found = here[step]
            except (KeyError, IndexError, TypeError):
                break
            line = line_in(here, step, line)
            here = found
        return line


@dataclass(frozen=True)
class Node:
    """One value of a document; what it should be is said by the method that takes it."""

    document: Document
    path: str
    value: Any
    line: int

    def wrong(self, expected: str, cure: str, value: Any = None) -> None:
        """Keep a problem with this value."""
        shown = self.value if value is None else value
        found = shown if isinstance(shown, str) else _plain(shown)
        told = scrub(found, whole=True)[:_LONGEST_VALUE]
        problem = Problem(self.path, told, expected, cure, self.document.name, self.line)
        self.document.problems.append(problem)

    def fields(self, known: Collection[str], required: Collection[str] = ()) -> Mapping[str, Node]:
        """Return the fields of a mapping by name; unknown, missing and odd ones are problems."""
        if not isinstance(self.value, CommentedMap):
            self.wrong(f"a mapping with {', '.join(known)}", "write `name: value` lines")
            return {}
        found = {}
        for key, value in self.value.items():
            node = Node(self.document, _join(self.path, str(key)), value, line_in(self.value, key, self.line))
            if key in known:
                found[str(key)] = node
            else:
                near = nearest(str(key), known)
                cure = f"did you mean {near!r}?" if near else "remove it"
                node.wrong(f"one of {', '.join(known)}", cure, str(key))
        for name in required:
            if name not in found:
                self.wrong(f"a field {name!r}", f"add `{name}: …`", f"no {name}")
        return found

    def items(self, expected: str = "a list") -> Sequence[Node]:
        """Return the items of a list."""
        if not isinstance(self.value, CommentedSeq):
            self.wrong(expected, "write one item a line after `- `, or [a, b]")
            return []
        return [
            Node(self.document, f"{self.path}[{number}]", item, line_in(self.value, number, self.line))
            for number, item in enumerate(self.value)
        ]

    def text(self, expected: str = "some text") -> str:
        """Return a text that is not empty."""
        if isinstance(self.value, str) and _SURROGATE.search(self.value):
            self.wrong(expected, "take the half characters (\\ud800 to \\udfff) out of it", "no Unicode text")
            return ""
        if isinstance(self.value, str) and self.value.strip():
            return str(self.value)
        cure = "put it in quotes" if self.value is not None and self.value != "" else "write it, or remove the field"
        self.wrong(expected, cure)
        return ""

    def words(self, expected: str = "some text") -> str:
        """Return a text that is not empty and holds no password."""
        found = self.text(expected)
        if has_secret(found):
            self.wrong("a text without a URL's user or password", "take them out of it")
        return found

    def identifier(self) -> str:
        """Return an id."""
        if isinstance(self.value, str) and ID.fullmatch(self.value):
            return str(self.value)
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            self.wrong(ID_EXPECTED, f'put it in quotes: "{self.value}"')
            return ""
        if has_secret(str(self.value), whole=True):
            self.wrong(ID_EXPECTED, "write one")
            return ""
        proposal = re.sub(r"[^a-z0-9_-]+", "-", str(self.value).lower()).strip("-_")[:63]
        self.wrong(ID_EXPECTED, f"write {proposal!r}, say" if proposal and self.value is not None else "write one")
        return ""

    def number(self, least: float, most: float, unit: str = "") -> float:
        """Return a number from `least` to `most`."""
        value = self.value
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if is_number and least <= value <= most:
            return float(value)
        span = f"from {least:g} to {most:g}" if math.isfinite(most) else f"of at least {least:g}"
        self.wrong(f"a number {span}{unit and f' {unit}'}", "write a number in that range")
        return least

    def whole(self, least: int, most: int, unit: str = "") -> int:
        """Return a whole number from `least` to `most`."""
        if isinstance(self.value, int) and not isinstance(self.value, bool) and least <= self.value <= most:
            return int(self.value)
        self.wrong(f"a whole number from {least} to {most}{unit and f' {unit}'}", "write a number in that range")
        return least

    def choice(self, names: Collection[str]) -> str:
        """Return one of `names`."""
        if isinstance(self.value, str) and self.value in names:
            return str(self.value)
        near = nearest(str(self.value), names)
        self.wrong(f"one of {', '.join(names)}", f"did you mean {near!r}?" if near else "choose one of them")
        return ""

    def texts(self, expected: str = "a list of texts") -> Sequence[str]:
        """Return a list of texts."""
        return [item.text() for item in self.items(expected)]


def nearest(name: str, names: Collection[str]) -> str:
    """Return which of `names` is most like `name`; empty where none is like it."""
    return next(iter(difflib.get_close_matches(name, sorted(names), n=1)), "")


def once(nodes: Sequence[tuple[str, Node]], what: str) -> None:
    """Make a problem of every id that was used before."""
    seen: dict[str, int] = {}
    for identifier, node in nodes:
        if identifier and identifier in seen:
            cure = f"choose another; line {seen[identifier]} has this one"
            node.wrong(f"an id that no other {what} has", cure, identifier)
        seen.setdefault(identifier, node.line)


def line_in(parent: Any, step: Any, fallback: int) -> int:
    """Return the line of an item or key, from 1; `fallback` where the file does not say (merged keys)."""
    marks = getattr(parent, "lc", None)
    data = getattr(marks, "data", None) or {}
    mark = data.get(step)
    return int(mark[0]) + 1 if mark else fallback


def _join(path: str, key: str) -> str:
    return scrub(f"{path}.{key}" if path else key)


def _plain(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, CommentedMap):
        return "{" + ", ".join(str(key) for key in value) + "}"
    if isinstance(value, CommentedSeq):
        return "[" + ", ".join(_plain(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
