"""Making the topics of `topics.yaml` on a broker, and checking those that are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError
from lamplight_contracts.topics import Topic, Topics, load

from lamplight_kit.errors import Stop
from lamplight_kit.kafka.settings import BusSettings, client_options

_MIN_MAX_BYTES = 1_048_588  # the broker's default: it counts whole batches, while `max_bytes` counts one message


def topics_of(bus: BusSettings) -> Topics:
    """Return the topics of `topics.yaml` with this bus's numbers of partitions."""
    return load().with_partitions(bus.partitions)


def kinds_of(topics: Topics) -> Mapping[str, str]:
    """Return the full name of the message that each logical topic carries; topics of words or bytes are not in it."""
    named = {name: topic.message for name, topic in topics.by_name.items()}
    return {name: message for name, message in named.items() if message.startswith("lamplight.")}


def create_topics(bus: BusSettings, topics: Topics | None = None, *, replication: int = -1) -> None:
    """Make every topic that is not there yet (`replication` -1: as the broker says), then check all of them.

    Raises `Stop` as `check_topics` does.
    """
    topics = topics_of(bus) if topics is None else topics
    wanted = {bus.wire_topic(topic.name): _specification(topic, replication) for topic in topics.by_name.values()}
    with closing(KafkaAdminClient(**client_options(bus, "admin"))) as admin:
        there = set(admin.list_topics())
        missing = {name: specification for name, specification in wanted.items() if name not in there}
        if missing:
            # Another process of this system may start at the same time.
            with suppress(TopicAlreadyExistsError):
                admin.create_topics(missing, wait_for_metadata=True)
    check_topics(bus, topics.by_name, topics)


def check_topics(bus: BusSettings, names: Iterable[str], topics: Topics | None = None) -> None:
    """Check that each logical topic is there with the agreed number of partitions, fixed for life.

    Raises `Stop` naming the topic, what was found, what was expected, and the cure.
    """
    topics = topics_of(bus) if topics is None else topics
    wanted = {bus.wire_topic(name): topics.named(name).partitions for name in names}
    with closing(KafkaAdminClient(**client_options(bus, "admin"))) as admin:
        found = {entry["name"]: len(entry["partitions"]) for entry in admin.describe_topics(list(wanted))}
    for name, expected in wanted.items():
        count = found.get(name, 0)
        if count == 0:
            where = bus.bootstrap_servers
            text = f"topic {name} not found on {where}, {expected} partitions expected; run `lamplight up`, or make it"
            raise Stop(text)
        if count != expected:
            text = (
                f"topic {name}: {count} partitions found, {expected} expected (fixed for life, the same for all topics "
                "that are read together); use another namespace, or set the number that was first chosen"
            )
            raise Stop(text)


def _specification(topic: Topic, replication: int) -> dict[str, Any]:
    configs = {
        "cleanup.policy": "compact" if topic.is_compacted else "delete",
        "max.message.bytes": str(max(_MIN_MAX_BYTES, 2 * topic.max_bytes)),
    }
    if topic.is_compacted:
        configs["min.cleanable.dirty.ratio"] = "0.3"
        configs["segment.ms"] = str(6 * 3_600_000)  # the newest segment is never compacted: close it now and then
    else:
        configs["retention.ms"] = str(topic.retention_ms)
    return {"num_partitions": topic.partitions, "replication_factor": replication, "configs": configs}
