"""The whole flow in one process, over files, as fast as it goes: where to read how Lamplight works, from top to bottom.

    a file ──► ingest ──Frame──► detect ──┬─ observations ──────────────────────────► alert ──► alerts
                                          └─ regions ──► embed ──► embeddings ──► match ─┘ matches

The stages are the services' own handlers, found by the entry points `lamplight.local`; under Kafka each runs in a
process of its own, and a topic lies where here a record is handed on. Nothing is kept, and every run tells the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

from lamplight.camera.v1 import camera_pb2
from lamplight.command.v1 import command_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight.match.v1 import match_pb2
from lamplight.observation.v1 import observation_pb2
from lamplight.rule.v1 import rule_pb2
from lamplight.situation.v1 import situation_pb2
from lamplight_contracts.selectors import selects
from lamplight_kit.errors import BadInput, Problem, Refuse, SettingsError, Skip
from lamplight_kit.hardening import harden
from lamplight_kit.kafka.types import Outgoing, Record
from lamplight_kit.seal import KeyRing

from lamplight_cli.files.situations import SituationFolder
from lamplight_cli.lines import alert_line, match_line, observation_line

GROUP = "lamplight.local"
NS_PER_S = 1_000_000_000
Line = Mapping[str, Any]


def stage(name: str) -> Callable[..., Any]:
    """Return the function `local` of the service called `name`; `SettingsError` where it is not installed.

    From here on this process holds raw pictures: it is hardened as detect's own is.
    """
    harden()
    for entry in entry_points(group=GROUP, name=name):
        loaded: Callable[..., Any] = entry.load()
        return loaded
    message = f"service {name}: not installed here; `make setup`, or `pip install lamplight-{name}`"
    raise SettingsError(message)


@dataclass(frozen=True)
class Wanted:
    """What to watch for: a camera a source, rules, situations; `store` keeps redacted pictures (None: nobody does)."""

    cameras: Sequence[camera_pb2.Camera]
    rules: Sequence[rule_pb2.Rule] = ()
    situations: Sequence[SituationFolder] = ()
    store: Any = None


def watch(wanted: Wanted, warn: Callable[[str], None]) -> Iterator[Line]:
    """Yield the lines of docs/design.md: observations, matches and alerts as they come, a summary a source last.

    Raises `BadInput` where rules or situations cannot be taken; `warn` hears what is odd.
    """
    flow = Flow(wanted, warn)
    flow.enrol(wanted.situations)
    replay = stage("ingest")(wanted.cameras)
    for frame in replay.frames():
        yield from flow.pass_on(frame)
    yield from flow.end()
    for summary in replay.summaries():
        refusals = flow.refusals[summary.camera_id]
        all_refused = summary.frames > 0 and refusals.count == summary.frames
        yield {
            "kind": "summary",
            "camera_id": summary.camera_id,
            "frames": summary.frames,
            "dropped": summary.dropped,
            "refused": refusals.count,
            "seconds": round(summary.seconds, 3),
            "error": refusals.first if all_refused and summary.error is None else summary.error,
        }


@dataclass
class Refusals:
    """Pictures of a source that could not be decoded."""

    count: int = 0
    first: str = ""
    last: str = ""


class Flow:
    """The stages in a row, each message handed on by hand."""

    def __init__(self, wanted: Wanted, warn: Callable[[str], None]) -> None:
        """Make every stage; those that nothing needs are left out."""
        self._cameras = {camera.id: camera for camera in wanted.cameras}
        self.refusals = {camera.id: Refusals() for camera in wanted.cameras}
        self._warn = warn
        self._clock = Clock()
        zones = {camera.id: _zones(camera, wanted.situations) for camera in wanted.cameras}
        self._detect = stage("detect")(store=wanted.store, situation_zones=lambda camera_id: zones[camera_id])
        self._embed = self._match = None
        if wanted.situations:
            keys = KeyRing()
            keys.add(self._detect.key)
            self._embed = stage("embed")(keys=keys)
            self._match = stage("match")(cameras=wanted.cameras)
        self._alert = stage("alert")(wanted.rules, wanted.cameras)
        for warning in self._alert.warnings:
            warn(warning)

    def pass_on(self, frame: frame_pb2.Frame) -> Iterator[Line]:
        """Yield what one frame leads to, through all stages."""
        first_ns = self._clock.first_ns(frame)
        result = self._detect.detector.handle(frame, self._cameras[frame.camera_id])
        if result.verdict.outcome == frame_pb2.Verdict.OUTCOME_REFUSED:
            self._refused(frame, result.verdict.reason)
        yield from self._handed_on(result.records, first_ns)

    def end(self) -> Iterator[Line]:
        """Yield what the last pictures lead to, which wait for a next one."""
        for camera_id in self._cameras:
            records = self._detect.detector.flush(camera_id).records
            yield from self._handed_on(records, self._clock.start_ns(camera_id))

    def _handed_on(self, records: Sequence[Outgoing], first_ns: int) -> Iterator[Line]:
        for record in records:
            if record.topic == "observations":
                yield from self._observed(record, first_ns)
        for record in records:
            if record.topic == "regions" and self._match is not None:
                yield from self._compared(record, first_ns)

    def enrol(self, folders: Sequence[SituationFolder]) -> None:
        """Redact and embed every example, as an upload would be, then enrol the situations."""
        problems: list[Problem] = []
        for folder in folders:
            situation = situation_pb2.Situation()
            situation.CopyFrom(folder.situation)
            for example in folder.examples:
                enrolment = frame_pb2.Enrolment(
                    situation_id=situation.id,
                    reference_id=example.reference_id,
                    is_counter_example=example.is_counter_example,
                )
                key = f"local/{situation.id}/{example.reference_id}"
                data = example.path.read_bytes()
                result, region = self._detect.redactor.example(data, 0, enrolment, lambda _jpeg, key=key: key)
                if region is None:
                    expected, cure = "a picture that the gate releases", "choose another picture"
                    problems.append(Problem("", result.refused, expected, cure, str(example.path), 1))
                    continue
                self._through_match(Outgoing("regions", situation.id, region))
                situation.references.add(
                    reference_id=example.reference_id, picture_key=key, is_counter_example=example.is_counter_example
                )
            if not problems:
                problems.extend(self._enrolled(situation, str(folder.examples[0].path.parent.parent)))
        if problems:
            raise BadInput(tuple(problems))

    def _refused(self, frame: frame_pb2.Frame, reason: str) -> None:
        """Count it; say each reason once while it lasts."""
        refusals = self.refusals[frame.camera_id]
        if refusals.last != reason:
            self._warn(f"{frame.camera_id}: picture {frame.seq} refused: {reason}")
        refusals.count, refusals.last = refusals.count + 1, reason
        refusals.first = refusals.first or reason

    def _observed(self, record: Outgoing, first_ns: int) -> Iterator[Line]:
        observation = record.message
        assert isinstance(observation, observation_pb2.Observation)  # noqa: S101 - the contract of its topic
        yield observation_line(observation.seen, first_ns)
        for tick in self._clock.ticks(observation.seen.at_ns):
            yield from self._told(Outgoing("observations", "", tick), first_ns)
        yield from self._told(record, first_ns)

    def _compared(self, region: Outgoing, first_ns: int) -> Iterator[Line]:
        for record in self._through_match(region):
            if isinstance(record.message, match_pb2.Matches):
                for match in record.message.matches:
                    yield match_line(record.message, match, first_ns)
                yield from self._told(record, first_ns)

    def _through_match(self, region: Outgoing) -> Sequence[Outgoing]:
        embeddings = self._handed(self._embed, region)
        return [out for embedding in embeddings for out in self._handed(self._match, embedding)]

    def _told(self, record: Outgoing, first_ns: int) -> Iterator[Line]:
        for told in self._handed(self._alert, record):
            if isinstance(told.message, bytes):
                yield alert_line(told.message, first_ns)

    def _enrolled(self, situation: situation_pb2.Situation, path: str) -> Sequence[Problem]:
        command = command_pb2.Command(command_id=f"local-{situation.id}", actor="local", enrol_situation=situation)
        written = self._handed(self._match, Outgoing("commands", situation.id, command))
        states = [out.message for out in written if isinstance(out.message, situation_pb2.Situation)]
        if states and states[-1].state == situation_pb2.Situation.STATE_READY:
            return ()
        reason = states[-1].reason if states else "it did not become ready"
        return (Problem("", reason, "a situation that can be compared with", "choose other examples", path, 1),)

    def _handed(self, handler: Any, outgoing: Outgoing) -> Sequence[Outgoing]:
        """Give a stage the message as its topic would; what can never be handled is said and left."""
        record = Record(outgoing.topic, 0, self._clock.next_offset(), outgoing.key, outgoing.message)  # type: ignore[arg-type]  # no bytes go on
        try:
            written: Sequence[Outgoing] = handler.handle([record])
        except Skip:
            return ()
        except Refuse as error:
            self._warn(f"{outgoing.topic}: {error}")
            return ()
        return written


@dataclass
class Clock:
    """The time of a replay: each source's first picture, and the ticks that ingest would have sent in between."""

    _first_ns: dict[str, int] = field(default_factory=dict)
    _ticked_s: int = 0
    _offset: int = -1

    def first_ns(self, frame: frame_pb2.Frame) -> int:
        """Return when the first picture of the frame's source was taken."""
        return self._first_ns.setdefault(frame.camera_id, frame.at_ns)

    def start_ns(self, camera_id: str) -> int:
        """Return when a camera's first picture was taken, 0 where there was none."""
        return self._first_ns.get(camera_id, 0)

    def ticks(self, at_ns: int) -> Iterator[observation_pb2.Observation]:
        """Yield a tick for every whole second since the last one, up to `at_ns`; time never goes back."""
        now_s = at_ns // NS_PER_S
        for second in range((self._ticked_s or now_s) + 1, now_s + 1):
            yield observation_pb2.Observation(tick=observation_pb2.Tick(at_ns=second * NS_PER_S, worker="local"))
        self._ticked_s = max(self._ticked_s, now_s)

    def next_offset(self) -> int:
        """Return the offset that the next message would have had."""
        self._offset += 1
        return self._offset


def _zones(camera: camera_pb2.Camera, folders: Sequence[SituationFolder]) -> frozenset[str]:
    """Return the zones of a camera that any situation looks at."""
    wanted = [folder.situation for folder in folders if selects(folder.situation.cameras, camera.id, camera.labels)]
    return frozenset(zone_id for situation in wanted for zone_id in situation.zone_ids)
