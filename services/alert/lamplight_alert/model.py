"""What alert reasons with: truths, subjects, and the clock that runs while a rule holds somewhere."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

NS_PER_S = 1_000_000_000


class Truth(Enum):
    """What is known of a condition; UNKNOWN (no evidence) is never taken for FALSE."""

    FALSE = "false"
    TRUE = "true"
    UNKNOWN = "unknown"


class Over(Enum):
    """What one incident of a rule is about."""

    THING = "thing"
    ZONE = "zone"
    CAMERA = "camera"
    MATCH = "match"


class Running(Enum):
    """How a rule stands at a subject where it is not simply false."""

    PENDING = "pending"
    OPEN = "open"
    CLEARING = "clearing"


class Change(Enum):
    """What the incidents must hear of."""

    OPENED = "opened"
    CLEARED = "cleared"
    STALE = "stale"
    RESUMED = "resumed"


@dataclass(frozen=True)
class Subject:
    """What a rule's truth is about.

    `id` is a thing's place id, a zone's id, the camera's id, or the situation's id, with `/zone` for a zone's view
    and `/place` for a thing that stands still. `class_name` is a thing's, else empty.
    """

    over: Over
    id: str
    class_name: str = ""
    zone_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Timing:
    """How long a rule must hold to open and be seen gone to clear, and what gap in the evidence is bridged (ns)."""

    for_ns: int
    clear_ns: int
    gap_ns: int


@dataclass(frozen=True)
class Clock:
    """A rule at a subject, from the first evidence that it holds until it is seen gone.

    `since_ns` is since when it holds, `gone_since_ns` since when it is seen gone (0 while it holds), `evidence_ns` the
    time of the last evidence either way; all Unix nanoseconds. `condition_id` is empty until it opened.
    """

    rule_id: str
    rule_version: int
    subject: Subject
    running: Running
    since_ns: int
    gone_since_ns: int
    evidence_ns: int
    is_stale: bool = False
    condition_id: str = ""
