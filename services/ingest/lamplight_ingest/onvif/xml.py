"""XML as devices send it, read without trust: no document types, no entities, everything bounded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

MAX_BYTES = 1 << 20
MAX_ELEMENTS = 20_000
MAX_DEPTH = 64


class Unreadable(ValueError):  # noqa: N818 - named after what is the case
    """What came is no XML that we read; says why."""


@dataclass
class Element:
    """One element by its local name: makes differ in their prefixes, and in nothing that matters here."""

    name: str
    attributes: Mapping[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Element]:
        """Yield every element called `name` below this one."""
        for child in self.children:
            if child.name == name:
                yield child
            yield from child.all(name)

    def first(self, *names: str) -> Element | None:
        """Return the first element along a path of names, however deep each lies below the one before."""
        here: Element | None = self
        for name in names:
            here = next(here.all(name), None) if here is not None else None
        return here

    def word(self, *names: str) -> str:
        """Return the text of the first element along a path; empty where there is none."""
        found = self.first(*names)
        return found.text.strip() if found is not None else ""

    def number(self, *names: str) -> float:
        """Return the number that an element holds, 0 where it holds none."""
        try:
            found = float(self.word(*names))
        except ValueError:
            return 0.0
        return found if 0 <= found < 1e9 else 0.0


def read(data: bytes) -> Element:
    """Return the root of a document; raises `Unreadable`."""
    if len(data) > MAX_BYTES:
        message = f"{len(data)} bytes of XML"
        raise Unreadable(message)
    return _Builder().read(data)


class _Builder:
    def __init__(self) -> None:
        self._stack = [Element("", {})]
        self._count = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.EntityDeclHandler = self._refuse
        self._parser.ExternalEntityRefHandler = self._refuse

    def read(self, data: bytes) -> Element:
        try:
            self._parser.Parse(data, True)  # noqa: FBT003 - expat's signature
        except (expat.ExpatError, LookupError) as error:
            message = f"no XML ({error})"
            raise Unreadable(message) from None
        return self._stack[0].children[0]

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._stack) > MAX_DEPTH:
            message = f"more than {MAX_ELEMENTS} elements, or {MAX_DEPTH} within each other"
            raise Unreadable(message)
        made = Element(_local(name), {_local(key): value for key, value in attributes.items()})
        self._stack[-1].children.append(made)
        self._stack.append(made)

    def _end(self, _: str) -> None:
        self._stack.pop()

    def _text(self, text: str) -> None:
        self._stack[-1].text += text

    def _refuse(self, *_: object) -> NoReturn:
        message = "a document type or an entity"
        raise Unreadable(message)


def _local(name: str) -> str:
    return name.rpartition(" ")[2]
