"""What the console knows: alerts by id, as they were last told. Pure; no thread, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Alert = Mapping[str, Any]
"""The data of a CloudEvent: an Alert by its proto names, times as RFC 3339."""

RESOLVED = "resolved"


@dataclass
class AlertBook:
    """Alerts by id, the newest revision of each; ended ones kept up to `keep_ended`, the oldest dropped first."""

    keep_ended: int
    _alerts: dict[str, Alert] = field(default_factory=dict)

    def tell(self, alert: Alert) -> bool:
        """Take one revision; False where the same or a newer one was told before (it is then ignored)."""
        alert_id = str(alert["alert_id"])
        known = self._alerts.get(alert_id)
        if known is not None and int(known["revision"]) >= int(alert["revision"]):
            return False
        self._alerts[alert_id] = alert
        self._drop_oldest()
        return True

    def get(self, alert_id: str) -> Alert | None:
        """Return the newest revision of an alert, or None."""
        return self._alerts.get(alert_id)

    def newest(self, *, open_only: bool, camera_id: str, limit: int) -> Sequence[Alert]:
        """Return at most `limit` alerts, open ones first, then by the time of their last change, newest first."""
        wanted = [
            alert
            for alert in self._alerts.values()
            if not (open_only and _ended(alert)) and camera_id in ("", alert["camera_id"])
        ]
        return sorted(wanted, key=lambda alert: (not _ended(alert), str(alert["at"])), reverse=True)[:limit]

    def _drop_oldest(self) -> None:
        ended = [alert_id for alert_id, alert in self._alerts.items() if _ended(alert)]
        for alert_id in ended[: max(0, len(ended) - self.keep_ended)]:
            del self._alerts[alert_id]


def _ended(alert: Alert) -> bool:
    return bool(alert["phase"] == RESOLVED)
