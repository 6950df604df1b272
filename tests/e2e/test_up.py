"""`lamplight up`, as a user types it: behind a dead proxy, with a service that is killed, twice on one folder."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from waits import until

pytestmark = [pytest.mark.integration, pytest.mark.models, pytest.mark.timeout(240)]

DARK_EVERY_S = 8.0
SUBSCRIBER = re.compile(r"```python\n(.*?)```", re.DOTALL)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def files(blinking: Any) -> Mapping[str, Path]:
    """Make a camera on a clip of four minutes, which plays as time passes, and its rule."""
    made: Mapping[str, Path] = blinking(240)[1]
    return made


@pytest.fixture(scope="module")
def system(
    tmp_path_factory: pytest.TempPathFactory, start_up: Callable[..., Any], files: Mapping[str, Path]
) -> Iterator[Any]:
    """Run the whole system for the tests of this module, which go on from each other."""
    data = tmp_path_factory.mktemp("up") / "data"
    running = start_up(data, "--cameras", files["cameras"], "--rules", files["rules"])
    running.wait_ready()
    return running


def told(system: Any) -> Sequence[Mapping[str, Any]]:
    """Return all events that a read_committed reader finds."""
    consumer = KafkaConsumer(
        bootstrap_servers=system.state["kafka"], isolation_level="read_committed", enable_auto_commit=False
    )
    try:
        topic = f"{system.state['namespace']}.alerts"
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(places)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(places)
        records: list[Any] = []
        while any(consumer.position(place) < ends[place] for place in places):
            for batch in consumer.poll(timeout_ms=200).values():
                records += batch
        return [json.loads(record.value) for record in sorted(records, key=lambda record: record.timestamp)]
    finally:
        consumer.close()


def opened(events: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return the events that opened an alert."""
    return [event for event in events if event["type"] == "lamplight.alert.opened.v1"]


def test_the_documented_subscriber_gets_an_alert(system: Any, tmp_path: Path) -> None:
    """The very lines of docs/subscribers.md, run as a program."""
    found = SUBSCRIBER.search((ROOT / "docs" / "subscribers.md").read_text(encoding="utf-8"))
    assert found is not None
    program, out = tmp_path / "subscriber.py", tmp_path / "out"
    program.write_text(found[1], encoding="utf-8")
    assert len(found[1].splitlines()) <= 22
    assert f"```python\n{found[1]}```" in (ROOT / "README.md").read_text(encoding="utf-8")
    with out.open("wb") as stream:
        environment = {**os.environ, "LAMPLIGHT_KAFKA_BOOTSTRAP_SERVERS": system.state["kafka"]}
        subscriber = subprocess.Popen([sys.executable, str(program)], env=environment, stdout=stream)
    try:
        until(lambda: " resolved blinking " in out.read_text(encoding="utf-8"), "an alert that resolved", 60)
    finally:
        subscriber.kill()
        subscriber.wait()
    first = out.read_text(encoding="utf-8").splitlines()[0]
    assert re.match(r"east/\S+/1 opened blinking \S", first)


def test_alerts_tail_prints_each_alert_as_a_line(system: Any, lamplight: Callable[..., Any]) -> None:
    """JSON on stdout and nothing else; the fields of the design; the picture is in the evidence store."""
    answer = lamplight("alerts", "tail", "--json", "--for", "4", "--data", system.data)
    assert answer.status == 0
    first, *_ = answer.lines
    assert (first["kind"], first["phase"], first["rule_id"], first["camera_id"]) == (
        "alert", "opened", "dark", "blinking",
    )  # fmt: skip
    assert (first["over"], first["severity"], first["event"]["specversion"]) == ("camera", "warning", "1.0")
    # Of what came before the first canary no picture left: on a busy machine the first alert may cite none.
    picture = system.data / "evidence" / next(line["picture"] for line in answer.lines if line["picture"])
    assert lamplight("redact", "--verify", picture, "--data", system.data, "--json").lines[0]["verified"]


def test_the_page_opens_with_the_printed_link_alone(system: Any) -> None:
    """The link carries the token; without one REST answers nobody."""
    link = re.search(r"the page is (http://127\.0\.0\.1:\d+/)#token=(\S+)", system.said)
    assert link is not None
    import httpx

    with httpx.Client(base_url=link[1], trust_env=False) as client:
        assert client.get("/").status_code == 200
        assert client.get("/api/v1/cameras").status_code == 401
        known = client.get("/api/v1/cameras", headers={"Authorization": f"Bearer {link[2]}"})
    assert known.status_code == 200


def test_what_was_applied_is_listed(system: Any, lamplight: Callable[..., Any]) -> None:
    """Cameras with their state, rules with their condition."""
    (camera,) = lamplight("camera", "list", "--json", "--data", system.data).lines
    assert (camera["id"], camera["state"], camera["district"]) == ("blinking", "live", "east")
    (rule,) = lamplight("rule", "list", "--json", "--data", system.data).lines
    assert (rule["id"], rule["over"], rule["when"]) == ("dark", "camera", '"dark" in camera.health')
    assert lamplight("deadletter", "list", "--json", "--data", system.data).lines == []


def test_what_a_service_refuses_has_the_users_line(
    system: Any, lamplight: Callable[..., Any], files: Mapping[str, Path], tmp_path: Path
) -> None:
    """Exit status 2, and nothing changed."""
    path = tmp_path / "rules.yaml"
    path.write_text(files["rules"].read_text(encoding="utf-8").replace("camera.health", "camera.helth"), "utf-8")
    answer = lamplight("rule", "apply", path, "--data", system.data)
    assert (answer.status, answer.out) == (2, "")
    assert f"{path}:6: rules[0].when: " in answer.err
    missing = lamplight("camera", "remove", "blinkin", "--data", system.data)
    assert missing.status == 2
    assert "blinking" in missing.err


def test_a_dead_letter_is_looked_at_replayed_and_dropped(system: Any, lamplight: Callable[..., Any]) -> None:
    """Bytes that are no region never stop embed: the operator reads why, sends them once more, and gives up."""
    producer = KafkaProducer(bootstrap_servers=system.state["kafka"])
    headers = [("type", b"lamplight.region.v1.Region"), ("major", b"1")]
    producer.send(f"{system.state['namespace']}.regions", b"\xff\xff", b"blinking", headers=headers).get(20)
    producer.close()

    def letters() -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = lamplight("deadletter", "list", "--json", "--data", system.data).lines
        return found

    def only_letter() -> Mapping[str, Any]:
        return until(lambda: next(iter(letters()), None), "a letter", 40)

    first = only_letter()
    assert (first["stage"], first["topic"], first["key"], first["attempts"]) == ("embed", "regions", "blinking", 1)
    at = ("embed", first["letter"], "--json", "--data", system.data)
    assert (
        lamplight("deadletter", "show", *at).lines[0]["content"] == "<2 bytes that are no lamplight.region.v1.Region>"
    )
    assert lamplight("deadletter", "replay", *at).lines[0]["replayed"]
    second = until(lambda: next((one for one in letters() if one["letter"] != first["letter"]), None), "it again", 40)
    assert (second["key"], second["partition"]) == (first["key"], first["partition"])
    assert second["offset"] > first["offset"]
    again = ("embed", second["letter"], "--json", "--data", system.data)
    assert lamplight("deadletter", "drop", *again).lines[0]["dropped"]
    assert letters() == []
    gone = lamplight("deadletter", "show", *again)
    assert gone.status == 2
    assert second["letter"] in gone.err


def test_a_second_up_on_the_folder_is_refused(system: Any, lamplight: Callable[..., Any]) -> None:
    """It names the process that holds the folder, and harms nothing."""
    answer = lamplight("up", "--data", system.data, "--for", "1")
    assert answer.status != 0
    assert f"in use by process {system.process.pid}" in answer.err
    assert system.process.poll() is None


def test_a_killed_service_comes_back_and_nothing_is_told_twice(system: Any) -> None:
    """Alert dies by SIGKILL while the camera blinks: every dark time is told once, in order, also those meanwhile."""
    before = len(opened(told(system)))
    victim = system.child("lamplight_alert")
    victim.kill()
    until(lambda: re.search(r"alert +waiting +.*status -9; starts again", system.said), "word of the death", 20)
    until(lambda: re.search(r"alert +ready +.*1 restart", system.said), "the restart", 60)
    assert system.child("lamplight_alert").pid != victim.pid
    until(lambda: len(opened(told(system))) >= before + 3, "three more alerts", 120)
    events = told(system)
    assert len({event["id"] for event in events}) == len(events)
    by_alert = defaultdict(list)
    for event in events:
        by_alert[event["subject"]].append(event["data"])
    for revisions in by_alert.values():
        assert [alert["revision"] for alert in revisions] == list(range(1, len(revisions) + 1))
        assert revisions[0]["phase"] == "opened"
    times = [datetime.fromisoformat(event["data"]["opened_at"]).timestamp() for event in opened(events)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == [pytest.approx(DARK_EVERY_S, abs=1.5)] * len(gaps)


def test_ctrl_c_drains_and_leaves_nothing(system: Any, lamplight: Callable[..., Any]) -> None:
    """Services first, Kafka last; no process is left, and other commands say that nothing runs."""
    children = system.children()
    assert len(children) >= 8
    system.process.send_signal(signal.SIGINT)
    assert system.process.wait(90) == 0
    gone, alive = psutil.wait_procs(children, timeout=5)
    assert [each.pid for each in alive] == []
    assert len(gone) == len(children)
    assert "killed" not in system.said
    ended = re.findall(r"^(\w+) +ended", system.said, re.MULTILINE)
    assert ended[-1] == "kafka"
    answer = lamplight("camera", "list", "--data", system.data)
    assert answer.status == 2
    assert "no running `lamplight up`" in answer.err


def test_a_second_up_finds_its_data_and_a_killed_one_leaves_nothing(
    system: Any, start_up: Callable[..., Any], lamplight: Callable[..., Any]
) -> None:
    """Camera, rule and alerts are there again, the token is the same; SIGKILL ends every process with its parent."""
    token = (system.data / "token").read_text(encoding="utf-8")
    again = start_up(system.data)
    again.wait_ready()
    (camera,) = lamplight("camera", "list", "--json", "--data", again.data).lines
    (rule,) = lamplight("rule", "list", "--json", "--data", again.data).lines
    assert (camera["id"], rule["id"]) == ("blinking", "dark")
    known = {event["id"] for event in told(again)}
    assert len(known) > 6
    assert (again.data / "token").read_text(encoding="utf-8") == token
    until(lambda: {event["id"] for event in told(again)} > known, "a new alert", 60)
    children = again.children()
    again.process.kill()
    again.process.wait()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert [each.cmdline() for each in alive] == []
