"""What the console is told."""

from __future__ import annotations

from lamplight_kit.settings import ServiceSettings
from pydantic import Field


class ConsoleSettings(ServiceSettings):
    """Settings of the console."""

    page_listen: str = Field(default="127.0.0.1:0", description="host:port of the page and REST; port 0: any.")
    history_hours: float = Field(default=24, gt=0, le=720, description="How far back ended alerts are shown, hours.")
    history_alerts: int = Field(default=2_000, ge=10, le=100_000, description="How many ended alerts are kept at most.")
