"""What alert is told."""

from __future__ import annotations

from lamplight_kit.settings import ServiceSettings
from pydantic import Field

from lamplight_alert.classes import COUNTABLE


class AlertSettings(ServiceSettings):
    """Settings of alert."""

    countable_classes: tuple[str, ...] = Field(
        default=COUNTABLE,
        description="Classes that counts hold at 0 where there is none, as the models' manifests say.",
    )
    apply_timeout_s: float = Field(
        default=15.0, gt=0, le=300, description="How long a call waits until what it changed is in force, seconds."
    )
