"""What observations, matches and ticks make of rules, as readers of `conditions` see it."""

from __future__ import annotations

from typing import Any

from lamplight.alert.v1 import alert_pb2
from lamplight.region.v1 import region_pb2
from lamplight_alert.classes import COUNTABLE

STANDING = 'thing.class_name == "car" && "bus_lane" in thing.zones && thing.still_s >= 20'
OPENED, CLEARED, STALE, RESUMED = (
    alert_pb2.Condition.CHANGE_OPENED,
    alert_pb2.Condition.CHANGE_CLEARED,
    alert_pb2.Condition.CHANGE_STALE,
    alert_pb2.Condition.CHANGE_RESUMED,
)


def changes(conditions: list[Any]) -> list[int]:
    """Return what changed, in order."""
    return [condition.change for condition in conditions]


def test_a_thing_opens_and_is_seen_gone(world: Any, film: Any) -> None:
    """A car that stands long enough opens with its picture and sentence; it clears once seen gone for `clear_s`."""
    world.rule("thing", STANDING, clear_s=10, name="Standing in the bus lane", deliver=["desk"])
    assert not world.feed(world.seen(18, things=[film.car(18)]))
    (opened,) = world.feed(world.seen(20, things=[film.car(20)]))
    assert opened.change == OPENED
    assert opened.summary == (
        "A car has stood in bus_lane on Canal Road underpass for 20 s (Standing in the bus lane)."
    )
    assert (opened.picture_key, opened.picture_at_ns) == ("picture-20", film.at(20))
    assert (opened.district, opened.subject.id, opened.subject.class_name) == ("east", "place-1", "car")
    assert (list(opened.deliver), list(opened.labels), opened.place.lat) == (["desk"], ["underpass"], 51.52)
    assert not world.feed(world.seen(30), world.seen(39))
    (cleared,) = world.feed(world.seen(40))
    assert (cleared.change, cleared.condition_id) == (CLEARED, opened.condition_id)
    assert cleared.reason == "seen gone for 10 s"


def test_things_without_a_place_hold_nothing(world: Any, film: Any) -> None:
    """What has no place cannot be followed over time, so no rule over things sees it."""
    world.rule("thing", "thing.score > 0.1")
    assert not world.feed(world.seen(0, things=[film.car(0, place_id="")]))


def test_two_places_are_two_conditions(world: Any, film: Any) -> None:
    """Each place has its own clock."""
    world.rule("thing", STANDING)
    opened = world.feed(world.seen(20, things=[film.car(20, "one"), film.car(25, "two"), film.car(3, "three")]))
    assert sorted(condition.subject.id for condition in opened) == ["one", "two"]
    (cleared,) = world.feed(world.seen(21, things=[film.car(21, "one")]))
    assert cleared.subject.id == "two"


def test_a_closed_gate_is_not_evidence(world: Any, film: Any) -> None:
    """With the gate closed nothing opens and nothing clears; after five seconds it is said to be stale."""
    world.rule("thing", STANDING, id="thing")
    world.rule("zone", "zone.counts.person == 0", id="zone", for_s=2)
    assert changes(world.feed(world.seen(20, things=[film.car(20)]))) == [OPENED]
    assert not world.feed(world.seen(24, gate_closed="no model"))
    stale = world.feed(world.seen(26, gate_closed="no model"))
    assert changes(stale) == [STALE]
    assert stale[0].reason == "the pictures do not tell"
    assert not world.feed(world.seen(40, gate_closed="no model"))
    assert changes(world.feed(world.seen(41, things=[film.car(41)]))) == [RESUMED]


def test_counts_hold_zero_and_unlisted_classes(world: Any) -> None:
    """A class that is not there counts 0, one that only the rule knows too."""
    world.rule("zone", "zone.counts.person == 0 && zone.counts.tram == 0 && camera.counts.bus == 0")
    (opened,) = world.feed(world.seen(0))
    assert (opened.subject.id, list(opened.subject.zone_ids)) == ("bus_lane", ["bus_lane"])


def test_counts_as_a_whole_hold_every_countable_class(world: Any) -> None:
    """A rule that goes through all counts sees all countable classes, with those that are there."""
    world.rule("camera", f"size(camera.counts) == {len(COUNTABLE)} && camera.counts.exists(c, camera.counts[c] == 7)")
    assert changes(world.feed(world.seen(0, counts={"person": 7}))) == [OPENED]


def test_a_crowd_must_hold_for_s(world: Any) -> None:
    """A zone's count opens only after `for_s` of it."""
    world.rule("zone", 'zone.id == "bus_lane" && zone.counts.person > 3', for_s=4, name="Crowd")
    crowd = {"bus_lane": {"person": 5, "car": 1}}
    assert not world.feed(world.seen(0, zones=crowd), world.seen(2, zones=crowd))
    (opened,) = world.feed(world.seen(4, zones=crowd))
    assert opened.summary == "Crowd: bus_lane on Canal Road underpass holds 1 car and 5 people."
    assert opened.since_ns < opened.at_ns


def test_health_is_known_with_the_gate_closed(world: Any) -> None:
    """A dark camera is told though its gate is closed."""
    world.rule("camera", '"dark" in camera.health', name="Camera fault")
    (opened,) = world.feed(world.seen(0, health=["dark"], gate_closed="too dark"))
    assert opened.summary == "Camera fault: Canal Road underpass shows a dark picture."
    assert changes(world.feed(world.seen(5))) == [CLEARED]


def test_a_dark_camera_stays_known_while_nothing_is_searched(world: Any, film: Any) -> None:
    """A night of too dark pictures, their gate closed, neither marks the fault stale nor clears it; light clears."""
    world.rule("camera", '"dark" in camera.health', id="dark", name="Camera fault")
    dark = {"health": ["dark"], "gate_closed": "too dark to search"}
    assert changes(world.feed(world.seen(0, **dark))) == [OPENED]
    for at_s in range(10, 120, 10):
        assert not world.feed(world.seen(at_s, **dark), film.tick(at_s + 1))
    assert changes(world.feed(world.seen(120))) == [CLEARED]


def test_a_stalled_camera_opens_by_ticks_and_marks_the_rest_stale(world: Any, film: Any) -> None:
    """Ingest's word is evidence by itself: it opens a fault after `for_s`, and all else goes stale at once."""
    world.rule("camera", 'camera.state != "live"', id="fault", for_s=5, name="Camera fault")
    world.rule("thing", STANDING, id="standing")
    assert changes(world.feed(film.state(0, "live"), world.seen(20, things=[film.car(20)]))) == [OPENED]
    (stale,) = world.feed(film.state(30, "stalled"))
    assert (stale.change, stale.rule_id, stale.reason) == (STALE, "standing", "the camera is stalled")
    assert not world.feed(film.tick(34))
    (fault,) = world.feed(film.tick(35))
    assert (fault.change, fault.summary) == (OPENED, "Camera fault: Canal Road underpass is stalled.")
    assert fault.picture_key == "picture-20"
    back = world.feed(film.state(40, "live"), world.seen(41, things=[film.car(41)]))
    assert [(one.rule_id, one.change) for one in back] == [("fault", CLEARED), ("standing", RESUMED)]


def test_no_observation_goes_stale_by_ticks(world: Any, film: Any) -> None:
    """Time without an observation proves nothing, and is told after two of the camera's longest gaps."""
    world.rule("thing", STANDING)
    world.feed(world.seen(20, things=[film.car(20)]))
    assert not world.feed(film.tick(45))
    (stale,) = world.feed(film.tick(46))
    assert (stale.change, stale.reason) == (STALE, "no evidence for 26 s")
    assert not world.feed(film.tick(900))


def test_lower_epochs_and_duplicates_tell_nothing(world: Any, film: Any) -> None:
    """A camera counts once even while two workers hold it, and a picture once though told twice."""
    world.rule("thing", STANDING)
    world.feed(film.seen(20, seq=5, epoch=2, things=[film.car(20)]))
    assert not world.feed(film.seen(21, seq=9, epoch=1), film.state(21, "gone", epoch=1))
    assert not world.feed(film.seen(22, seq=5, epoch=2), film.seen(22, seq=4, epoch=2))
    assert changes(world.feed(film.seen(23, seq=0, epoch=3))) == [CLEARED]


def test_a_late_picture_does_not_revive_a_stalled_camera(world: Any, film: Any) -> None:
    """A picture from before the camera stalled, which detect was still at, changes nothing."""
    world.rule("camera", 'camera.state == "stalled"')
    assert changes(world.feed(world.seen(9), film.state(10, "stalled"))) == [OPENED]
    assert not world.feed(world.seen(9.5))
    assert changes(world.feed(world.seen(11))) == [CLEARED]


def test_a_removed_or_changed_rule_clears(world: Any, film: Any) -> None:
    """Conditions of a rule that is no more, or is another now, clear with the reason; the new one begins anew."""
    world.rule("thing", STANDING)
    (first,) = world.feed(world.seen(20, things=[film.car(20)]))
    world.rule("thing", STANDING, version=2)
    cleared, again = world.feed(world.seen(21, things=[film.car(21)]))
    assert (cleared.change, cleared.reason) == (CLEARED, "the rule was changed")
    assert again.change == OPENED
    assert again.condition_id != first.condition_id
    del world.rules.rows["rule"]
    (removed,) = world.feed(film.tick(22))
    assert removed.reason == "the rule was removed, or is no longer for this camera"
    assert removed.condition_id == again.condition_id


def test_a_removed_camera_clears_in_its_district(world: Any, film: Any) -> None:
    """What was open when the camera went clears where it was told, and its clocks are removed."""
    world.rule("thing", STANDING)
    world.feed(world.seen(20, things=[film.car(20)]))
    del world.cameras.rows["canal-12"]
    written = world.handle(film.tick(21))
    (cleared,) = [out for out in written if out.topic == "conditions"]
    assert (cleared.key, cleared.message.reason) == ("east", "the camera was removed")
    assert [(out.key, out.message) for out in written if out.topic == "clocks"] == [("canal-12", None)]


def test_a_camera_that_moves_tells_the_old_district(world: Any, film: Any) -> None:
    """A condition stays in the district that it opened in."""
    world.rule("thing", STANDING)
    world.feed(world.seen(20, things=[film.car(20)]))
    world.camera.district = "west"
    (out,) = [out for out in world.handle(world.seen(21)) if out.topic == "conditions"]
    assert (out.key, out.message.district) == ("east", "east")


def test_a_removed_zone_clears(world: Any) -> None:
    """A zone that the camera has no more cannot hold anything."""
    world.rule("zone", "zone.counts.person == 0")
    world.feed(world.seen(0))
    del world.camera.zones[:]
    (cleared,) = world.feed(world.seen(1))
    assert cleared.reason == "the zone was removed from the camera"


def test_the_schedule_opens_and_ends(world: Any, film: Any) -> None:
    """Outside its hours, in the camera's own time zone, a rule sees nothing; at their end it clears by a tick."""
    world.rule("thing", STANDING, schedule="Mo-Su 22:14-22:15")  # the film starts at 22:13:20 in London
    assert not world.feed(world.seen(30, things=[film.car(30)]))
    assert changes(world.feed(world.seen(40, things=[film.car(40)]))) == [OPENED]
    assert not world.feed(film.tick(60))
    world.feed(world.seen(90, things=[film.car(90)]))
    (cleared,) = world.feed(film.tick(100))
    assert cleared.reason == "the rule's schedule is over"
    assert not world.feed(world.seen(110, things=[film.car(110)]))


def test_selectors_choose_cameras(world: Any, film: Any) -> None:
    """A rule holds for the cameras that its selectors name."""
    world.rule("thing", STANDING, id="other", cameras=["quay-*"])
    world.rule("thing", STANDING, id="not-here", cameras=["label:underpass", "!canal-12"])
    world.rule("thing", STANDING, id="here", cameras=["label:underpass"])
    assert [one.rule_id for one in world.feed(world.seen(20, things=[film.car(20)]))] == ["here"]


def test_a_match_opens_and_no_longer_resembling_clears(world: Any, film: Any) -> None:
    """A scene that resembles a situation opens; compared again without resembling it, it clears."""
    world.rule("match", 'match.situation_id == "flood" && match.score > 0.8', name="Flood")
    (opened,) = world.feed(film.matches(0, "flood", "litter", compared=["flood", "litter"]))
    assert opened.summary == "Flood: Canal Road underpass resembles flood (score 0.90)."
    assert (opened.subject.id, opened.picture_key) == ("flood", "picture-0")
    assert not world.feed(film.matches(5, "flood"))
    assert changes(world.feed(film.matches(10))) == [CLEARED]


def test_matches_of_zones_and_places_stand_by_themselves(world: Any, film: Any) -> None:
    """Each view of a camera has its own clock, and a thing's match ends when its place does."""
    world.rule("match", 'match.situation_id == "flood"')
    zone = {"kind": region_pb2.REGION_KIND_ZONE, "zone_ids": ["bus_lane"]}
    thing = {"kind": region_pb2.REGION_KIND_THING, "place_id": "place-1", "class_name": "suitcase"}
    opened = world.feed(film.matches(0, "flood", **zone), film.matches(0, "flood", **thing))
    assert [one.subject.id for one in opened] == ["flood/bus_lane", "flood/place-1"]
    assert not world.feed(film.matches(1), world.seen(2, things=[film.car(1)]))
    (gone,) = world.feed(world.seen(3))
    assert (gone.change, gone.subject.id) == (CLEARED, "flood/place-1")
    (removed,) = world.feed(film.matches(4, compared=["litter"], **zone))
    assert (removed.subject.id, removed.reason) == ("flood/bus_lane", "no longer compared")


def test_an_example_of_a_situation_is_no_match(world: Any, film: Any) -> None:
    """Regions without a camera are the enrolment's, and tell nothing."""
    world.rule("match", "true")
    record = film.matches(0, "flood")
    record.message.source.camera_id = ""
    assert not world.feed(record)


def test_an_unknown_camera_is_passed_over(world: Any, film: Any) -> None:
    """An observation of a camera that is not configured changes nothing and is not kept."""
    world.rule("thing", STANDING)
    world.cameras.rows.clear()
    assert not world.handle(world.seen(20, things=[film.car(20)]))


def test_a_state_that_comes_before_its_camera_is_kept(world: Any, film: Any) -> None:
    """Ingest's word may arrive before the table shows the camera; the fault is told once it does."""
    world.rule("camera", 'camera.state == "refused"')
    world.cameras.rows.clear()
    assert not world.handle(film.state(0, "refused"), film.tick(1))
    world.cameras.rows["canal-12"] = world.camera
    written = world.handle(film.tick(2))
    assert [out.topic for out in written] == ["conditions", "clocks"]


def test_clocks_are_written_on_change_only(world: Any, film: Any) -> None:
    """An idle camera writes its state once; a running clock is written as it runs."""
    world.rule("thing", STANDING)
    assert [out.topic for out in world.handle(world.seen(0))] == ["clocks"]
    assert not world.handle(world.seen(1), world.seen(2))
    assert [out.topic for out in world.handle(world.seen(20, things=[film.car(20)]))] == ["conditions", "clocks"]
    assert [out.topic for out in world.handle(world.seen(21, things=[film.car(21)]))] == ["clocks"]
