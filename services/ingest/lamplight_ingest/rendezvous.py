"""Which detect replica a camera's frames go to: rendezvous hashing, so that a change of replicas moves few cameras.

Thaler and Ravishankar, A Name-Based Mapping Scheme for Rendezvous (1996).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def choose(camera_id: str, replicas: Iterable[str]) -> str | None:
    """Return the one of `replicas` that weighs most with `camera_id`, None where there is none."""
    return max(replicas, key=lambda replica: (_weight(camera_id, replica), replica), default=None)


def _weight(camera_id: str, replica: str) -> bytes:
    return hashlib.blake2b(f"{camera_id}\n{replica}".encode(), digest_size=8).digest()
