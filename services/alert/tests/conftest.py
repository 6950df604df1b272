"""What alert's tests share: a camera, and short ways to say what was seen of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from google.protobuf.message import Message
from lamplight.camera.v1 import camera_pb2
from lamplight.match.v1 import match_pb2
from lamplight.observation.v1 import observation_pb2
from lamplight.region.v1 import region_pb2
from lamplight.rule.v1 import rule_pb2
from lamplight_alert.bootstrap import conditions_handler
from lamplight_alert.classes import COUNTABLE
from lamplight_alert.handlers.conditions import ConditionsHandler, Tables
from lamplight_kit.kafka.types import Outgoing, Record

NS = 1_000_000_000
START_NS = 1_700_000_000 * NS  # a Tuesday, 22:13:20 UTC


class Rows:
    """A table that a test changes by hand."""

    def __init__(self, **rows: Message) -> None:
        """Start with `rows`."""
        self.rows = dict(rows)

    def get(self, key: str) -> Message | None:
        """Return a row, or None."""
        return self.rows.get(key)

    def items(self) -> Mapping[str, Message]:
        """Return every row."""
        return dict(self.rows)

    def wait_ready(self, timeout_s: float) -> bool:
        """Say that all is there."""
        return True


class World:
    """One camera, its rules, and the conditions' handler; times are seconds after `START_NS`."""

    def __init__(self) -> None:
        """Start with the camera and no rule."""
        self.camera = camera_pb2.Camera(
            id="canal-12",
            name="Canal Road underpass",
            district="east",
            labels=["underpass"],
            zones=[camera_pb2.Zone(id="bus_lane")],
            time_zone="Europe/London",
            sampling=camera_pb2.Sampling(max_gap_s=10),
            place=camera_pb2.GeoPlace(lon=-0.09, lat=51.52),
        )
        self.cameras = Rows(**{"canal-12": self.camera})
        self.rules, self.states = Rows(), Rows()
        self.handler = self.fresh_handler()
        self._seq = 0

    def fresh_handler(self) -> ConditionsHandler:
        """Return a handler that knows nothing yet."""
        return conditions_handler(Tables(self.cameras, self.states, self.rules), COUNTABLE)

    def rule(self, over: str, when: str, **fields: Any) -> rule_pb2.Rule:
        """Put a rule in force."""
        given: dict[str, Any] = {"id": "rule", "severity": rule_pb2.SEVERITY_WARNING, "version": 1, **fields}
        made = rule_pb2.Rule(over=rule_pb2.Over.Value(f"OVER_{over.upper()}"), when=when, **given)
        self.rules.rows[made.id] = made
        return made

    def feed(self, *records: Record) -> list[Any]:
        """Handle records and return the conditions that changed."""
        return [out.message for out in self.handle(*records) if out.topic == "conditions"]

    def handle(self, *records: Record) -> Sequence[Outgoing]:
        """Handle records and return all that is written."""
        return self.handler.handle(records)

    def seen(self, at_s: float, **fields: Any) -> Record:
        """Return an observation of a picture with the next number."""
        self._seq += 1
        return seen(at_s, **{"seq": self._seq, **fields})


def seen(
    at_s: float,
    *,
    seq: int,
    epoch: int = 1,
    things: Sequence[observation_pb2.Thing] = (),
    counts: Mapping[str, int] | None = None,
    zones: Mapping[str, Mapping[str, int]] | None = None,
    health: Sequence[str] = (),
    gate_closed: str = "",
) -> Record:
    """Return what detect says of a picture, which is stored as `picture-<at_s>`."""
    message = observation_pb2.Seen(
        camera_id="canal-12",
        epoch=epoch,
        seq=seq,
        at_ns=at(at_s),
        frame_height_px=480,
        frame_width_px=640,
        things=things,
        health=[observation_pb2.Health.Value(f"HEALTH_{word.upper()}") for word in health],
        picture_key=f"picture-{at_s:g}",
        picture_at_ns=at(at_s),
        gate_closed=gate_closed,
    )
    if not gate_closed:
        message.counts.by_class.update(counts or {})
        message.counts.SetInParent()
        for zone_id in ("bus_lane",):
            zone = message.zones.add(zone_id=zone_id)
            zone.counts.by_class.update((zones or {}).get(zone_id, {}))
            zone.counts.SetInParent()
    return _record(observation_pb2.Observation(seen=message))


def car(still_s: float, place_id: str = "place-1", class_name: str = "car") -> observation_pb2.Thing:
    """Return a thing that stands in the bus lane."""
    box = observation_pb2.Box(left_px=64, top_px=240, right_px=320, bottom_px=480)
    return observation_pb2.Thing(
        class_name=class_name, still_s=still_s, place_id=place_id, zone_ids=["bus_lane"], score=0.8, box=box
    )


def state(at_s: float, word: str, *, epoch: int = 1) -> Record:
    """Return ingest's word of the camera."""
    changed = observation_pb2.StateChanged(camera_id="canal-12", epoch=epoch, at_ns=at(at_s), state=word)
    return _record(observation_pb2.Observation(state_changed=changed))


def tick(at_s: float) -> Record:
    """Return a second of ingest's."""
    return _record(observation_pb2.Observation(tick=observation_pb2.Tick(at_ns=at(at_s))))


def matches(at_s: float, *situations: str, compared: Sequence[str] = ("flood",), **source: Any) -> Record:
    """Return what a region of the camera was compared with, and the situations that it resembles."""
    given: dict[str, Any] = {"kind": region_pb2.REGION_KIND_SCENE, "epoch": 1, **source}
    message = match_pb2.Matches(
        source=region_pb2.RegionSource(camera_id="canal-12", at_ns=at(at_s), picture_key=f"picture-{at_s:g}", **given),
        compared_situation_ids=compared,
        matches=[match_pb2.Match(situation_id=situation, score=0.9, margin=0.3) for situation in situations],
    )
    return Record("matches", 0, 0, "canal-12", message)


def at(at_s: float) -> int:
    """Return a time in Unix nanoseconds."""
    return START_NS + round(at_s * NS)


def event_of(out: Outgoing) -> dict[str, Any]:
    """Return the CloudEvent that is written."""
    assert isinstance(out.message, bytes)
    event: dict[str, Any] = json.loads(out.message)
    return event


def _record(message: observation_pb2.Observation) -> Record:
    return Record("observations", 0, 0, "canal-12", message)


@pytest.fixture(scope="session")
def film() -> Any:
    """Give this module's ways to say what was seen."""
    return sys.modules[__name__]


@pytest.fixture
def world() -> World:
    """Give a camera without rules."""
    return World()
