"""Ids made of what they are about and when, so that a replay makes the same."""

from __future__ import annotations

from hashlib import blake2b

from lamplight_alert.model import Clock


def condition_id(district: str, camera_id: str, clock: Clock, at_ns: int) -> str:
    """Return `<district>/<20 hexadecimal digits>` of the condition that opens at `at_ns`.

    The district stands in front since all that is told of the condition later must take the same way, even where the
    camera has moved to another district or is gone.
    """
    parts = (camera_id, clock.rule_id, str(clock.rule_version), clock.subject.id, str(at_ns))
    digest = blake2b("\x1f".join(parts).encode(), digest_size=10).hexdigest()
    return f"{district}/{digest}"


def district_of(qualified_id: str) -> str:
    """Return the district of an id that `condition_id` made."""
    return qualified_id.rpartition("/")[0]


def local_id(qualified_id: str) -> str:
    """Return an id that `condition_id` made, without its district."""
    return qualified_id.rpartition("/")[2]
