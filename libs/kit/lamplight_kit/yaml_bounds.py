"""How much a YAML text may stand for, measured on its nodes before any value is made of them; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode

MOST_DEEP = 64
"""Values within each other: a rule's condition has a few, a camera's zones five."""
MOST_VALUES = 5_000_000
"""What a file may stand for once its aliases are written out: 5,000 cameras have some 200,000 values."""
MOST_MERGED = 200_000
"""Fields that `<<` may copy in a file: 5,000 cameras that share twenty defaults copy 100,000."""
MOST_BITS = 1_000
"""Of a whole number, so that it is a float too."""


class UnboundedError(MarkedYAMLError):
    """A file whose values nest too deep, or stand for too many, or one of which is too large."""

    def __init__(self, problem: str, mark: Any = None) -> None:
        """Take the place from a mark of the reader, where there is one."""
        super().__init__(problem=problem, problem_mark=mark)


def too_deep(mark: Any = None) -> UnboundedError:
    """Return the error for values within values within values."""
    return UnboundedError(f"values nested more than {MOST_DEEP} deep", mark)


@dataclass(frozen=True)
class Extent:
    """What one node stands for: values in all, levels below it, and fields of a mapping once merged ones are copied."""

    values: int = 1
    levels: int = 0
    fields: int = 0


@dataclass
class Measure:
    """Walks each node once; what stands in several places counts in each of them."""

    known: dict[int, Extent | None] = field(default_factory=dict)
    merged: int = 0

    def of(self, node: Any) -> Extent:
        """Return a node's extent; raises `UnboundedError`, also where a node holds itself."""
        if isinstance(node, ScalarNode):
            return Extent()
        if id(node) not in self.known:
            self.known[id(node)] = None
            self.known[id(node)] = self._measured(node)
        found = self.known[id(node)]
        if found is None:
            text = "a value that holds itself"
            raise UnboundedError(text, node.start_mark)
        return found

    def _measured(self, node: Any) -> Extent:
        is_mapping = isinstance(node, MappingNode)
        held = [each for pair in node.value for each in pair] if is_mapping else node.value
        inner = [self.of(each) for each in held]
        levels = max((each.levels + 1 for each in inner), default=0)
        if levels > MOST_DEEP:
            raise too_deep(node.start_mark)
        values = 1 + sum(each.values for each in inner)
        if values > MOST_VALUES:
            text = f"aliases that stand for more than {MOST_VALUES:,} values"
            raise UnboundedError(text, node.start_mark)
        return Extent(values, levels, self._fields(node) if is_mapping else 0)

    def _fields(self, node: MappingNode) -> int:
        merging = [value for key, value in node.value if key.tag == "tag:yaml.org,2002:merge"]
        merged = sum(self.of(each).fields for value in merging for each in _mappings(value))
        self.merged += merged
        if self.merged > MOST_MERGED:
            text = f"merge keys (<<) that copy more than {MOST_MERGED:,} fields"
            raise UnboundedError(text, node.start_mark)
        return len(node.value) + merged


def _mappings(value: Any) -> Sequence[Any]:
    several = [value] if isinstance(value, MappingNode) else value.value
    return [each for each in several if isinstance(each, MappingNode)]
