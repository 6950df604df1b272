"""Which cameras a rule or a situation is for: ids with `*`, `label:x`, excluded by a leading `!`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase


def selects(selectors: Sequence[str], camera_id: str, labels: Iterable[str]) -> bool:
    """Tell whether a camera is any of the included, less the excluded; with nothing included, every camera is."""
    included = [selector for selector in selectors if not selector.startswith("!")]
    excluded = [selector[1:] for selector in selectors if selector.startswith("!")]
    held = frozenset(labels)
    if any(_one(selector, camera_id, held) for selector in excluded):
        return False
    return not included or any(_one(selector, camera_id, held) for selector in included)


def _one(selector: str, camera_id: str, labels: frozenset[str]) -> bool:
    if selector.startswith("label:"):
        return selector.removeprefix("label:") in labels
    return fnmatchcase(camera_id, selector)
