"""The list of topics, read from `topics.yaml` beside this file: the only place that holds their names and policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ruamel.yaml import YAML

_MS_PER_H = 3_600_000


@dataclass(frozen=True)
class Topic:
    """One topic, by its logical name (without the namespace).

    `partition_group` is `camera`, `district` or `whole`: topics of one group have the same number of partitions.
    `retention_ms` is -1 where records are kept for ever, and for compacted topics. `message` is the full name of the
    proto message, or words where the value is none.
    """

    name: str
    key: str
    partition_group: str
    partitions: int
    is_compacted: bool
    retention_ms: int
    max_bytes: int
    message: str
    writers: frozenset[str]
    readers: frozenset[str]


@dataclass(frozen=True)
class Topics:
    """All topics by logical name."""

    by_name: Mapping[str, Topic]

    def named(self, name: str) -> Topic:
        """Return the topic called `name`; KeyError names what there is."""
        try:
            return self.by_name[name]
        except KeyError:
            known = ", ".join(sorted(self.by_name))
            message = f"topic {name!r} asked for, one of {known} expected; add it to topics.yaml"
            raise KeyError(message) from None

    def with_partitions(self, counts: Mapping[str, int]) -> Topics:
        """Return the same topics with other numbers of partitions by group (a city has 128 for `camera`)."""
        changed = {
            name: Topic(**{**vars(topic), "partitions": counts.get(topic.partition_group, topic.partitions)})
            for name, topic in self.by_name.items()
        }
        return Topics(changed)


@cache
def load() -> Topics:
    """Return the topics of `topics.yaml`."""
    text = files(__package__).joinpath("topics.yaml").read_text(encoding="utf-8")
    content = YAML(typ="safe", pure=True).load(text)
    return Topics({entry["name"]: _topic(entry, content["partitions"]) for entry in content["topics"]})


def _topic(entry: Mapping[str, Any], partitions: Mapping[str, int]) -> Topic:
    retention_h = entry.get("retention_h", -1)
    return Topic(
        name=entry["name"],
        key=entry["key"],
        partition_group=entry["partitions"],
        partitions=partitions[entry["partitions"]],
        is_compacted=entry["cleanup"] == "compact",
        retention_ms=retention_h * _MS_PER_H if retention_h > 0 else -1,
        max_bytes=entry["max_bytes"],
        message=entry["message"],
        writers=frozenset(entry["writers"]),
        readers=frozenset(entry["readers"]),
    )
