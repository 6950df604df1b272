"""The public keys that the gates of a system have published."""

from __future__ import annotations

from google.protobuf.message import Message
from lamplight.key.v1 import key_pb2
from lamplight_kit.errors import LamplightError
from lamplight_kit.kafka.settings import BusSettings
from lamplight_kit.kafka.table import Table, Tables
from lamplight_kit.seal import KeyRing

WAIT_S = 15.0


class KeysAwayError(LamplightError):
    """The topic `keys` could not be read in time."""


def learn(bus: BusSettings, keys: KeyRing) -> None:
    """Add every published key to `keys`. Raises `KeysAwayError`."""

    def add(_replica: str, message: Message | None) -> None:
        if isinstance(message, key_pb2.SigningKey):
            keys.add(message)

    table = Table("keys", add)
    tables = Tables(bus, [table])
    tables.start()
    try:
        if not table.wait_ready(WAIT_S):
            message = f"topic keys: not read within {WAIT_S:.0f} s ({tables.unready()}); is Kafka at the address?"
            raise KeysAwayError(message)
    finally:
        tables.stop(WAIT_S)
