"""The third stage: conditions open, change and resolve incidents, each told as an alert."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from lamplight.alert.v1 import alert_pb2
from lamplight_kit.kafka.types import Outgoing, Record

from lamplight_alert import incident
from lamplight_alert.cloud_events import encoded, headers


class IncidentsHandler:
    """Keeps what is open, and tells every change of it once; its state is the topic `incidents`."""

    def __init__(self, namespace: str, on_told: Callable[[alert_pb2.Alert], None] = lambda _alert: None) -> None:
        """Name the source of the events by `namespace`; `on_told` hears each alert that is told."""
        self._namespace = namespace
        self._on_told = on_told
        self._open: dict[int, dict[str, alert_pb2.Incident]] = {}

    def restore(self, partition: int, records: Sequence[Record]) -> None:
        """Take back the open incidents of `partition`."""
        held: dict[str, alert_pb2.Incident] = {}
        for record in records:
            if record.message is None:
                held.pop(record.key, None)
            else:
                held[record.key] = cast("alert_pb2.Incident", record.message)
        self._open[partition] = held

    def forget(self, partition: int) -> None:
        """Drop the incidents of `partition`."""
        self._open.pop(partition, None)

    def handle(self, batch: Sequence[Record]) -> Sequence[Outgoing]:
        """Return the incidents and alerts that the conditions make, in order."""
        return [
            out
            for record in batch
            if record.message is not None
            for out in self._handle(record.partition, cast("alert_pb2.Condition", record.message))
        ]

    def _handle(self, partition: int, condition: alert_pb2.Condition) -> Sequence[Outgoing]:
        held = self._open.setdefault(partition, {})
        key = incident.alert_id(condition)
        before = held.get(key)
        is_opening = condition.change == alert_pb2.Condition.CHANGE_OPENED
        if (before is not None) == is_opening:
            return ()  # opened twice, or a change of what is not open: told before
        alert = incident.opened(condition) if before is None else incident.changed(before.alert, condition)
        self._on_told(alert)
        if alert.phase == "resolved":
            del held[key]
            return self._told(partition, alert, None)
        held[key] = alert_pb2.Incident(alert=alert, open_condition_ids=[condition.condition_id])
        return self._told(partition, alert, held[key])

    def _told(self, partition: int, alert: alert_pb2.Alert, after: alert_pb2.Incident | None) -> Sequence[Outgoing]:
        """Write state, event and what is open now, all in the partition of the district."""
        event, marks, key = encoded(self._namespace, alert), headers(alert), alert.alert_id
        current = Outgoing("alerts.current", key, event if after else None, partition, marks if after else {})
        return (
            Outgoing("incidents", key, after, partition),
            Outgoing("alerts", key, event, partition, marks),
            current,
        )
