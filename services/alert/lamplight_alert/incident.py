"""The life of an incident: what a condition makes of the alert that tells it. One condition is one incident."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.timestamp_pb2 import Timestamp
from lamplight.alert.v1 import alert_pb2
from lamplight.rule.v1 import rule_pb2

from lamplight_alert.model import NS_PER_S
from lamplight_alert.sentences import resolved

_MAX_PICTURES = 8
_OVERS: Mapping[int, str] = {
    rule_pb2.OVER_THING: "thing",
    rule_pb2.OVER_ZONE: "zone",
    rule_pb2.OVER_CAMERA: "camera",
    rule_pb2.OVER_MATCH: "match",
}
_SEVERITIES: Mapping[int, str] = {
    rule_pb2.SEVERITY_INFO: "info",
    rule_pb2.SEVERITY_WARNING: "warning",
    rule_pb2.SEVERITY_CRITICAL: "critical",
}


def alert_id(condition: alert_pb2.Condition) -> str:
    """Return `<district>/<condition id>`."""
    return f"{condition.district}/{condition.condition_id}"


def opened(condition: alert_pb2.Condition) -> alert_pb2.Alert:
    """Return the first revision."""
    alert = alert_pb2.Alert(
        alert_id=alert_id(condition),
        revision=1,
        phase="opened",
        rule_id=condition.rule_id,
        rule_name=condition.rule_name,
        camera_id=condition.camera_id,
        camera_name=condition.camera_name,
        district=condition.district,
        over=_OVERS[condition.subject.over],
        subject=condition.subject,
        severity=_SEVERITIES.get(condition.severity, "info"),
        summary=condition.summary,
        since=_timestamp(condition.since_ns),
        opened_at=_timestamp(condition.at_ns),
        at=_timestamp(condition.at_ns),
        deliver=condition.deliver,
        labels=condition.labels,
    )
    if condition.HasField("place"):
        alert.place.CopyFrom(condition.place)
    _cite(alert, condition)
    return alert


def changed(alert: alert_pb2.Alert, condition: alert_pb2.Condition) -> alert_pb2.Alert:
    """Return the next revision of `alert`, as a later change of its condition makes it."""
    after = alert_pb2.Alert()
    after.CopyFrom(alert)
    is_cleared = condition.change == alert_pb2.Condition.CHANGE_CLEARED
    after.revision += 1
    after.phase = "resolved" if is_cleared else "updated"
    # Evidence may be older than the tick that marked the alert stale: a revision is never older than the one before.
    after.at.CopyFrom(_timestamp(max(condition.at_ns, alert.at.ToNanoseconds())))
    after.reason = condition.reason
    after.is_stale = condition.change == alert_pb2.Condition.CHANGE_STALE
    if is_cleared:
        after.resolved_at.CopyFrom(after.at)
        after.summary = condition.summary or _ended(after)
    _cite(after, condition)
    return after


def _ended(alert: alert_pb2.Alert) -> str:
    """Say that `alert` is over where its rule or camera, and with it their names, are gone."""
    subject, held_ns = alert.subject, alert.at.ToNanoseconds() - alert.since.ToNanoseconds()
    zones = list(subject.zone_ids)
    return resolved(alert.rule_name, alert.camera_name, subject.class_name, zones, held_ns / NS_PER_S, alert.reason)


def _cite(alert: alert_pb2.Alert, condition: alert_pb2.Condition) -> None:
    """Add the condition's picture where it is new; the first and the newest ones are kept."""
    if not condition.picture_key or condition.picture_key in {picture.key for picture in alert.pictures}:
        return
    alert.pictures.add(key=condition.picture_key, at=_timestamp(condition.picture_at_ns))
    if len(alert.pictures) > _MAX_PICTURES:
        del alert.pictures[1]


def _timestamp(at_ns: int) -> Timestamp:
    at = Timestamp()
    at.FromNanoseconds(at_ns)
    return at
