"""All clocks of one camera: what each observation, match and tick does to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lamplight_alert.clocks import Step, end, hear, lose, miss, start
from lamplight_alert.ids import condition_id
from lamplight_alert.model import NS_PER_S, Change, Clock, Over, Running, Subject, Truth
from lamplight_alert.rulebook import BoundRule
from lamplight_alert.scene import Finding, Scene, View

LIVE = "live"
# A picture that tells nothing (its gate closed) is often followed by one that does: shorter gaps are not told.
_UNKNOWN_GRACE_NS = 5 * NS_PER_S
# A source's own time is taken when it lies within 5 s of receipt: so far may a picture be ahead of ingest's word.
_SOURCE_AHEAD_NS = 5 * NS_PER_S


@dataclass(frozen=True)
class Told:
    """A change of a clock that opened or had opened; `rule` and `view` are None where they are gone."""

    clock: Clock
    change: Change
    at_ns: int
    reason: str
    rule: BoundRule | None = None
    view: View | None = None


@dataclass
class CameraClocks:
    """Where a camera stands: its newest observation, ingest's word of it, and the clocks by (rule id, subject id)."""

    camera_id: str
    district: str
    epoch: int = 0
    seq: int = 0
    at_ns: int = 0
    state: str = ""
    clocks: dict[tuple[str, str], Clock] = field(default_factory=dict)

    def refuses(self, epoch: int, at_ns: int) -> str:
        """Say why something seen in `epoch` at `at_ns` is of no use any more, or nothing."""
        if epoch < self.epoch:
            return "lower epoch"
        is_down = self.state not in {"", LIVE}
        return "older than the camera's state" if epoch == self.epoch and is_down and at_ns <= self.at_ns else ""

    def take_picture(self, epoch: int, seq: int, at_ns: int) -> str:
        """Move on to a picture, which shows that the camera is live; say why not where it is of no use."""
        refused = self.refuses(epoch, at_ns)
        if refused:
            return refused
        if epoch == self.epoch and (seq < self.seq or (seq == self.seq and seq > 0)):
            return "duplicate or out of order"
        self.epoch, self.seq, self.state = epoch, seq, LIVE
        self.at_ns = max(self.at_ns, at_ns)
        return ""

    def take_state(self, epoch: int, at_ns: int, state: str) -> str:
        """Take ingest's word of the camera; say why not where it is of no use."""
        if epoch < self.epoch:
            return "lower epoch"
        if epoch == self.epoch and at_ns + _SOURCE_AHEAD_NS < self.at_ns:
            return "older than the camera's picture"
        self.seq = self.seq if epoch == self.epoch else 0
        self.epoch, self.state = epoch, state
        self.at_ns = max(self.at_ns, at_ns)
        return ""

    def settle(self, rules: Sequence[BoundRule], zone_ids: Iterable[str], at_ns: int) -> list[Told]:
        """End what the configuration or the schedule no longer allows to run."""
        by_id = {rule.rule.id: rule for rule in rules}
        zones = frozenset(zone_ids)
        told = []
        for key, clock in list(self.clocks.items()):
            reason = _why_over(clock, by_id.get(clock.rule_id), zones, at_ns)
            if reason:
                told += self._put(key, clock, end(clock, reason), at_ns)
        return told

    def end_all(self, reason: str, at_ns: int) -> list[Told]:
        """End every clock."""
        items = list(self.clocks.items())
        return [told for key, clock in items for told in self._put(key, clock, end(clock, reason), at_ns)]

    def look(self, rules: Sequence[BoundRule], scene: Scene, at_ns: int) -> list[Told]:
        """Judge `rules` by a moment with a picture."""
        told = []
        for rule in rules:
            if rule.in_schedule(at_ns):
                told += self._judge_all(rule, scene.findings(rule.over), at_ns)
                told += self._miss_subjects(rule, scene, at_ns)
        return told

    def judge_state(self, rules: Sequence[BoundRule], scene: Scene, at_ns: int) -> list[Told]:
        """Judge rules over cameras by what is known without a picture; the rest hears nothing."""
        told = []
        for rule in rules:
            if rule.over is Over.CAMERA and rule.in_schedule(at_ns):
                known = [finding for finding in scene.findings(Over.CAMERA) if _is_known(rule, finding)]
                told += self._judge_all(rule, known, at_ns)
        return told

    def judge_matches(
        self, rule: BoundRule, found: Mapping[str, Finding], compared: Mapping[str, Subject], region: str, at_ns: int
    ) -> list[Told]:
        """Judge one rule by all that a region was compared with.

        `found` holds the matches and `compared` all compared, by subject id; `region` is the part of a subject's id
        that names the region (empty for a scene). What no longer resembles, or is no longer compared, is seen gone.
        """
        if not rule.in_schedule(at_ns):
            return []
        told = self._judge_all(rule, tuple(found.values()), at_ns)
        for key, clock in self._of(rule):
            if clock.subject.id not in found and region_of(clock.subject) == region:
                is_compared = clock.subject.id in compared
                told += self._hear(key, clock, rule, Truth.FALSE, at_ns, "" if is_compared else "no longer compared")
        return told

    def pass_time(self, rules: Sequence[BoundRule], at_ns: int) -> list[Told]:
        """Mark stale what has had no evidence for too long."""
        told = []
        for rule in rules:
            for key, clock in self._of(rule):
                reason = f"no evidence for {(at_ns - clock.evidence_ns) / NS_PER_S:.0f} s"
                told += self._put(key, clock, miss(clock, at_ns, rule.timing.gap_ns, reason), at_ns, rule)
        return told

    def lose_sight(self, rules: Sequence[BoundRule], reason: str, at_ns: int) -> list[Told]:
        """Mark stale what has no evidence of `at_ns`: the camera shows nothing."""
        told = []
        for rule in rules:
            for key, clock in self._of(rule):
                if clock.evidence_ns < at_ns or rule.over is not Over.CAMERA:
                    told += self._put(key, clock, lose(clock, reason), at_ns, rule)
        return told

    def _of(self, rule: BoundRule) -> list[tuple[tuple[str, str], Clock]]:
        return [(key, clock) for key, clock in self.clocks.items() if clock.rule_id == rule.rule.id]

    def _judge_all(self, rule: BoundRule, findings: Iterable[Finding], at_ns: int) -> list[Told]:
        return [told for finding in findings for told in self._judge(rule, finding, at_ns)]

    def _judge(self, rule: BoundRule, finding: Finding, at_ns: int) -> list[Told]:
        truth = rule.holds(finding.context)
        key = (rule.rule.id, finding.subject.id)
        clock = self.clocks.get(key)
        if clock is None:
            if truth is not Truth.TRUE:
                return []
            clock = start(rule.rule.id, rule.rule.version, finding.subject, at_ns)
        elif clock.running is Running.PENDING:
            clock = replace(clock, subject=finding.subject)
        if truth is Truth.UNKNOWN:
            return self._wonder(key, clock, rule, at_ns)
        return self._hear(key, clock, rule, truth, at_ns, view=finding.view)

    def _miss_subjects(self, rule: BoundRule, scene: Scene, at_ns: int) -> list[Told]:
        """Hear of the places that a picture does not show any more; a zone or camera is never absent."""
        told: list[Told] = []
        shown = None if scene.things is None else {thing.place_id for thing in scene.things}
        for key, clock in self._of(rule):
            place = _place_of(clock.subject)
            if not place or (shown is not None and place in shown):
                continue
            if shown is None:
                told += self._wonder(key, clock, rule, at_ns) if rule.over is Over.THING else []
            else:
                told += self._hear(key, clock, rule, Truth.FALSE, at_ns)
        return told

    def _wonder(self, key: tuple[str, str], clock: Clock, rule: BoundRule, at_ns: int) -> list[Told]:
        reason = "the pictures do not tell"
        return self._put(key, clock, miss(clock, at_ns, _UNKNOWN_GRACE_NS, reason), at_ns, rule)

    def _hear(  # noqa: PLR0917 - one door for all evidence
        self,
        key: tuple[str, str],
        clock: Clock,
        rule: BoundRule,
        truth: Truth,
        at_ns: int,
        reason: str = "",
        view: View | None = None,
    ) -> list[Told]:
        step = hear(clock, truth, at_ns, rule.timing, self._namer())
        step = replace(step, reason=reason or step.reason) if step.change is Change.CLEARED else step
        return self._put(key, clock, step, at_ns, rule, view)

    def _namer(self) -> Callable[[Clock, int], str]:
        return lambda clock, at_ns: condition_id(self.district, self.camera_id, clock, at_ns)

    def _put(
        self,
        key: tuple[str, str],
        before: Clock,
        step: Step,
        at_ns: int,
        rule: BoundRule | None = None,
        view: View | None = None,
    ) -> list[Told]:
        if step.clock is None:
            self.clocks.pop(key, None)
        else:
            self.clocks[key] = step.clock
        if step.change is None:
            return []
        return [Told(step.clock or before, step.change, at_ns, step.reason, rule, view)]


def region_of(subject: Subject) -> str:
    """Return the part of a match's subject that names the region: a zone, a place, or nothing for a scene."""
    return subject.id.partition("/")[2]


def _is_known(rule: BoundRule, finding: Finding) -> bool:
    return rule.holds(finding.context) is not Truth.UNKNOWN


def _place_of(subject: Subject) -> str:
    if subject.over is Over.THING:
        return subject.id
    return region_of(subject) if subject.over is Over.MATCH and subject.class_name else ""


def _why_over(clock: Clock, rule: BoundRule | None, zones: frozenset[str], at_ns: int) -> str:
    if rule is None:
        return "the rule was removed, or is no longer for this camera"
    if rule.rule.version != clock.rule_version:
        return "the rule was changed"
    if clock.subject.over is Over.ZONE and clock.subject.id not in zones:
        return "the zone was removed from the camera"
    return "" if rule.in_schedule(at_ns) else "the rule's schedule is over"
