"""The public half of the signing key on the topic `keys`: without it nobody can read what this replica seals."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from lamplight.key.v1 import key_pb2
from lamplight_kit.errors import Stop
from lamplight_kit.kafka.types import Outbox, Outgoing


class PublishedKey:
    """A part of the service that is ready once the key is on the topic."""

    name = "key"

    def __init__(self, key: key_pb2.SigningKey) -> None:
        """Publish `key` at the start, through `outbox`, which is set before."""
        self._key = key
        self.outbox: Outbox | None = None
        self._is_there = threading.Event()

    def start(self) -> None:
        """Put the key out."""
        if self.outbox is None:
            message = "no way out of the signing key found, an outbox expected"
            raise Stop(message)
        self.outbox.put([Outgoing("keys", self._key.replica, self._key)])

    def committed(self, sent: Sequence[Outgoing]) -> None:
        """Take note of what the outbox has committed."""
        if any(record.topic == "keys" for record in sent):
            self._is_there.set()

    def unready(self) -> str | None:
        """Say that the key is not published yet, or None."""
        return None if self._is_there.is_set() else "the signing key is not on the topic keys yet"

    def stop(self, timeout_s: float) -> None:
        """Nothing to let go."""
