"""What is to be seen, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lamplight_alert.scene import View
from lamplight_alert.scopes import CameraView, MatchView, ThingView, ZoneView

_HEALTH = {"dark": "a dark picture", "card": "a card instead of a scene", "broken": "a broken picture"}

# Of the default models' classes, those whose plural is not made by `s` or `es`.
_PLURALS = {
    "person": "people",
    "sheep": "sheep",
    "mouse": "mice",
    "knife": "knives",
    "skis": "skis",
    "scissors": "scissors",
    "broccoli": "broccoli",
}


def summary(rule_name: str, camera_name: str, view: View, zone_ids: Sequence[str]) -> str:
    """Say what was seen when a rule opened, as in `A car has stood in bus_lane on Canal Road for 20 s (rule)`."""
    if isinstance(view, ThingView):
        return f"{_thing(view, camera_name)} ({rule_name})."
    if isinstance(view, ZoneView):
        return f"{rule_name}: {view.id} on {camera_name} holds {_counts(view.counts)}."
    if isinstance(view, MatchView):
        where = f"{_listed(zone_ids)} on {camera_name}" if zone_ids else camera_name
        return f"{rule_name}: {where} resembles {view.situation_id} (score {view.score:.2f})."
    return f"{rule_name}: {camera_name} {_camera(view)}."


def resolved(
    rule_name: str, camera_name: str, class_name: str, zone_ids: Sequence[str], held_s: float, reason: str
) -> str:
    """Say that a rule no longer holds, as in `Standing: a car in bus_lane on Canal Road, over after 34 s in all; gone`.

    `class_name` is empty where it is not about a thing; `held_s` is how long the rule held.
    """
    where = f"{_listed(zone_ids)} on {camera_name}" if zone_ids else camera_name
    if class_name:
        where = f"{_article(class_name).lower()} {class_name} {'in' if zone_ids else 'on'} {where}"
    ending = f"; {reason}" if reason else ""
    return f"{rule_name}: {where}, over after {duration(held_s)} in all{ending}."


def _thing(thing: ThingView, camera_name: str) -> str:
    where = f"in {_listed(thing.zones)} on {camera_name}" if thing.zones else f"on {camera_name}"
    subject = f"{_article(thing.class_name)} {thing.class_name}"
    if thing.still_s < 1:
        return f"{subject} stands {where}"
    return f"{subject} has stood {where} for {duration(thing.still_s)}"


def _camera(camera: CameraView) -> str:
    if camera.state != "live":
        return f"is {camera.state or 'unknown'}"
    if camera.health:
        return f"shows {_listed([_HEALTH.get(word, word) for word in camera.health])}"
    return f"holds {_counts(camera.counts)}" if camera.counts else "is live"


def _counts(counts: Mapping[str, int] | None) -> str:
    held = [
        f"{number} {name if number == 1 else _plural(name)}"
        for name, number in sorted((counts or {}).items())
        if number
    ]
    return _listed(held) if held else "nothing that is counted"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _plural(noun: str) -> str:
    if noun in _PLURALS:
        return _PLURALS[noun]
    return f"{noun}es" if noun.endswith(("s", "sh", "ch", "x")) else f"{noun}s"


def _article(noun: str) -> str:
    return "An" if noun[:1].lower() in set("aeiou") else "A"


def duration(seconds: float) -> str:
    """Say a time as people do: seconds below two minutes, minutes below two hours, else hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
