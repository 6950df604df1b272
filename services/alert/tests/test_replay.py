"""Whatever happens in between, the same observations make the same conditions."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from lamplight.alert.v1 import alert_pb2
from lamplight_alert.handlers.incidents import IncidentsHandler
from lamplight_kit.kafka.types import Outgoing, Record

# What comes next: how many seconds later, and what; `again` is the last observation a second time.
KINDS = ("car", "nothing", "closed", "dark", "crowd", "tick", "live", "stalled", "takeover", "again", "flood", "dry")
steps = st.lists(st.tuples(st.integers(1, 9), st.sampled_from(KINDS)), min_size=1, max_size=40)


def film_of(story: list[tuple[int, str]], film: Any) -> list[Record]:
    """Return the records of a story."""
    at_s, epoch, seq = 0, 1, 0
    records: list[Record] = []
    for pause_s, kind in story:
        if kind == "again" and records:
            records.append(records[-1])
            continue
        at_s, seq, epoch = at_s + pause_s, seq + 1, epoch + (kind == "takeover")
        records.append(_record(kind, at_s, epoch, seq, film))
    return records


def _record(kind: str, at_s: int, epoch: int, seq: int, film: Any) -> Any:
    if kind == "tick":
        return film.tick(at_s)
    if kind in {"live", "stalled"}:
        return film.state(at_s, kind, epoch=epoch)
    if kind in {"flood", "dry"}:
        return film.matches(at_s, *(["flood"] if kind == "flood" else []), epoch=epoch)
    return film.seen(
        at_s,
        seq=seq,
        epoch=epoch,
        things=[film.car(at_s)] if kind == "car" else [],
        zones={"bus_lane": {"person": 5}} if kind == "crowd" else {},
        health=["dark"] if kind == "dark" else [],
        gate_closed="no model" if kind == "closed" else "",
    )


def world_of(film: Any) -> Any:
    """Return a camera under one rule of each kind."""
    world = film.World()
    world.rule("thing", "thing.still_s > 3", id="thing", for_s=2, clear_s=5)
    world.rule("zone", "zone.counts.person > 3", id="zone", for_s=3)
    world.rule("camera", 'camera.state != "live" || "dark" in camera.health', id="camera", for_s=4, clear_s=2)
    world.rule("match", 'match.situation_id == "flood"', id="match", clear_s=5)
    return world


def conditions(outs: list[Outgoing]) -> list[bytes]:
    """Return the conditions without the pictures that they cite, since only a running process knows the last one."""
    found = []
    for out in outs:
        if isinstance(out.message, alert_pb2.Condition):
            bare = alert_pb2.Condition()
            bare.CopyFrom(out.message)
            bare.picture_key, bare.picture_at_ns = "", 0
            found.append(bare.SerializeToString(deterministic=True))
    return found


@settings(deadline=None)
@given(steps, st.sets(st.integers(0, 40)))
def test_a_restart_anywhere_changes_nothing(film: Any, story: list[tuple[int, str]], restarts: set[int]) -> None:
    """A member that begins anew from the state topic tells what one that never stopped tells."""
    records = film_of(story, film)
    unbroken, broken = world_of(film), world_of(film)
    expected = [out for record in records for out in unbroken.handle(record)]
    state: dict[str, Any] = {}
    told: list[Outgoing] = []
    for number, record in enumerate(records):
        if number in restarts:
            broken.handler = broken.fresh_handler()
            rows = [Record("clocks", 0, 0, key, message) for key, message in state.items() if message is not None]
            broken.handler.restore(0, rows)
        outs = broken.handle(record)
        state.update({out.key: out.message for out in outs if out.topic == "clocks"})
        told += outs
    assert conditions(told) == conditions(expected)


@settings(deadline=None)
@given(steps, st.integers(1, 40))
def test_batches_change_nothing(film: Any, story: list[tuple[int, str]], size: int) -> None:
    """However the bus cuts the observations, the conditions are the same, and so is the state in the end."""
    records = film_of(story, film)
    one_by_one, in_batches = world_of(film), world_of(film)
    expected = [out for record in records for out in one_by_one.handle(record)]
    told = [out for i in range(0, len(records), size) for out in in_batches.handle(*records[i : i + size])]
    assert conditions(told) == conditions(expected)


@settings(deadline=None)
@given(steps)
def test_each_condition_opens_and_clears_once(film: Any, story: list[tuple[int, str]]) -> None:
    """A condition opens first and clears last and once; stale and resumed take turns; each is told by one event."""
    world, incidents = world_of(film), IncidentsHandler("lamplight")
    by_id: dict[str, list[int]] = {}
    ids = []
    for record in film_of(story, film):
        for condition in world.feed(record):
            by_id.setdefault(condition.condition_id, []).append(condition.change)
            told = incidents.handle([Record("conditions", 0, 0, "east", condition)])
            ids += [film.event_of(out)["id"] for out in told if out.topic == "alerts"]
    for changes in by_id.values():
        assert changes[0] == alert_pb2.Condition.CHANGE_OPENED
        middle = changes[1:-1] if changes[-1] == alert_pb2.Condition.CHANGE_CLEARED else changes[1:]
        turns = [alert_pb2.Condition.CHANGE_STALE, alert_pb2.Condition.CHANGE_RESUMED] * len(middle)
        assert middle == turns[: len(middle)]
    assert len(ids) == len(set(ids)) == sum(len(changes) for changes in by_id.values())
