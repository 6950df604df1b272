"""A change of a clock as the topic `conditions` tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lamplight.alert.v1 import alert_pb2
from lamplight.camera.v1 import camera_pb2

from lamplight_alert.camera_clocks import Told
from lamplight_alert.convert import subject_message
from lamplight_alert.ids import district_of, local_id
from lamplight_alert.model import NS_PER_S, Change
from lamplight_alert.sentences import resolved, summary

_CHANGES: Mapping[Change, alert_pb2.Condition.Change.ValueType] = {
    Change.OPENED: alert_pb2.Condition.CHANGE_OPENED,
    Change.CLEARED: alert_pb2.Condition.CHANGE_CLEARED,
    Change.STALE: alert_pb2.Condition.CHANGE_STALE,
    Change.RESUMED: alert_pb2.Condition.CHANGE_RESUMED,
}


@dataclass(frozen=True)
class Picture:
    """A stored picture: its key (empty where there is none) and when it was taken, Unix nanoseconds."""

    key: str
    at_ns: int


def condition_message(told: Told, camera: camera_pb2.Camera | None, picture: Picture) -> alert_pb2.Condition:
    """Return `told` for the wire; `camera` is None where it was removed, and only what its clock holds is said."""
    message = alert_pb2.Condition(
        condition_id=local_id(told.clock.condition_id),
        change=_CHANGES[told.change],
        rule_id=told.clock.rule_id,
        rule_version=told.clock.rule_version,
        district=district_of(told.clock.condition_id),
        subject=subject_message(told.clock.subject),
        since_ns=told.clock.since_ns,
        at_ns=told.at_ns,
        picture_key=picture.key,
        picture_at_ns=picture.at_ns,
        reason=told.reason,
    )
    if camera is not None:
        _add_camera(message, camera)
    if told.rule is not None:
        _add_rule(message, told)
    return message


def _add_camera(message: alert_pb2.Condition, camera: camera_pb2.Camera) -> None:
    message.camera_id = camera.id
    message.camera_name = camera.name or camera.id
    message.labels.extend(camera.labels)
    if camera.HasField("place"):
        message.place.CopyFrom(camera.place)


def _add_rule(message: alert_pb2.Condition, told: Told) -> None:
    if told.rule is None:
        return
    message.rule_name = told.rule.name
    message.severity = told.rule.rule.severity
    message.deliver.extend(told.rule.rule.deliver)
    if told.change is Change.OPENED and told.view is not None:
        zones = told.clock.subject.zone_ids
        message.summary = summary(told.rule.name, message.camera_name, told.view, zones)
    elif told.change is Change.CLEARED:
        message.summary = _resolved(told, told.rule.name, message.camera_name)


def _resolved(told: Told, rule_name: str, camera_name: str) -> str:
    clock = told.clock
    held_s = ((clock.gone_since_ns or told.at_ns) - clock.since_ns) / NS_PER_S
    return resolved(rule_name, camera_name, clock.subject.class_name, clock.subject.zone_ids, held_s, told.reason)
