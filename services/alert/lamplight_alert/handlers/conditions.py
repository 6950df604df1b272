"""The second stage: observations and matches move each camera's clocks, whose changes are conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from lamplight.alert.v1 import alert_pb2
from lamplight.camera.v1 import camera_pb2
from lamplight.match.v1 import match_pb2
from lamplight.observation.v1 import observation_pb2
from lamplight.rule.v1 import rule_pb2
from lamplight_kit.errors import Retry
from lamplight_kit.kafka.types import Outgoing, Record, TableView

from lamplight_alert.camera_clocks import LIVE, CameraClocks, Told
from lamplight_alert.condition_message import Picture, condition_message
from lamplight_alert.convert import (
    camera_view,
    clocks_message,
    clocks_of,
    match_subject,
    match_view,
    region_name,
    thing_views,
    zone_views,
)
from lamplight_alert.ids import district_of
from lamplight_alert.model import Over
from lamplight_alert.rulebook import BoundRule, Rulebook
from lamplight_alert.scene import Lens, Prepare, Scene

_TABLES_WAIT_S = 5.0
_NO_PICTURE = Picture("", 0)


@dataclass
class _Held:
    """A camera's clocks with what is not kept: its last picture, and what was last written."""

    run: CameraClocks
    picture: Picture = _NO_PICTURE
    written: alert_pb2.Clocks | None = None
    camera: camera_pb2.Camera | None = None


@dataclass(frozen=True)
class Tables:
    """What is read whole: cameras, what ingest says of them, and rules."""

    cameras: TableView
    states: TableView
    rules: TableView

    def are_ready(self, timeout_s: float) -> bool:
        """Wait at most `timeout_s` for each until all have been read."""
        return all(table.wait_ready(timeout_s) for table in (self.cameras, self.states, self.rules))


class ConditionsHandler:
    """Moves clocks by observations, matches and ticks; pure but for its state, which `clocks` holds."""

    def __init__(
        self,
        rulebook: Rulebook,
        prepare: Prepare,
        tables: Tables,
        on_dropped: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        """Read `tables` whole; `on_dropped` hears why an observation was of no use."""
        self._rulebook = rulebook
        self._prepare = prepare
        self._lens = Lens(prepare, {})
        self._cameras = tables.cameras
        self._tables = tables
        self._on_dropped = on_dropped
        self._held: dict[int, dict[str, _Held]] = {}

    def restore(self, partition: int, records: Sequence[Record]) -> None:
        """Take back the clocks of `partition`."""
        held: dict[str, _Held] = {}
        for record in records:
            if record.message is None:
                held.pop(record.key, None)
            else:
                message = cast("alert_pb2.Clocks", record.message)
                held[record.key] = _Held(clocks_of(message, _district(message)), written=message)
        self._held[partition] = held

    def forget(self, partition: int) -> None:
        """Drop the clocks of `partition`."""
        self._held.pop(partition, None)

    def handle(self, batch: Sequence[Record]) -> Sequence[Outgoing]:
        """Return the conditions that changed, in order, then the clocks that did; Retry until the tables are read."""
        if not self._tables.are_ready(_TABLES_WAIT_S):
            message = "cameras, their states and rules are not all read yet; is Kafka there?"
            raise Retry(message)
        self._rulebook.update(cast("dict[str, rule_pb2.Rule]", dict(self._tables.rules.items())))
        self._lens = Lens(self._prepare, self._rulebook.zeros)
        told: list[Outgoing] = []
        for record in batch:
            told += self._handle(record)
        partitions = sorted({record.partition for record in batch})
        return [*told, *(clocks for partition in partitions for clocks in self._changed(partition))]

    def _handle(self, record: Record) -> Iterable[Outgoing]:
        if record.message is None:
            return ()
        if record.topic == "matches":
            return self._matches(record.partition, cast("match_pb2.Matches", record.message))
        observation = cast("observation_pb2.Observation", record.message)
        kind = observation.WhichOneof("kind")
        if kind == "seen":
            return self._seen(record.partition, observation.seen)
        if kind == "state_changed":
            return self._state_changed(record.partition, observation.state_changed)
        return self._tick(record.partition, observation.tick) if kind == "tick" else self._drop("unknown kind")

    def _seen(self, partition: int, seen: observation_pb2.Seen) -> Iterable[Outgoing]:
        held, camera = self._of(partition, seen.camera_id)
        if camera is None:
            return [*self._drop("unknown camera"), *_removed(held, seen.at_ns)]
        refused = held.run.take_picture(seen.epoch, seen.seq, seen.at_ns)
        if refused:
            return self._drop(refused)
        if seen.picture_key:
            held.picture = Picture(seen.picture_key, seen.picture_at_ns)
        rules = self._rules_of(camera)
        scene = Scene(self._lens, camera_view(camera, LIVE, seen), thing_views(seen), zone_views(camera, seen))
        told = held.run.settle(rules, _zone_ids(camera), seen.at_ns)
        told += held.run.look(rules, scene, seen.at_ns)
        told += held.run.pass_time(rules, seen.at_ns)
        return _outgoing(held, told)

    def _state_changed(self, partition: int, changed: observation_pb2.StateChanged) -> Iterable[Outgoing]:
        held, camera = self._of(partition, changed.camera_id)
        refused = held.run.take_state(changed.epoch, changed.at_ns, changed.state)
        if refused:
            return self._drop(refused)
        if camera is None:
            # Kept for the moment that its configuration, on its way by another topic, arrives.
            return _removed(held, changed.at_ns)
        rules = self._rules_of(camera)
        told = held.run.settle(rules, _zone_ids(camera), changed.at_ns)
        told += held.run.judge_state(rules, self._without_picture(held, camera), changed.at_ns)
        if changed.state != LIVE:
            words = f"the camera is {changed.state}" + (f": {changed.reason}" if changed.reason else "")
            told += held.run.lose_sight(rules, words, changed.at_ns)
        return _outgoing(held, told)

    def _tick(self, partition: int, tick: observation_pb2.Tick) -> Iterable[Outgoing]:
        cameras = sorted(self._held.get(partition, {}))
        return [out for camera_id in cameras for out in self._tick_camera(partition, camera_id, tick.at_ns)]

    def _tick_camera(self, partition: int, camera_id: str, at_ns: int) -> Iterable[Outgoing]:
        held, camera = self._of(partition, camera_id)
        if camera is None:
            return _removed(held, at_ns)
        rules = self._rules_of(camera)
        told = held.run.settle(rules, _zone_ids(camera), at_ns)
        if held.run.state:
            told += held.run.judge_state(rules, self._without_picture(held, camera), at_ns)
        told += held.run.pass_time(rules, at_ns)
        return _outgoing(held, told)

    def _matches(self, partition: int, matches: match_pb2.Matches) -> Iterable[Outgoing]:
        source = matches.source
        if not source.camera_id:
            return ()  # an example of a situation, which is no camera's
        held, camera = self._of(partition, source.camera_id)
        if camera is None:
            return [*self._drop("unknown camera"), *_removed(held, source.at_ns)]
        refused = held.run.refuses(source.epoch, source.at_ns)
        if refused:
            return self._drop(refused)
        rules = self._rules_of(camera)
        told = held.run.settle(rules, _zone_ids(camera), source.at_ns)
        told += self._judge_matches(held, rules, camera, matches)
        picture = Picture(source.picture_key, source.at_ns) if source.picture_key else held.picture
        return _outgoing(held, told, picture)

    def _judge_matches(
        self, held: _Held, rules: Sequence[BoundRule], camera: camera_pb2.Camera, matches: match_pb2.Matches
    ) -> list[Told]:
        source = matches.source
        compared = [match_subject(situation_id, source) for situation_id in matches.compared_situation_ids]
        scene = self._without_picture(held, camera)
        found = [
            scene.match(subject, match_view(match, source))
            for match in matches.matches
            if (subject := match_subject(match.situation_id, source)) is not None
        ]
        return [
            told
            for rule in rules
            if rule.over is Over.MATCH
            for told in held.run.judge_matches(
                rule,
                {finding.subject.id: finding for finding in found},
                {subject.id: subject for subject in compared if subject is not None},
                region_name(source),
                source.at_ns,
            )
        ]

    def _rules_of(self, camera: camera_pb2.Camera) -> tuple[BoundRule, ...]:
        """Return the rules that `camera` is under, timed by how often its pictures come."""
        state = cast("camera_pb2.CameraState | None", self._tables.states.get(camera.id))
        return self._rulebook.of(camera, state.keyframe_interval_s if state is not None else 0.0)

    def _without_picture(self, held: _Held, camera: camera_pb2.Camera) -> Scene:
        return Scene(self._lens, camera_view(camera, held.run.state))

    def _of(self, partition: int, camera_id: str) -> tuple[_Held, camera_pb2.Camera | None]:
        """Return what is held of a camera, made where there is none, and its configuration if it has one."""
        camera = cast("camera_pb2.Camera | None", self._cameras.get(camera_id))
        of_partition = self._held.setdefault(partition, {})
        held = of_partition.get(camera_id)
        if held is None:
            held = of_partition[camera_id] = _Held(CameraClocks(camera_id, ""))
        if camera is not None:
            held.run.district = camera.district
            held.camera = camera
        return held, camera

    def _drop(self, reason: str) -> Iterable[Outgoing]:
        self._on_dropped(reason)
        return ()

    def _changed(self, partition: int) -> list[Outgoing]:
        """Return the clocks of `partition` that differ from what was last written; a removed camera's tombstone."""
        changed = []
        of_partition = self._held.get(partition, {})
        for camera_id, held in sorted(of_partition.items()):
            if self._cameras.get(camera_id) is None:
                if held.written is not None:
                    held.written = None
                    changed.append(Outgoing("clocks", camera_id, None, partition))
                if not held.run.state:
                    del of_partition[camera_id]
            elif _is_worth_writing(held):
                held.written = clocks_message(held.run)
                changed.append(Outgoing("clocks", camera_id, held.written, partition))
        return changed


def _is_worth_writing(held: _Held) -> bool:
    """Tell whether clocks run or ran, or ingest's word has changed; an idle camera's sequence alone is not worth it."""
    run, written = held.run, held.written
    if written is None:
        return bool(run.clocks) or bool(run.state)
    is_same_word = (written.epoch, written.camera_state) == (run.epoch, run.state)
    if not run.clocks and not written.clocks and is_same_word:
        return False
    return written != clocks_message(run)


def _removed(held: _Held, at_ns: int) -> list[Outgoing]:
    """End all clocks of a camera that is not, or no longer, configured."""
    return _outgoing(held, held.run.end_all("the camera was removed", at_ns))


def _outgoing(held: _Held, told: Iterable[Told], picture: Picture | None = None) -> list[Outgoing]:
    cited = picture or held.picture
    return [
        Outgoing("conditions", district_of(one.clock.condition_id), condition_message(one, held.camera, cited))
        for one in told
    ]


def _zone_ids(camera: camera_pb2.Camera) -> tuple[str, ...]:
    return tuple(zone.id for zone in camera.zones)


def _district(message: alert_pb2.Clocks) -> str:
    return next((district_of(clock.condition_id) for clock in message.clocks if clock.condition_id), "")
