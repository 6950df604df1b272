"""What CEL sees: the names of each scope, with a sample of each, and the values of a moment.

A value that is not known is absent: whatever CEL needs it for is then unknown, not false. Counts hold every countable
class, at 0 where there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lamplight_alert.model import Over

Scope = Mapping[str, object]

CAMERA_STATES = ("connecting", "live", "stalled", "refused", "gone")
HEALTH_WORDS = ("dark", "card", "broken")

# Each name with a sample of its type; a trial on them finds what has the wrong type. `counts` holds any class.
SAMPLES: Mapping[str, Mapping[str, object]] = {
    "thing": {
        "class_name": "car",
        "score": 0.9,
        "still_s": 30.0,
        "attended": True,
        "zones": ["zone"],
        "box": {"left": 0.1, "top": 0.2, "right": 0.3, "bottom": 0.4},
    },
    "zone": {"id": "zone", "counts": {}},
    "match": {"situation_id": "situation", "score": 0.9, "margin": 0.2, "zones": ["zone"]},
    "camera": {"id": "camera", "labels": ["label"], "state": "live", "counts": {}, "health": ["dark"]},
}


def names_of(over: Over | None) -> tuple[str, ...]:
    """Return the scopes that a rule over `over` sees: its own, and always `camera`; all where `over` is not known."""
    if over is None:
        return tuple(SAMPLES)
    return ("camera",) if over is Over.CAMERA else (over.value, "camera")


def sample(over: Over | None, classes: Iterable[str]) -> dict[str, object]:
    """Return a scope of `over` in which every name is known and every one of `classes` is counted."""
    counts = dict.fromkeys(classes, 1)
    return {
        name: {field: counts if field == "counts" else value for field, value in SAMPLES[name].items()}
        for name in names_of(over)
    }


@dataclass(frozen=True)
class CameraView:
    """What is known of a camera at a moment; None is unknown."""

    id: str
    labels: tuple[str, ...]
    state: str
    counts: Mapping[str, int] | None = None
    health: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ThingView:
    """A thing that stands at a place; `box` holds left, top, right, bottom as fractions of the picture."""

    place_id: str
    class_name: str
    score: float
    still_s: float
    attended: bool | None
    zones: tuple[str, ...]
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class ZoneView:
    """A zone and what it holds; None is unknown."""

    id: str
    counts: Mapping[str, int] | None


@dataclass(frozen=True)
class MatchView:
    """A region that resembles a situation."""

    situation_id: str
    score: float
    margin: float
    zones: tuple[str, ...]


def camera_scope(camera: CameraView, zeros: Mapping[str, int]) -> dict[str, object]:
    """Return what CEL sees as `camera`; `zeros` holds every countable class at 0."""
    known = {"id": camera.id, "labels": list(camera.labels), "state": camera.state, "health": _listed(camera.health)}
    return _without_unknown({**known, "counts": _counted(camera.counts, zeros)})


def thing_scope(thing: ThingView) -> dict[str, object]:
    """Return what CEL sees as `thing`."""
    return _without_unknown(
        {
            "class_name": thing.class_name,
            "score": thing.score,
            "still_s": thing.still_s,
            "attended": thing.attended,
            "zones": list(thing.zones),
            "box": dict(zip(("left", "top", "right", "bottom"), thing.box, strict=True)),
        }
    )


def zone_scope(zone: ZoneView, zeros: Mapping[str, int]) -> dict[str, object]:
    """Return what CEL sees as `zone`; `zeros` holds every countable class at 0."""
    return _without_unknown({"id": zone.id, "counts": _counted(zone.counts, zeros)})


def match_scope(match: MatchView) -> dict[str, object]:
    """Return what CEL sees as `match`."""
    return {
        "situation_id": match.situation_id,
        "score": match.score,
        "margin": match.margin,
        "zones": list(match.zones),
    }


def _counted(counts: Mapping[str, int] | None, zeros: Mapping[str, int]) -> dict[str, int] | None:
    return None if counts is None else {**zeros, **counts}


def _listed(words: tuple[str, ...] | None) -> list[str] | None:
    return None if words is None else list(words)


def _without_unknown(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
