"""Between the wire's messages and what alert reasons with."""

from __future__ import annotations

from collections.abc import Mapping

from lamplight.alert.v1 import alert_pb2
from lamplight.camera.v1 import camera_pb2
from lamplight.match.v1 import match_pb2
from lamplight.observation.v1 import observation_pb2
from lamplight.region.v1 import region_pb2
from lamplight.rule.v1 import rule_pb2

from lamplight_alert.camera_clocks import CameraClocks
from lamplight_alert.model import Clock, Over, Running, Subject
from lamplight_alert.rulebook import OVERS
from lamplight_alert.scopes import CameraView, MatchView, ThingView, ZoneView

_TO_OVER: Mapping[Over, rule_pb2.Over.ValueType] = {
    Over.THING: rule_pb2.OVER_THING,
    Over.ZONE: rule_pb2.OVER_ZONE,
    Over.CAMERA: rule_pb2.OVER_CAMERA,
    Over.MATCH: rule_pb2.OVER_MATCH,
}
_TO_STATE: Mapping[Running, alert_pb2.Clock.State.ValueType] = {
    Running.PENDING: alert_pb2.Clock.STATE_PENDING,
    Running.OPEN: alert_pb2.Clock.STATE_OPEN,
    Running.CLEARING: alert_pb2.Clock.STATE_CLEARING,
}
_RUNNING = {state: running for running, state in _TO_STATE.items()}
_HEALTH = {
    observation_pb2.HEALTH_DARK: "dark",
    observation_pb2.HEALTH_CARD: "card",
    observation_pb2.HEALTH_BROKEN: "broken",
}


def are_things_known(seen: observation_pb2.Seen) -> bool:
    """Tell whether a picture's things and counts are known: the gate was open."""
    return not seen.gate_closed and seen.HasField("counts")


def camera_view(camera: camera_pb2.Camera, state: str, seen: observation_pb2.Seen | None = None) -> CameraView:
    """Return what is known of `camera`; without a picture, its state alone."""
    known = CameraView(camera.id, tuple(camera.labels), state)
    if seen is None:
        return known
    counts = dict(seen.counts.by_class) if are_things_known(seen) else None
    health = tuple(_HEALTH[word] for word in seen.health if word in _HEALTH)
    return CameraView(known.id, known.labels, known.state, counts, health)


def thing_views(seen: observation_pb2.Seen) -> tuple[ThingView, ...] | None:
    """Return the things that stand at a place, or None where they are not known."""
    if not are_things_known(seen):
        return None
    return tuple(_thing(thing, seen) for thing in seen.things if thing.place_id)


def zone_views(camera: camera_pb2.Camera, seen: observation_pb2.Seen) -> tuple[ZoneView, ...]:
    """Return every zone of `camera`, its counts unknown where the picture does not tell them."""
    known = are_things_known(seen)
    counts = {zone.zone_id: dict(zone.counts.by_class) for zone in seen.zones if known and zone.HasField("counts")}
    return tuple(ZoneView(zone.id, counts.get(zone.id)) for zone in camera.zones)


def match_view(match: match_pb2.Match, source: region_pb2.RegionSource) -> MatchView:
    """Return what CEL sees of a match."""
    return MatchView(match.situation_id, match.score, match.margin, tuple(source.zone_ids))


def match_subject(situation_id: str, source: region_pb2.RegionSource) -> Subject | None:
    """Return what a match is about; None for a thing that has no place, since it cannot hold over time."""
    region = region_name(source)
    if source.kind == region_pb2.REGION_KIND_THING and not region:
        return None
    subject_id = f"{situation_id}/{region}" if region else situation_id
    return Subject(Over.MATCH, subject_id, _class_of(source), tuple(source.zone_ids))


def region_name(source: region_pb2.RegionSource) -> str:
    """Return what tells regions of one camera apart: a thing's place, a zone's id, nothing for the scene."""
    if source.kind == region_pb2.REGION_KIND_THING:
        return source.place_id
    is_zone = source.kind == region_pb2.REGION_KIND_ZONE and source.zone_ids
    return source.zone_ids[0] if is_zone else ""


def clocks_message(run: CameraClocks) -> alert_pb2.Clocks:
    """Return `run` as its state topic holds it."""
    return alert_pb2.Clocks(
        camera_id=run.camera_id,
        epoch=run.epoch,
        seq=run.seq,
        at_ns=run.at_ns,
        camera_state=run.state,
        clocks=[_clock_message(clock) for _, clock in sorted(run.clocks.items())],
    )


def clocks_of(message: alert_pb2.Clocks, district: str) -> CameraClocks:
    """Return what `clocks_message` wrote."""
    clocks = [_clock(clock) for clock in message.clocks]
    return CameraClocks(
        camera_id=message.camera_id,
        district=district,
        epoch=message.epoch,
        seq=message.seq,
        at_ns=message.at_ns,
        state=message.camera_state,
        clocks={(clock.rule_id, clock.subject.id): clock for clock in clocks},
    )


def subject_message(subject: Subject) -> alert_pb2.Subject:
    """Return `subject` for the wire."""
    return alert_pb2.Subject(
        over=_TO_OVER[subject.over], id=subject.id, class_name=subject.class_name, zone_ids=subject.zone_ids
    )


def _class_of(source: region_pb2.RegionSource) -> str:
    return (source.class_name or "thing") if source.kind == region_pb2.REGION_KIND_THING else ""


def _thing(thing: observation_pb2.Thing, seen: observation_pb2.Seen) -> ThingView:
    width, height = seen.frame_width_px or 1, seen.frame_height_px or 1
    return ThingView(
        place_id=thing.place_id,
        class_name=thing.class_name,
        score=thing.score,
        still_s=thing.still_s,
        attended=thing.attended if thing.HasField("attended") else None,
        zones=tuple(thing.zone_ids),
        box=(
            thing.box.left_px / width,
            thing.box.top_px / height,
            thing.box.right_px / width,
            thing.box.bottom_px / height,
        ),
    )


def _clock_message(clock: Clock) -> alert_pb2.Clock:
    return alert_pb2.Clock(
        rule_id=clock.rule_id,
        rule_version=clock.rule_version,
        subject=subject_message(clock.subject),
        state=_TO_STATE[clock.running],
        since_ns=clock.since_ns,
        gone_since_ns=clock.gone_since_ns,
        evidence_ns=clock.evidence_ns,
        is_stale=clock.is_stale,
        condition_id=clock.condition_id,
    )


def _clock(message: alert_pb2.Clock) -> Clock:
    subject = message.subject
    return Clock(
        rule_id=message.rule_id,
        rule_version=message.rule_version,
        subject=Subject(OVERS[subject.over], subject.id, subject.class_name, tuple(subject.zone_ids)),
        running=_RUNNING[message.state],
        since_ns=message.since_ns,
        gone_since_ns=message.gone_since_ns,
        evidence_ns=message.evidence_ns,
        is_stale=message.is_stale,
        condition_id=message.condition_id,
    )
