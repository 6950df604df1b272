"""Checking what a user wrote before anything changes: every problem at once, with its path, and what is only odd."""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from lamplight.camera.v1 import camera_pb2
from lamplight.rule.v1 import rule_pb2
from lamplight_contracts.secrets import has_secret, scrub
from lamplight_contracts.selectors import selects
from lamplight_kit.errors import Problem

from lamplight_alert.conditions_check import ConditionCheck
from lamplight_alert.rulebook import OVERS

ONLY_TOPIC = "only the alerts topic is served yet: {ids} kept, nothing is delivered there"
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_ID_EXPECTED = "1 to 63 of a-z, 0-9, _ and -, the first a letter or digit,"
_MAX_S = 30 * 86_400.0
_MAX_NAME = 200
_SCHEMES: Mapping[int, tuple[str, ...]] = {
    rule_pb2.Destination.KIND_WEBHOOK: ("https", "http"),
    rule_pb2.Destination.KIND_MQTT: ("mqtts", "mqtt"),
    rule_pb2.Destination.KIND_NGSI_LD: ("https", "http"),
    rule_pb2.Destination.KIND_CAP: ("https", "http"),
    rule_pb2.Destination.KIND_FEED: ("https", "http"),
}


@dataclass(frozen=True)
class Known:
    """What rules are checked against."""

    cameras: Sequence[camera_pb2.Camera]
    destination_ids: Collection[str]
    condition: ConditionCheck
    schedule_fault: Callable[[str], str]


def check_rules(rules: Sequence[rule_pb2.Rule], known: Known) -> tuple[tuple[Problem, ...], tuple[str, ...]]:
    """Return every problem of `rules`, by path, and warnings of what is not wrong but odd."""
    problems = [*_doubles("rules", [rule.id for rule in rules])]
    warnings: list[str] = []
    for number, rule in enumerate(rules):
        problems += _rule_problems(f"rules[{number}]", rule, known)
        warnings += _rule_warnings(rule, known)
    delivering = sorted({destination for rule in rules for destination in rule.deliver})
    warnings += [ONLY_TOPIC.format(ids=", ".join(delivering))] if delivering else []
    return _told(problems), tuple(warnings)


def check_destinations(destinations: Sequence[rule_pb2.Destination]) -> tuple[tuple[Problem, ...], tuple[str, ...]]:
    """Return every problem of `destinations`, by path, and the warning that nothing is delivered yet."""
    problems = [*_doubles("destinations", [destination.id for destination in destinations])]
    for number, destination in enumerate(destinations):
        problems += _destination_problems(f"destinations[{number}]", destination)
    ids = ", ".join(scrub(destination.id, whole=True) for destination in destinations)
    return _told(problems), (ONLY_TOPIC.format(ids=ids),) if ids else ()


def _told(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(replace(each, value=scrub(each.value, whole=True)) for each in problems)


def nearest(word: str, words: Iterable[str]) -> str:
    """Return the word of `words` that is most like `word`, or nothing where none is."""
    return next(iter(difflib.get_close_matches(word, list(words), n=1)), "")


def _rule_problems(path: str, rule: rule_pb2.Rule, known: Known) -> list[Problem]:
    problems = [*_id_problems(path, rule.id), *_timing_problems(path, rule)]
    if rule.over not in OVERS:
        over = rule_pb2.Over.Name(rule.over) if rule.over in rule_pb2.Over.values() else str(rule.over)
        problems.append(Problem(f"{path}.over", over, "thing, zone, camera or match", "say what one incident is about"))
    problems += known.condition.problems(f"{path}.when", rule.when, OVERS.get(rule.over))
    if rule.severity not in {rule_pb2.SEVERITY_INFO, rule_pb2.SEVERITY_WARNING, rule_pb2.SEVERITY_CRITICAL}:
        problems.append(Problem(f"{path}.severity", str(rule.severity), "info, warning or critical", "say one"))
    fault = known.schedule_fault(rule.schedule) if rule.schedule else ""
    if fault:
        cure = f"see https://wiki.openstreetmap.org/wiki/Key:opening_hours ({fault})"
        problems.append(Problem(f"{path}.schedule", rule.schedule, "opening_hours syntax, as Mo-Fr 07:00-19:00,", cure))
    if len(rule.name) > _MAX_NAME:
        problems.append(Problem(f"{path}.name", rule.name, f"at most {_MAX_NAME} characters", "shorten it"))
    return [*problems, *_selector_problems(path, rule), *_deliver_problems(path, rule, known)]


def _timing_problems(path: str, rule: rule_pb2.Rule) -> list[Problem]:
    return [
        Problem(f"{path}.{field}", f"{seconds:g}", f"0 to {_MAX_S:.0f} seconds", "say how long")
        for field, seconds in (("for_s", rule.for_s), ("clear_s", rule.clear_s))
        if not (math.isfinite(seconds) and 0 <= seconds <= _MAX_S)
    ]


def _selector_problems(path: str, rule: rule_pb2.Rule) -> list[Problem]:
    expected, cure = "an id with *, label:word, or either after !,", "name cameras, or leave `cameras` out for all"
    return [
        Problem(f"{path}.cameras[{number}]", selector, expected, cure)
        for number, selector in enumerate(rule.cameras)
        if not selector.removeprefix("!").removeprefix("label:").strip()
    ]


def _deliver_problems(path: str, rule: rule_pb2.Rule, known: Known) -> list[Problem]:
    return [
        Problem(f"{path}.deliver[{number}]", destination, "the id of a destination", _or_apply(destination, known))
        for number, destination in enumerate(rule.deliver)
        if destination not in known.destination_ids
    ]


def _or_apply(destination: str, known: Known) -> str:
    close = nearest(destination, known.destination_ids)
    return f"did you mean {close!r}?" if close else "apply the destination first, or take it out"


def _rule_warnings(rule: rule_pb2.Rule, known: Known) -> list[str]:
    chosen = [camera for camera in known.cameras if selects(rule.cameras, camera.id, camera.labels)]
    if not chosen:
        wanted = f"by {', '.join(rule.cameras)}" if rule.cameras else "(it is for all cameras, and there is none)"
        return [f"rule {rule.id}: no camera is chosen yet {wanted}"]
    if rule.over not in OVERS:
        return []
    zones = {zone.id for camera in chosen for zone in camera.zones}
    return [f"rule {rule.id}: {words}" for words in known.condition.warnings(rule.when, zones)]


def _destination_problems(path: str, destination: rule_pb2.Destination) -> list[Problem]:
    problems = _id_problems(path, destination.id)
    schemes = _SCHEMES.get(destination.kind)
    if schemes is None:
        kinds = "webhook, mqtt, ngsi-ld, cap or feed"
        problems.append(Problem(f"{path}.kind", str(destination.kind), kinds, "say what speaks to it"))
        return problems
    return [*problems, *_address_problems(f"{path}.address", destination.address, schemes)]


def _address_problems(path: str, address: str, schemes: Sequence[str]) -> list[Problem]:
    if has_secret(address, whole=True):
        cure = "put user, password and token into a secret, and name that in `secret`"
        return [Problem(path, address, "a URL without user, password and token", cure)]
    expected = f"a URL that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}"
    try:
        url = urlsplit(address)
        host = url.hostname
        _ = url.port  # reading it checks it
    except ValueError:
        return [Problem(path, address, expected, "mend its host or port")]
    if url.scheme not in schemes or not host:
        return [Problem(path, address, expected, "mend the address")]
    return []


def _id_problems(path: str, given: str) -> list[Problem]:
    return [] if _ID.fullmatch(given) else [Problem(f"{path}.id", given, _ID_EXPECTED, "choose another id")]


def _doubles(path: str, ids: Sequence[str]) -> list[Problem]:
    several = {key for key, number in Counter(ids).items() if number > 1}
    return [
        Problem(f"{path}[{number}].id", key, "an id of its own", "rename it, or take one of them out")
        for number, key in enumerate(ids)
        if key in several and key in ids[:number]
    ]
