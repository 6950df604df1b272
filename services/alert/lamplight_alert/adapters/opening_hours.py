"""Schedules by the package opening-hours-py, read in the camera's time zone and at its place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from lamplight.camera.v1 import camera_pb2
from opening_hours import OpeningHours, ParserError  # type: ignore[attr-defined]  # its stub leaves the error out

from lamplight_alert.model import NS_PER_S

_UTC = ZoneInfo("UTC")


def compile_schedule(schedule: str, camera: camera_pb2.Camera) -> Callable[[int], bool]:
    """Return whether a time (Unix ns) is in `schedule`; an empty one is always on. ParserError where it is malformed.

    Where the camera's place is known, sunrise, sunset and public holidays (PH) are those of the place.
    """
    if not schedule:
        return lambda _at_ns: True
    place = (camera.place.lat, camera.place.lon) if camera.HasField("place") else None
    hours = _hours(schedule, camera.time_zone or "UTC", place)
    return lambda at_ns: hours.is_open(_time(at_ns))


def fault(schedule: str) -> str:
    """Say in words what is wrong with `schedule`, or nothing."""
    try:
        OpeningHours(schedule)
    except ParserError as error:
        return " ".join(str(error).split())
    return ""


def _time(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).replace(tzinfo=_UTC)


@lru_cache(maxsize=4096)
def _hours(schedule: str, time_zone: str, place: tuple[float, float] | None) -> OpeningHours:
    return OpeningHours(schedule, timezone=ZoneInfo(time_zone), coords=place)
