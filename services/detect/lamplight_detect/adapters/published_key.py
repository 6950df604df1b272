"""The public half of the signing key on the topic `keys`: without it nobody can read what this replica seals."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from lamplight.key.v1 import key_pb2
from lamplight_kit.errors import Stop
from lamplight_kit.kafka.types import Outbox, Outgoing, TableView

MOST_EARLIER = 64
"""Keys that a record holds within its 16 KiB."""


class PublishedKey:
    """A part of the service that is ready once the key is on the topic."""

    name = "key"

    def __init__(self, key: key_pb2.SigningKey, keys: TableView) -> None:
        """Publish `key` through `outbox` (set before `start`), with the ones that `keys` holds of this replica."""
        self._key, self._keys = key, keys
        self.outbox: Outbox | None = None
        self._is_there, self._stopping = threading.Event(), threading.Event()

    def start(self) -> None:
        """Put the key out as soon as the table has been read."""
        if self.outbox is None:
            message = "no way out of the signing key found, an outbox expected"
            raise Stop(message)
        threading.Thread(target=self._publish, args=(self.outbox,), name="key", daemon=True).start()

    def committed(self, sent: Sequence[Outgoing]) -> None:
        """Take note of what the outbox has committed."""
        if any(record.topic == "keys" for record in sent):
            self._is_there.set()

    def unready(self) -> str | None:
        """Say that the key is not published yet, or None."""
        return None if self._is_there.is_set() else "the signing key is not on the topic keys yet"

    def stop(self, timeout_s: float) -> None:  # noqa: ARG002 - a component's
        """Let the thread go."""
        self._stopping.set()

    def _publish(self, outbox: Outbox) -> None:
        while not self._keys.wait_ready(0.2):
            if self._stopping.is_set():
                return
        held = self._keys.get(self._key.replica)
        known = held if isinstance(held, key_pb2.SigningKey) else None
        outbox.put([Outgoing("keys", self._key.replica, with_earlier(self._key, known))])


def with_earlier(key: key_pb2.SigningKey, known: key_pb2.SigningKey | None) -> key_pb2.SigningKey:
    """Return `key` with those that this replica had before, newest first: pictures that they sealed are still kept."""
    told = key_pb2.SigningKey()
    told.CopyFrom(key)
    told.ClearField("earlier")
    if known is not None:
        last = key_pb2.SigningKey(
            key_id=known.key_id, replica=known.replica, public_key=known.public_key, made_ns=known.made_ns
        )
        before = [one for one in (last, *known.earlier) if one.key_id != key.key_id]
        told.earlier.extend(before[:MOST_EARLIER])
    return told
