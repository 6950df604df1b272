"""The bus without a broker: sharing partitions, marks, what lies on a topic."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
from google.protobuf.wrappers_pb2 import BytesValue, StringValue
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import DefaultPartitioner
from lamplight_contracts.topics import load
from lamplight_kit.errors import SettingsError
from lamplight_kit.kafka.assignor import CoPartitionAssignor, share
from lamplight_kit.kafka.codec import UndecodableError, UnknownMajorError, Wire, decode, encode, partition_for
from lamplight_kit.kafka.lines import MOST_LINES, effect_lines
from lamplight_kit.kafka.marks import Mark, read_mark
from lamplight_kit.kafka.readback import _keep
from lamplight_kit.kafka.settings import BusSettings
from lamplight_kit.kafka.stage import BATCH_S, next_batch
from lamplight_kit.kafka.topics import kinds_of
from lamplight_kit.kafka.types import Outgoing, Record


@st.composite
def groups(draw: st.DrawFn) -> tuple[dict[str, list[int]], int]:
    """Members with what each says it held, and the number of partitions."""
    partitions = draw(st.integers(1, 40))
    names = draw(st.lists(st.text("abcdef", min_size=1, max_size=4), min_size=1, max_size=6, unique=True))
    held = st.lists(st.integers(0, 45), max_size=50, unique=True)
    return {name: draw(held) for name in names}, partitions


@given(groups())
def test_every_partition_has_one_owner_and_shares_are_even(group: tuple[dict[str, list[int]], int]) -> None:
    """Whatever members claim, all partitions are shared once, and no share is larger than another by two."""
    claims, partitions = group
    shares = share(claims, partitions)
    assert sorted(partition for held in shares.values() for partition in held) == list(range(partitions))
    sizes = [len(held) for held in shares.values()]
    assert max(sizes) - min(sizes) <= 1


@given(groups())
def test_a_fair_share_is_kept(group: tuple[dict[str, list[int]], int]) -> None:
    """Sharing again changes nothing."""
    claims, partitions = group
    shares = share(claims, partitions)
    assert share(shares, partitions) == shares


def test_a_member_that_joins_takes_no_more_than_its_share() -> None:
    """Of twelve partitions in two hands a third member gets four, and eight stay where they were."""
    shares = share({"a": [0, 1, 2, 3, 4, 5], "b": [6, 7, 8, 9, 10, 11], "c": []}, 12)
    assert shares == {"a": [0, 1, 2, 3], "b": [6, 7, 8, 9], "c": [4, 5, 10, 11]}


def test_one_member_has_the_same_partition_of_every_topic() -> None:
    """The assignor names the same numbers for each topic, and the latest generation's word counts."""
    cluster = SimpleNamespace(partitions_for_topic=lambda _: set(range(4)))
    members = []
    for name, held, generation in (("a", [0, 1, 2, 3], 5), ("b", [0, 1], 7)):
        assignor = CoPartitionAssignor()
        places = [SimpleNamespace(partition=partition) for partition in held]
        assignor.on_assignment(SimpleNamespace(partitions=lambda places=places: places), generation)
        members.append(SimpleNamespace(member_id=name, group_instance_id=name, metadata=assignor.metadata({"x", "y"})))
    made = CoPartitionAssignor().assign(cluster, members)
    assert [(topic, held) for topic, held in made["a"].assigned_partitions] == [("x", [2, 3]), ("y", [2, 3])]
    assert [(topic, held) for topic, held in made["b"].assigned_partitions] == [("x", [0, 1]), ("y", [0, 1])]


@given(st.integers(0, 2**62), st.integers(0, 9))
def test_marks_come_back_as_they_were_written(end: int, attempts: int) -> None:
    """What is written with an offset is read from it."""
    assert read_mark(str(Mark(end, attempts))) == Mark(end, attempts)


@pytest.mark.parametrize("text", [None, "", "something else", "batch to x"])
def test_other_metadata_is_no_mark(text: str | None) -> None:
    """An offset that somebody else committed has no batch in hand."""
    assert read_mark(text) is None


@given(st.text(max_size=60), st.integers(1, 200))
def test_a_key_lies_where_the_producer_puts_it(key: str, partitions: int) -> None:
    """`partition_for` agrees with kafka-python's partitioner, and so with Java's."""
    cluster = SimpleNamespace(
        topics=lambda: {"t"},
        partitions_for_topic=lambda _: set(range(partitions)),
        available_partitions_for_topic=lambda _: set(range(partitions)),
    )
    chosen = DefaultPartitioner().partition("t", key, key.encode(), None, None, cluster)
    assert partition_for(key, partitions) == chosen


def _raw(value: bytes | None, **headers: str) -> SimpleNamespace:
    pairs = [(name, text.encode()) for name, text in headers.items()]
    return SimpleNamespace(value=value, key=b"k", headers=pairs, partition=3, offset=7, timestamp=11)


def test_a_message_comes_back_as_it_was_sent() -> None:
    """Type, major, key and further headers travel with it."""
    wire = encode(Outgoing("observations", "k", StringValue(value="x"), headers={"traceparent": "t"}))
    raw = SimpleNamespace(value=wire.value, key=wire.key, headers=wire.headers, partition=3, offset=7, timestamp=11)
    record = decode(raw, "observations")
    assert record.message == StringValue(value="x")
    assert record.headers == {"traceparent": "t", "type": "google.protobuf.StringValue", "major": "1"}
    assert (record.key, record.partition, record.offset, record.timestamp_ms) == ("k", 3, 7, 11)


def test_a_message_of_the_contracts_is_found_by_name() -> None:
    """A type that nothing imported yet is imported."""
    record = decode(_raw(b"", type="lamplight.place.v1.Places", major="1"), "places")
    assert record.message is not None
    assert record.message.DESCRIPTOR.full_name == "lamplight.place.v1.Places"


def test_json_and_tombstones_pass() -> None:
    """A value without a type is bytes, no value is a tombstone."""
    assert decode(_raw(b"{}"), "alerts").message == BytesValue(value=b"{}")
    assert decode(_raw(None), "cameras").message is None


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (_raw(b"", type="google.protobuf.StringValue", major="2"), UnknownMajorError),
        (_raw(b"", type="google.protobuf.StringValue"), UnknownMajorError),
        (_raw(b"", type="lamplight.nothing.v1.Nothing", major="1"), UndecodableError),
        (_raw(b"", type="lamplight.place.v1.Nothing", major="1"), UndecodableError),
        (_raw(b"\xff\xff", type="google.protobuf.StringValue", major="1"), UndecodableError),
    ],
)
def test_what_cannot_be_read_says_why(raw: SimpleNamespace, error: type[Exception]) -> None:
    """The text names topic, partition and offset, never a value."""
    with pytest.raises(error, match=r"^observations\[3\]@7: "):
        decode(raw, "observations")


def test_a_topic_carries_its_own_message() -> None:
    """What topics.yaml names is checked, a tombstone passes; topics of other words, and dead letters, are not."""
    kinds = kinds_of(load())
    assert kinds["places"] == "lamplight.place.v1.Places"
    assert not {"alerts", "alerts.current", "match.deadletter"} & kinds.keys()
    assert decode(_raw(b"", type="lamplight.place.v1.Places", major="1"), "places", kinds["places"]).message is not None
    assert decode(_raw(None), "places", kinds["places"]).message is None
    for raw in (_raw(b"", type="lamplight.region.v1.Region", major="1"), _raw(b"{}")):
        with pytest.raises(
            UndecodableError, match=r"^places\[3\]@7: type .* found, lamplight.place.v1.Places expected"
        ):
            decode(raw, "places", kinds["places"])


def test_state_that_cannot_be_read_counts_while_it_is_live() -> None:
    """A later value or removal of its key makes it good; another topic's message cannot be read either."""
    live: dict[bytes, Record | str] = {}
    good = _raw(b"", type="lamplight.place.v1.Places", major="1")
    kinds = {"places": "lamplight.place.v1.Places"}
    for bad in (_raw(b"", type="lamplight.place.v1.Places", major="2"), _raw(b"{}")):
        for later, left in ((good, [Record]), (_raw(None), [])):
            _keep(live, bad, "places", kinds)
            assert [type(kept) for kept in live.values()] == [str]
            _keep(live, later, "places", kinds)
            assert [type(kept) for kept in live.values()] == left


@pytest.mark.parametrize(("namespace", "member"), [("", "m"), ("a.b", "m"), ("n", "pod 1"), ("n", "x" * 64)])
def test_names_that_kafka_would_refuse_stop_the_start(namespace: str, member: str) -> None:
    """The error names the setting."""
    with pytest.raises(SettingsError, match=r"LAMPLIGHT_(NAMESPACE|MEMBER)"):
        BusSettings("127.0.0.1:1", namespace, member)


def test_the_types_need_no_kafka() -> None:
    """A handler's own modules import the bus's types without kafka-python."""
    program = "import sys, lamplight_kit.kafka.types; sys.exit('kafka' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@given(st.floats(0.001, 4.0), st.integers(1, 2_000))
def test_batches_of_a_lagging_handler_end_in_time(seconds_a_message: float, most: int) -> None:
    """Whatever a message costs, batches soon take less than the limit, and grow again where there is room."""
    batch = most
    for _ in range(12):
        batch = next_batch(batch, most, batch * seconds_a_message)
        assert 1 <= batch <= most
    assert batch * seconds_a_message <= BATCH_S or batch == 1
    for _ in range(12):
        batch = next_batch(batch, most, 0.0)
    assert batch == most


def test_each_key_that_something_came_of_has_a_line_with_its_message_and_trace() -> None:
    """The operator finds an effect by its key, and from there the message that led to it, in every service."""
    records = [Record("commands", 1, 7 + number, f"c{number}", StringValue(), 0, {}) for number in range(3)]
    trace = [("traceparent", b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01")]
    wires = [Wire("cameras", None, b"c1", b"", trace), Wire("audit", None, b"c1", b"", trace)]
    (line,) = effect_lines(records, wires)
    assert line == {
        "key": "c1",
        "effects": {"cameras": 1, "audit": 1},
        "topic": "commands",
        "partition": 1,
        "offset": 8,
        "trace_id": "ab" * 16,
    }
    many = [Wire("cameras", None, f"c{number}".encode(), b"", []) for number in range(MOST_LINES + 1)]
    assert list(effect_lines(records, many)) == []
