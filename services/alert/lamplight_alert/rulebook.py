"""The rules in force, compiled once, and which of them each camera is under."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lamplight.camera.v1 import camera_pb2
from lamplight.rule.v1 import rule_pb2
from lamplight_contracts.selectors import selects

from lamplight_alert.expressions import counted_classes, takes_counts_whole
from lamplight_alert.model import NS_PER_S, Over, Timing, Truth

Condition = Callable[[object], Truth]
InSchedule = Callable[[int], bool]
Compile = Callable[[str], Condition]
CompileSchedule = Callable[[str, camera_pb2.Camera], InSchedule]

# A source is sampled at the latest every `max_gap_s`, or at each keyframe where these are further apart, so one lost
# picture must not make a clock stale; 5 s more for what lies between a picture and its observation, and for a source's
# clock (taken when within 5 s of receipt).
_SLACK_NS = 5 * NS_PER_S
_DEFAULT_MAX_GAP_S = 30.0
_DEFAULT_EVIDENCE_EVERY_S = 300.0

OVERS: Mapping[int, Over] = {
    rule_pb2.OVER_THING: Over.THING,
    rule_pb2.OVER_ZONE: Over.ZONE,
    rule_pb2.OVER_CAMERA: Over.CAMERA,
    rule_pb2.OVER_MATCH: Over.MATCH,
}


@dataclass(frozen=True)
class BoundRule:
    """A rule as it stands for one camera: compiled, in its time zone, with its timing."""

    rule: rule_pb2.Rule
    over: Over
    holds: Condition
    in_schedule: InSchedule
    timing: Timing

    @property
    def name(self) -> str:
        """What people call it."""
        return self.rule.name or self.rule.id


class Rulebook:
    """Compiles each version of a rule once, and remembers which rules each version of a camera is under."""

    def __init__(
        self, compile_condition: Compile, compile_schedule: CompileSchedule, countable: Iterable[str] = ()
    ) -> None:
        """Take what compiles CEL and opening hours, and the classes that count 0 where there is none."""
        self._countable = tuple(countable)
        self.zeros: Mapping[str, int] = {}
        self._compile_condition = compile_condition
        self._compile_schedule = compile_schedule
        self._rules: dict[str, tuple[rule_pb2.Rule, Condition]] = {}
        self._bound: dict[str, tuple[camera_pb2.Camera, int, tuple[BoundRule, ...]]] = {}

    def update(self, rules: Mapping[str, rule_pb2.Rule]) -> None:
        """Take `rules` as those in force; compiles only what is new or has changed."""
        unchanged = {key: held for key, held in self._rules.items() if rules.get(key) == held[0]}
        if len(unchanged) == len(rules) == len(self._rules):
            return
        fresh = {key: (rule, self._compile_condition(rule.when)) for key, rule in rules.items() if key not in unchanged}
        self._rules = {**unchanged, **fresh}
        self._bound = {}
        self.zeros = dict.fromkeys(self._classes(), 0)

    def of(self, camera: camera_pb2.Camera, keyframe_interval_s: float = 0.0) -> tuple[BoundRule, ...]:
        """Return the rules that `camera` is under, by id; its keyframes come so often, 0 where that is not known."""
        # In whole seconds, since each new measure would bind them anew.
        interval_s = math.ceil(keyframe_interval_s)
        held = self._bound.get(camera.id)
        if held is None or held[:2] != (camera, interval_s):
            held = (camera, interval_s, self._bind(camera, interval_s))
            self._bound[camera.id] = held
        return held[2]

    def _classes(self) -> Iterable[str]:
        """Return the classes that counts must hold: those that rules name, be they of another model than the default.

        All countable ones only where a rule looks at counts as a whole: handing a map to CEL costs by its size.
        """
        conditions = [rule.when for rule, _ in self._rules.values()]
        named = [name for when in conditions for name in counted_classes(when)]
        return [*named, *(self._countable if any(map(takes_counts_whole, conditions)) else ())]

    def _bind(self, camera: camera_pb2.Camera, keyframe_interval_s: int) -> tuple[BoundRule, ...]:
        chosen = sorted(self._rules.items())
        return tuple(
            BoundRule(
                rule=rule,
                over=OVERS[rule.over],
                holds=holds,
                in_schedule=self._compile_schedule(rule.schedule, camera),
                timing=_timing(rule, camera, keyframe_interval_s),
            )
            for _, (rule, holds) in chosen
            if selects(rule.cameras, camera.id, camera.labels)
        )


def _timing(rule: rule_pb2.Rule, camera: camera_pb2.Camera, keyframe_interval_s: int) -> Timing:
    evidence_every_s = camera.evidence_every_s or _DEFAULT_EVIDENCE_EVERY_S
    takes_all = camera.sampling.pictures == camera_pb2.Sampling.PICTURES_ALL
    sampled_s = max(camera.sampling.max_gap_s or _DEFAULT_MAX_GAP_S, 0 if takes_all else keyframe_interval_s)
    every_s = max(sampled_s, evidence_every_s) if rule.over == rule_pb2.OVER_MATCH else sampled_s
    return Timing(
        for_ns=round(rule.for_s * NS_PER_S),
        clear_ns=round(rule.clear_s * NS_PER_S),
        gap_ns=round(2 * every_s * NS_PER_S) + _SLACK_NS,
    )
