"""The bus: what handlers and the loop say to each other, and the loop itself.

Only `types` is importable without kafka-python, so the rest is fetched by name when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamplight_kit.kafka.codec import partition_for
    from lamplight_kit.kafka.outbox import KafkaOutbox
    from lamplight_kit.kafka.settings import BusSettings
    from lamplight_kit.kafka.stage import Stage
    from lamplight_kit.kafka.table import Table, Tables, Tail
    from lamplight_kit.kafka.topics import check_topics, create_topics
    from lamplight_kit.kafka.types import Handler, Outbox, Outgoing, Record, TableView

__all__ = [
    "BusSettings",
    "Handler",
    "KafkaOutbox",
    "Outbox",
    "Outgoing",
    "Record",
    "Stage",
    "Table",
    "TableView",
    "Tables",
    "Tail",
    "check_topics",
    "create_topics",
    "partition_for",
]

_HOMES = {
    "partition_for": "codec",
    "KafkaOutbox": "outbox",
    "BusSettings": "settings",
    "Stage": "stage",
    **dict.fromkeys(("Table", "Tables", "Tail"), "table"),
    **dict.fromkeys(("check_topics", "create_topics"), "topics"),
    **dict.fromkeys(("Handler", "Outbox", "Outgoing", "Record", "TableView"), "types"),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        text = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(text)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
