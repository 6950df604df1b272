"""What a committed offset says of the batch at hand, so that the next owner knows what a dead one was doing.

The mark is the metadata of the committed offset itself: it is written before the batch is handled, replaced by the
transaction that commits the batch, and read by whoever takes the partition over, on whatever machine.
See docs/decisions/0030.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_ATTEMPTS = 3
_FORM = re.compile(r"batch to (\d+)(?:, alone (\d+))?")


@dataclass(frozen=True)
class Mark:
    """A batch in hand up to `end` (the offset after its last message).

    `attempts` above 0: the message at the committed offset was being handled alone, for the `attempts`-th time.
    """

    end: int
    attempts: int = 0

    def __str__(self) -> str:
        return f"batch to {self.end}, alone {self.attempts}" if self.attempts else f"batch to {self.end}"


def read_mark(metadata: str | None) -> Mark | None:
    """Return the mark that a committed offset carries; None when no batch was in hand."""
    match = _FORM.fullmatch(metadata or "")
    return Mark(int(match[1]), int(match[2] or 0)) if match else None
