"""What alert counts, for Prometheus."""

from __future__ import annotations

from lamplight.alert.v1 import alert_pb2
from lamplight_kit.metrics import Counter

TOLD = Counter("lamplight_alert_told_total", "Alerts told, retried batches included.", ["phase", "severity"])
DROPPED = Counter("lamplight_alert_observations_dropped_total", "Observations of no use any more.", ["reason"])


def told(alert: alert_pb2.Alert) -> None:
    """Count an alert."""
    TOLD.labels(alert.phase, alert.severity).inc()


def dropped(reason: str) -> None:
    """Count an observation that was of no use."""
    DROPPED.labels(reason).inc()
