"""A table without a bus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from google.protobuf.message import Message


@dataclass
class FakeTable:
    """A table that a test writes."""

    values: dict[str, Message] = field(default_factory=dict)

    def get(self, key: str) -> Message | None:
        """The latest value of `key`, or None."""
        return self.values.get(key)

    def items(self) -> Mapping[str, Message]:
        """Return a copy of all."""
        return dict(self.values)

    def wait_ready(self, timeout_s: float) -> bool:
        """Say that all is there."""
        return True
