"""Counts how often detect refused a camera's pictures in a row for the same reason. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

ENOUGH = 3
"""So many refusals in a row are how things stand; fewer are a picture lost on its way."""
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Refusals:
    """The refusals since the last picture that was taken; `reason` is that of the first alike, `count` how many."""

    reason: str = ""
    count: int = 0
    lasting: str = ""

    def after(self, reason: str) -> Refusals:
        """Return this after one more verdict: refused for `reason`, or taken where that is empty.

        Reasons that differ in numbers alone (bytes, sequence) are the same. `lasting` is what has been found `ENOUGH`
        times in a row: it stays until a picture is taken, or another reason has been found as often.
        """
        if not reason:
            return Refusals()
        alike = _NUMBER.sub("#", self.reason) == _NUMBER.sub("#", reason)
        first, count = (self.reason, self.count + 1) if alike else (reason, 1)
        return Refusals(first, count, first if count >= ENOUGH else self.lasting)
