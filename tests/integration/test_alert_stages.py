"""Alert as it is run: a process on a real broker, killed while observations pass, tells each change once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import grpc
import httpx
import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from lamplight.camera.v1 import camera_pb2
from lamplight.observation.v1 import observation_pb2
from lamplight.rule.v1 import rule_pb2, rule_pb2_grpc
from lamplight_alert.bootstrap import local
from lamplight_kit.kafka import BusSettings, KafkaOutbox, Table, Tables, Tail, create_topics
from lamplight_kit.kafka.types import Outgoing, Record
from lamplight_kit.rpc import blocking_channel, problems_of, sha256_of
from waits import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

NS = 1_000_000_000
START_NS = 1_700_000_000 * NS
TOKEN = "let-me-change"
Found = TypeVar("Found")

CAMERAS = [
    camera_pb2.Camera(
        id=f"canal-{number}",
        name=f"Canal Road {number}",
        district=("east", "west")[number % 2],
        zones=[camera_pb2.Zone(id="bus_lane")],
        sampling=camera_pb2.Sampling(max_gap_s=10),
        version=1,
    )
    for number in range(4)
]
RULES = [
    rule_pb2.Rule(
        id="standing",
        cameras=["canal-*"],
        over=rule_pb2.OVER_THING,
        when='thing.class_name == "car" && thing.still_s >= 2',
        clear_s=2,
        severity=rule_pb2.SEVERITY_WARNING,
    ),
    rule_pb2.Rule(
        id="crowd",
        over=rule_pb2.OVER_ZONE,
        when="zone.counts.person > 3",
        for_s=2,
        severity=rule_pb2.SEVERITY_INFO,
    ),
]


@dataclass
class Told:
    """What a read_committed reader of alert's topics sees."""

    rules: Table
    current: Table
    events: list[dict[str, Any]] = field(default_factory=list)

    def take(self, record: Record) -> None:
        """Keep an alert's event."""
        assert isinstance(record.message, BytesValue)
        event = json.loads(record.message.value)
        assert record.key == event["subject"]
        assert record.headers["type"] == event["type"]
        self.events.append(event)

    def holds(self, number: int) -> bool:
        """Tell whether so many events were told."""
        return len(self.events) >= number

    def phases(self) -> list[str]:
        """Return the phases told, in order."""
        return [event["data"]["phase"] for event in self.events]


class Alert:
    """The service as a process of its own, which a test may kill and start again."""

    def __init__(self, bus: BusSettings, folder: Path) -> None:
        """Keep its files in `folder`."""
        self._ports, tokens = folder / "ports.json", folder / "tokens.yaml"
        tokens.write_text(f"- {{name: tester, role: admin, token_sha256: {sha256_of(TOKEN)}}}\n", encoding="utf-8")
        self._environment = {
            **os.environ,
            "LAMPLIGHT_KAFKA_BOOTSTRAP_SERVERS": bus.bootstrap_servers,
            "LAMPLIGHT_NAMESPACE": bus.namespace,
            "LAMPLIGHT_REPLICA": "alert-0",
            "LAMPLIGHT_TOKENS_FILE": str(tokens),
            "LAMPLIGHT_PORTS_FILE": str(self._ports),
            "LAMPLIGHT_LOG_LEVEL": "warning",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._ports.unlink(missing_ok=True)
        self.process = subprocess.Popen([sys.executable, "-m", "lamplight_alert"], env=self._environment)
        until(self._ports.exists)

    def is_ready(self) -> bool:
        """Tell whether every part of it is ready, as a supervisor would ask."""
        port = json.loads(self._ports.read_text(encoding="utf-8"))["http"]
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == httpx.codes.OK

    def kill(self) -> None:
        """End it without a word."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def drain(self) -> int:
        """Ask it to end; return its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)

    @contextlib.contextmanager
    def rules(self) -> Iterator[rule_pb2_grpc.RuleServiceStub]:
        """Give a way in to RuleService."""
        port = json.loads(self._ports.read_text(encoding="utf-8"))["grpc"]
        with blocking_channel(f"127.0.0.1:{port}", TOKEN) as channel:
            yield rule_pb2_grpc.RuleServiceStub(channel)

    def apply(self, rules: Sequence[rule_pb2.Rule]) -> rule_pb2.ApplyRulesResponse:
        """Apply rules."""
        with self.rules() as stub:
            return stub.ApplyRules(rule_pb2.ApplyRulesRequest(rules=rules), timeout=30)


@pytest.fixture
def bus(kafka: str, namespace: str) -> BusSettings:
    """Give a place on a broker with all topics."""
    bus = BusSettings(kafka, namespace, "tester")
    create_topics(bus)
    return bus


@pytest.fixture
def feeder(bus: BusSettings) -> Iterator[KafkaOutbox]:
    """Give a way to write what ingest and detect write, with the cameras written."""
    outbox = KafkaOutbox(bus, "feeder", ["cameras", "observations"])
    outbox.start()
    outbox.put([Outgoing("cameras", camera.id, camera) for camera in CAMERAS])
    yield outbox
    outbox.stop(10)


@pytest.fixture
def told(bus: BusSettings) -> Iterator[Told]:
    """Follow what alert writes."""
    told = Told(Table("rules"), Table("alerts.current"))
    tables = Tables(bus, [told.rules, told.current, Tail("alerts", told.take)])
    tables.start()
    assert told.current.wait_ready(30)
    until(lambda: tables.unready() is None)
    yield told
    tables.stop(10)


@pytest.fixture
def alert(bus: BusSettings, feeder: KafkaOutbox, tmp_path: Path) -> Iterator[Alert]:
    """Give the service, started."""
    alert = Alert(bus, tmp_path)
    try:
        alert.start()
        until(alert.is_ready)
        yield alert
    finally:
        if alert.process is not None and alert.process.poll() is None:
            alert.kill()


def seen(camera: camera_pb2.Camera, at_s: int) -> observation_pb2.Observation:
    """Return what detect says: of every twenty seconds a car stands for ten, and four of them with a crowd."""
    moment = at_s % 20
    message = observation_pb2.Seen(
        camera_id=camera.id,
        epoch=1,
        seq=at_s + 1,
        at_ns=START_NS + at_s * NS,
        frame_height_px=480,
        frame_width_px=640,
        picture_key=f"{camera.id}/{at_s}",
        picture_at_ns=START_NS + at_s * NS,
    )
    crowd = {"person": 5} if 3 <= moment < 7 else {}
    message.counts.by_class.update(crowd)
    message.counts.SetInParent()
    zone = message.zones.add(zone_id="bus_lane")
    zone.counts.by_class.update(crowd)
    zone.counts.SetInParent()
    if moment < 10:
        message.things.add(class_name="car", still_s=moment, place_id=f"p{at_s // 20}", zone_ids=["bus_lane"])
    return observation_pb2.Observation(seen=message)


def rehearsed(observations: Sequence[tuple[camera_pb2.Camera, observation_pb2.Observation]]) -> list[dict[str, Any]]:
    """Return the events that the same stages tell in one process."""
    handler = local(RULES, CAMERAS, namespace="rehearsal")
    records = [Record("observations", 0, 0, camera.id, message) for camera, message in observations]
    return [json.loads(out.message) for out in handler.handle(records) if isinstance(out.message, bytes)]


def by_alert(events: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the data of events, in order, by alert."""
    found: dict[str, list[Any]] = {}
    for event in events:
        found.setdefault(event["subject"], []).append(event["data"])
    return found


def test_killed_while_observations_pass_each_change_is_told_once(alert: Alert, feeder: KafkaOutbox, told: Told) -> None:
    """Killed twice at any line, alert tells exactly what one process tells that is never disturbed."""
    answer = alert.apply(RULES)
    assert [rule.version for rule in answer.rules] == [1, 1]
    observations = [(camera, seen(camera, at_s)) for at_s in range(66) for camera in CAMERAS]
    expected = rehearsed(observations)
    assert len(expected) > 40
    feeding = threading.Thread(target=_feed, args=(feeder, observations))
    feeding.start()
    for share in (4, 2):
        wanted = len(expected) // share
        until(partial(told.holds, wanted))
        alert.kill()
        alert.start()
    feeding.join()
    until(partial(told.holds, len(expected)))
    open_now = {event["subject"] for event in expected if event["data"]["phase"] == "opened"} - {
        event["subject"] for event in expected if event["data"]["phase"] == "resolved"
    }
    assert open_now
    until(lambda: set(told.current.items()) == open_now)
    assert alert.drain() == 0
    assert len({event["id"] for event in told.events}) == len(told.events)
    assert by_alert(told.events) == by_alert(expected)


def _feed(feeder: KafkaOutbox, observations: Sequence[tuple[camera_pb2.Camera, observation_pb2.Observation]]) -> None:
    for start in range(0, len(observations), 20):
        feeder.put([Outgoing("observations", camera.id, seen) for camera, seen in observations[start : start + 20]])
        time.sleep(0.2)  # paces what is fed, so that the kills fall into it


def test_a_rule_from_apply_to_removal(alert: Alert, feeder: KafkaOutbox, told: Told) -> None:
    """A bad rule changes nothing; a good one is in force when the call answers; removed, ticks resolve its alerts."""
    info = rule_pb2.SEVERITY_INFO
    with pytest.raises(grpc.RpcError) as refused:
        alert.apply([rule_pb2.Rule(id="bad", over=rule_pb2.OVER_THING, when="thing.scor > 1", severity=info)])
    assert [problem.cure for problem in problems_of(refused.value)] == ["did you mean thing.score?"]
    alert.apply(RULES[:1])
    camera = CAMERAS[0]
    feeder.put([Outgoing("observations", camera.id, seen(camera, at_s)) for at_s in range(4)])
    until(lambda: told.phases() == ["opened"])
    assert told.events[0]["data"]["summary"] == "A car has stood in bus_lane on Canal Road 0 for 2 s (standing)."
    with alert.rules() as stub:
        assert [rule.id for rule in stub.ListRules(rule_pb2.ListRulesRequest()).rules] == ["standing"]
        stub.RemoveRule(rule_pb2.RemoveRuleRequest(rule_id="standing"))
    tick = observation_pb2.Tick(at_ns=START_NS + 4 * NS, worker="ingest-0")
    feeder.put([Outgoing("observations", "", observation_pb2.Observation(tick=tick), place) for place in range(12)])
    until(lambda: told.phases() == ["opened", "resolved"])
    assert told.events[1]["data"]["reason"].startswith("the rule was removed")
    until(lambda: not told.current.items())
