"""Situations are enrolled from whatever comes first, and live regions are compared with those in scope."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lamplight.camera.v1 import camera_pb2
from lamplight.match.v1 import match_pb2
from lamplight.region.v1 import region_pb2
from lamplight.situation.v1 import situation_pb2
from lamplight_kit.clock import ManualClock
from lamplight_kit.errors import Refuse, Retry
from lamplight_kit.kafka.types import Outgoing, Record
from lamplight_match.adapters.memory import MemoryStore, MemoryTable
from lamplight_match.bootstrap import build_handler, local
from lamplight_match.handler import MatchHandler
from lamplight_match.testing import Bus, a_situation

READY, ENROLLING, REFUSED = (
    situation_pb2.Situation.STATE_READY,
    situation_pb2.Situation.STATE_ENROLLING,
    situation_pb2.Situation.STATE_REFUSED,
)


class Replica:
    """A member of match: its handler, and the table of situations that it and others read."""

    def __init__(
        self, store: MemoryStore | None = None, table: dict[str, situation_pb2.Situation] | None = None
    ) -> None:
        self.store = store or MemoryStore()
        self.table = {} if table is None else table
        self.cameras = {"canal-1": camera_pb2.Camera(id="canal-1", labels=["underpass"], retention_days=2)}
        self.handler: MatchHandler = build_handler(
            self.store, MemoryTable(self.table), MemoryTable(self.cameras), ManualClock(), 7
        )
        self.written: list[Outgoing] = []

    def take(self, *records: Record) -> list[Outgoing]:
        """Handle `records` as one batch; the table shows what was written."""
        made = list(self.handler.handle(records))
        for outgoing in made:
            if outgoing.topic == "situations" and outgoing.message is None:
                self.table.pop(outgoing.key, None)
            elif isinstance(outgoing.message, situation_pb2.Situation):
                self.table[outgoing.key] = outgoing.message
        self.written += made
        return made


@pytest.fixture
def bus() -> Bus:
    """Records as they come from the topics."""
    return Bus()


def flood(bus: Bus) -> list[Record]:
    """Return the vectors of two examples of a flood at place 1, and of the dry place."""
    return [
        bus.example("flood", "one.jpg", bus.place(1, noise=0.2, noise_seed=1)),
        bus.example("flood", "two.jpg", bus.place(1, noise=0.2, noise_seed=2)),
        bus.example("flood", "dry.jpg", bus.place(2), counter=True),
    ]


def enrolled(bus: Bus, replica: Replica, **scope: tuple[str, ...]) -> situation_pb2.Situation:
    """Enrol the flood and return it as it then is."""
    replica.take(*flood(bus), bus.enrol(a_situation(counters=("dry.jpg",), **scope)))  # type: ignore[arg-type]  # scope is cameras or zone_ids
    return replica.table["flood"]


def matches(made: Sequence[Outgoing]) -> list[match_pb2.Matches]:
    """Return the messages for the topic `matches`."""
    return [outgoing.message for outgoing in made if isinstance(outgoing.message, match_pb2.Matches)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
@pytest.mark.parametrize("together", [True, False])
def test_pictures_and_command_may_come_in_any_order(bus: Bus, order: tuple[int, ...], *, together: bool) -> None:
    """Vectors may arrive before or after the command; the situation ends ready, with the same threshold."""
    records = [*flood(bus), bus.enrol(a_situation(counters=("dry.jpg",)))]
    replica = Replica()
    ordered = [records[number] for number in order]
    for batch in [ordered] if together else [[record] for record in ordered]:
        replica.take(*batch)
    situation = replica.table["flood"]
    assert situation.state == READY
    assert situation.effective_threshold == pytest.approx(enrolled(Bus(), Replica()).effective_threshold)
    assert all(reference.is_embedded for reference in situation.references)
    assert situation.last_command_id == "c1"


def test_it_enrols_until_every_picture_has_its_vector(bus: Bus) -> None:
    """Until then the reason counts them."""
    replica = Replica()
    replica.take(bus.enrol(a_situation(counters=("dry.jpg",))), *flood(bus)[:1])
    assert replica.table["flood"].state == ENROLLING
    assert "1 of 3" in replica.table["flood"].reason


def test_live_regions_are_matched(bus: Bus) -> None:
    """A view like the examples matches with score, margin and example; a dry one is compared and does not."""
    replica = Replica()
    threshold = enrolled(bus, replica).effective_threshold
    wet = bus.live("canal-1", bus.place(1, noise=0.1, noise_seed=3))
    (found,) = matches(replica.take(wet))
    assert list(found.compared_situation_ids) == ["flood"]
    (match,) = found.matches
    assert match.score >= match.threshold == pytest.approx(threshold)
    assert 0 < match.margin < match.score + 1
    assert match.reference_id in {"one.jpg", "two.jpg"}
    (found,) = matches(replica.take(bus.live("canal-1", bus.place(2, noise=0.1))))
    assert list(found.compared_situation_ids) == ["flood"]
    assert not found.matches


def test_one_batch_may_enrol_and_match(bus: Bus) -> None:
    """What is enrolled in a batch is in force for what follows in it."""
    replica = Replica()
    live = bus.live("canal-1", bus.place(1))
    made = replica.take(live, *flood(bus), bus.enrol(a_situation(counters=("dry.jpg",))), live)
    assert [len(found.matches) for found in matches(made)] == [1]


@pytest.mark.parametrize(
    ("scope", "kind", "zones", "is_compared"),
    [
        ({}, region_pb2.REGION_KIND_SCENE, (), True),
        ({}, region_pb2.REGION_KIND_ZONE, ("lane",), False),
        ({}, region_pb2.REGION_KIND_THING, (), False),
        ({"cameras": ("label:underpass",)}, region_pb2.REGION_KIND_SCENE, (), True),
        ({"cameras": ("label:bridge",)}, region_pb2.REGION_KIND_SCENE, (), False),
        ({"cameras": ("canal-*", "!canal-1")}, region_pb2.REGION_KIND_SCENE, (), False),
        ({"zone_ids": ("lane",)}, region_pb2.REGION_KIND_ZONE, ("lane",), True),
        ({"zone_ids": ("lane",)}, region_pb2.REGION_KIND_ZONE, ("pavement",), False),
        ({"zone_ids": ("lane",)}, region_pb2.REGION_KIND_SCENE, (), False),
    ],
)
def test_only_regions_in_scope_are_compared(
    bus: Bus,
    scope: dict[str, tuple[str, ...]],
    kind: region_pb2.RegionKind.ValueType,
    zones: tuple[str, ...],
    is_compared: bool,
) -> None:
    """Cameras by selector, zones by id, whole scenes where no zone is named; nothing is written out of scope."""
    replica = Replica()
    enrolled(bus, replica, **scope)
    made = replica.take(bus.live("canal-1", bus.place(1), kind=kind, zones=zones))
    assert [list(found.compared_situation_ids) for found in matches(made)] == ([["flood"]] if is_compared else [])


def test_another_replica_compares_with_what_this_one_enrolled(bus: Bus) -> None:
    """Vectors of other partitions' situations come from the store, and anew with every version."""
    owner = Replica()
    enrolled(bus, owner)
    other = Replica(owner.store, owner.table)
    assert matches(other.take(bus.live("canal-1", bus.place(1))))[0].matches
    changed = [
        bus.example("flood", "four.jpg", bus.place(5, noise=0.1, noise_seed=4)),
        bus.example("flood", "five.jpg", bus.place(5, noise=0.1, noise_seed=5)),
        bus.enrol(a_situation(("four.jpg", "five.jpg")), "c2"),
    ]
    owner.take(*changed)
    assert not matches(other.take(bus.live("canal-1", bus.place(1), seq=2)))[0].matches
    assert matches(other.take(bus.live("canal-1", bus.place(5), seq=3)))[0].matches
    kept = {(one.reference_id) for one in owner.store.references("flood")}
    assert kept == {"four.jpg", "five.jpg"}


def test_a_picture_replaced_under_its_id_counts(bus: Bus) -> None:
    """The same id with another picture makes a new version, even where the operator set the threshold."""
    replica = Replica()
    replica.take(*flood(bus)[:2], bus.enrol(a_situation(threshold=0.9)))
    version = replica.table["flood"].version
    again = bus.example("flood", "one.jpg", bus.place(5))
    replica.take(again)
    assert replica.table["flood"].version == version + 1
    assert matches(replica.take(bus.live("canal-1", bus.place(5))))[0].matches
    replica.take(again)
    assert replica.table["flood"].version == version + 1


def test_vectors_of_two_models_are_never_compared(bus: Bus) -> None:
    """After a change of encoder nothing is compared until the situation is enrolled by the new one."""
    replica = Replica()
    enrolled(bus, replica)
    new = "b" * 64
    assert matches(replica.take(bus.live("canal-1", bus.place(1), model=new))) == []
    records = [
        bus.example("flood", name, bus.place(1, noise=0.2, noise_seed=seed), model=new)
        for name, seed in (("one.jpg", 1), ("two.jpg", 2))
    ]
    replica.take(*records)
    assert replica.table["flood"].model_sha256 == "a" * 64
    replica.take(
        bus.example("flood", "dry.jpg", bus.place(2), counter=True, model=new),
        bus.enrol(a_situation(counters=("dry.jpg",)), "c2"),
    )
    assert replica.table["flood"].state == READY


def test_a_picture_without_a_vector_refuses_the_situation(bus: Bus) -> None:
    """What embed said is what the operator reads; another picture in its place mends it."""
    replica = Replica()
    broken = bus.example("flood", "two.jpg", bus.place(1), refused="99% of the picture is masked")
    first, second, dry = flood(bus)
    replica.take(first, broken, dry, bus.enrol(a_situation(counters=("dry.jpg",))))
    assert replica.table["flood"].state == REFUSED
    assert "two.jpg: 99%" in replica.table["flood"].reason
    replica.take(second)
    assert replica.table["flood"].state == READY


def test_too_few_pictures_are_refused_with_the_cure(bus: Bus) -> None:
    """One example and nothing else gives no threshold; the operator's own does."""
    replica = Replica()
    replica.take(flood(bus)[0], bus.enrol(a_situation(("one.jpg",))))
    assert replica.table["flood"].state == REFUSED
    assert "set a threshold of your own" in replica.table["flood"].reason
    replica.take(bus.enrol(a_situation(("one.jpg",), threshold=0.8), "c2"))
    assert replica.table["flood"].state == READY
    assert replica.table["flood"].effective_threshold == pytest.approx(0.8)


def test_a_removed_situation_is_gone_everywhere(bus: Bus) -> None:
    """Its vectors too, and nothing is compared with it while the table still shows it."""
    replica = Replica()
    shown = enrolled(bus, replica)
    assert matches(replica.take(bus.live("canal-1", bus.place(1))))[0].matches
    made = replica.handler.handle([bus.remove("flood")])
    assert replica.table["flood"] == shown
    assert [(outgoing.topic, outgoing.key, outgoing.message) for outgoing in made] == [("situations", "flood", None)]
    assert list(replica.store.references("flood")) == []
    assert matches(replica.take(bus.live("canal-1", bus.place(1)))) == []
    assert replica.take(bus.remove("flood", "c10")) == []


def test_the_same_records_again_change_nothing_more(bus: Bus) -> None:
    """After a failed commit the batch comes again over the restored state: the effects are those of one time."""
    records = [*flood(bus), bus.enrol(a_situation(counters=("dry.jpg",))), bus.live("canal-1", bus.place(1))]
    once, twice = Replica(), Replica()
    once.take(*records)
    twice.handler.handle(records)
    twice.handler.forget(0)
    twice.handler.restore(0, [])
    twice.take(*records)
    assert [outgoing.message for outgoing in matches_and_last(once)] == [
        outgoing.message for outgoing in matches_and_last(twice)
    ]
    assert once.store.history.keys() == twice.store.history.keys()
    assert twice.take(records[3]) == []


def matches_and_last(replica: Replica) -> list[Outgoing]:
    """Return the matches that a replica wrote, and the last version of the situation but for its number."""
    found = [outgoing for outgoing in replica.written if outgoing.topic == "matches"]
    last = [outgoing for outgoing in replica.written if outgoing.topic == "situations"][-1]
    situation = situation_pb2.Situation()
    assert isinstance(last.message, situation_pb2.Situation)
    situation.CopyFrom(last.message)
    situation.version = 0
    return [*found, Outgoing(last.topic, last.key, situation)]


def test_a_restart_goes_on_where_it_was(bus: Bus) -> None:
    """A half-enrolled situation is restored from its topic and finished."""
    replica = Replica()
    first, second, dry = flood(bus)
    replica.take(first, bus.enrol(a_situation(counters=("dry.jpg",))))
    later = Replica(replica.store, replica.table)
    later.handler.restore(0, [Record("situations", 0, 0, "flood", replica.table["flood"])])
    later.take(second, dry)
    assert later.table["flood"].state == READY


def test_history_is_kept_as_long_as_the_cameras_pictures(bus: Bus) -> None:
    """Every live vector is kept with what it is of; examples are not in it."""
    replica = Replica()
    day_ns = 86_400 * 10**9
    replica.take(*flood(bus), bus.live("canal-1", bus.place(1), seq=5), bus.live("unknown", bus.place(1), seq=6))
    rows = {row.camera_id: row for row in replica.store.history.values()}
    assert rows["canal-1"].expires_ns == 5 + 2 * day_ns
    assert rows["unknown"].expires_ns == 6 + 7 * day_ns
    assert rows["canal-1"].kind == "scene"


def test_lost_vectors_are_told(bus: Bus) -> None:
    """A ready situation whose vectors the store no longer has says that it waits for them, and how to mend it."""
    replica = Replica()
    enrolled(bus, replica)
    replica.store.drop_references("flood")
    replica.handler.restore(0, [Record("situations", 0, 0, "flood", replica.table["flood"])])
    assert matches(replica.take(bus.live("canal-1", bus.place(1)))) == []
    assert replica.table["flood"].state == ENROLLING
    assert "0 of 3" in replica.table["flood"].reason
    replica.take(*flood(bus))
    assert replica.table["flood"].state == READY


EVENTS = ("one", "two", "dry", "command", "restart", "live")


@given(st.lists(st.sampled_from(EVENTS), max_size=14), st.randoms(use_true_random=False))
def test_whatever_happens_on_the_way_it_ends_alike(noise: list[str], order: random.Random) -> None:
    """Repeated pictures, a command that comes twice, restarts between: the same situation in the end."""
    bus = Bus()
    records = dict(zip(EVENTS, [*flood(bus), bus.enrol(a_situation(counters=("dry.jpg",)))], strict=False))
    records["live"] = bus.live("canal-1", bus.place(1))
    events = [*noise, *records]
    order.shuffle(events)
    replica = Replica()
    for event in events:
        if event == "restart":
            replica = Replica(replica.store, replica.table)
            kept = [Record("situations", 0, 0, key, message) for key, message in replica.table.items()]
            replica.handler.restore(0, kept)
        else:
            replica.take(records[event])
    expected = enrolled(Bus(), Replica())
    found = replica.table["flood"]
    assert (found.state, list(found.references)) == (READY, list(expected.references))
    assert found.effective_threshold == pytest.approx(expected.effective_threshold)
    assert matches(replica.take(records["live"]))[0].matches


def test_nothing_is_compared_until_the_tables_are_read(bus: Bus) -> None:
    """A replica that does not know all situations yet would say that nothing matches."""

    class Unread(MemoryTable):
        def wait_ready(self, timeout_s: float) -> bool:
            return False

    handler = build_handler(MemoryStore(), Unread({}), MemoryTable({}), ManualClock(), 7)
    with pytest.raises(Retry, match="still being read"):
        handler.handle([bus.live("canal-1", bus.place(1))])


def test_broken_messages_are_refused(bus: Bus) -> None:
    """A situation that no API wrote, a vector that is none, an unknown message: to the dead letters."""
    replica = Replica()
    short = bus.live("canal-1", bus.place(1) * 2)
    nameless = bus.example("../x", "one.jpg", bus.place(1))
    for record in (bus.enrol(a_situation(())), short, nameless, Record("commands", 0, 9, "a", None)):
        with pytest.raises(Refuse):
            replica.take(record)


def test_local_is_the_same_handler_without_kafka(bus: Bus) -> None:
    """What `lamplight watch` uses: records in, records out, cameras given once."""
    handler = local(cameras=[camera_pb2.Camera(id="canal-1", labels=["underpass"])])
    made = handler.handle([*flood(bus), bus.enrol(a_situation(counters=("dry.jpg",), cameras=("label:underpass",)))])
    last = made[-1].message
    assert isinstance(last, situation_pb2.Situation)
    assert last.state == READY
    assert matches(handler.handle([bus.live("canal-1", bus.place(1))]))[0].matches
