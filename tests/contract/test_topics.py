"""The list of topics: whole, consistent with the messages and with the promises."""

from __future__ import annotations

import importlib

from lamplight_contracts import topics


def test_every_topic_names_a_real_message() -> None:
    """A topic's message is a proto message, CloudEvents, or its source's."""
    for topic in topics.load().by_name.values():
        if not topic.message.startswith("lamplight."):
            assert topic.name.startswith("alerts") or topic.name.endswith(".deadletter")
            continue
        package, _, name = topic.message.rpartition(".")
        part = package.split(".")[1]
        assert hasattr(importlib.import_module(f"{package}.{part}_pb2"), name)


def test_topics_of_a_group_have_as_many_partitions() -> None:
    """Co-partitioned topics can be read together by one member."""
    for group in ("camera", "district"):
        counts = {t.partitions for t in topics.load().by_name.values() if t.partition_group == group}
        assert len(counts) == 1


def test_a_city_has_more_partitions_of_a_group() -> None:
    """The number is set once for a group and reaches all of its topics."""
    city = topics.load().with_partitions({"camera": 128})
    assert city.named("observations").partitions == 128
    assert city.named("alerts").partitions == topics.load().named("alerts").partitions


def test_no_frame_is_on_a_topic() -> None:
    """Raw pixels never reach a topic."""
    assert not [t.name for t in topics.load().by_name.values() if "frame" in t.message.lower()]
