"""Cameras that die, freeze, babble, refuse and come back: told in the flow within the time documented, and to rules."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping

import pytest
from ingest_actor import Actor
from ingest_world import Detect, Seen, Start, camera, serving
from lamplight.camera.v1 import camera_pb2
from lamplight.rule.v1 import rule_pb2
from lamplight_alert.bootstrap import local
from lamplight_kit.kafka.types import Record
from waits import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

SILENCE_S, STALL_S = 3.0, 2.0  # LAMPLIGHT_SOURCE_TIMEOUT_S, LAMPLIGHT_STALL_AFTER_S
SLACK_S = 4.0  # a busy machine, and a look a second
State = camera_pb2.CameraState
ACTS: Mapping[str, tuple[str, State.State, str, float]] = {
    # how it acts: the state that is to be told, for a reason with these words, within so many seconds
    "dies": ("", State.STATE_GONE, "not reached", 2.0),
    "freezes": ("freeze", State.STATE_STALLED, "no byte within|no picture for", SILENCE_S),
    "babbles": ("babble", State.STATE_STALLED, "no keyframe among them; shorten", 2 * STALL_S),
    "forgets": ("454 Session Not Found", State.STATE_GONE, "454", 4.0),
    "is-full": ("503 Service Unavailable", State.STATE_GONE, "503", 0.0),
    "is-locked": ("401 Unauthorized", State.STATE_REFUSED, "401", 0.0),
    "is-lost": ("404 Not Found", State.STATE_REFUSED, "404", 0.0),
}
FROM_THE_START = {"is-full", "is-locked", "is-lost"}
KEYS = camera_pb2.Sampling(pictures=camera_pb2.Sampling.PICTURES_KEYFRAMES, min_gap_s=0.2, max_gap_s=30)


@contextlib.contextmanager
def acting() -> Iterator[Mapping[str, Actor]]:
    """Give a camera for each way to act."""
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(Actor()) for name in ACTS}


def told_of(seen: Seen, name: str) -> Callable[[], State | None]:
    """Return what finds that a camera is told of as its act demands."""
    _, state, words, _ = ACTS[name]
    return lambda: next(filter(None, (seen.state_of(name, state, each) for each in words.split("|"))), None)


def test_what_befalls_a_camera_is_told_in_time_and_to_rules(start: Start, seen: Seen) -> None:
    """On camera-states and in the observations, with the reason; a rule over cameras opens and resolves by it."""
    cameras = [camera(name, "", sampling=KEYS) for name in ACTS]
    with serving(Detect()) as address, acting() as actors:
        for wished in cameras:
            wished.source = actors[wished.id].url
            if wished.id in FROM_THE_START:
                actors[wished.id].mode = ACTS[wished.id][0]
        worker = start("ingest-0", address, LAMPLIGHT_STALL_AFTER_S=str(STALL_S))
        until(worker.ready)
        worker.call("admin").ApplyCameras(camera_pb2.ApplyCamerasRequest(cameras=cameras), timeout=30)
        play = [name for name in ACTS if name not in FROM_THE_START]
        until(lambda: all(seen.state_of(name, State.STATE_LIVE) for name in play) or None)
        for name in FROM_THE_START:
            until(told_of(seen, name), name, SLACK_S)
        until(lambda: all(s.HasField("keyframe_interval_s") for name in play if (s := seen.state(name))) or None)

        began_s = time.monotonic()
        for name in play:
            actors[name].mode = ACTS[name][0] or "play"
        actors["dies"].die()
        for name in sorted(play, key=lambda name: ACTS[name][3]):
            until(told_of(seen, name), name, max(0.5, ACTS[name][3] + SLACK_S - (time.monotonic() - began_s)))

        for name in (*play, "is-full"):
            actors[name].mode = "play"
        actors["dies"].live_again()
        until(lambda: all(seen.state_of(name, State.STATE_LIVE) for name in (*play, "is-full")) or None)
        assert {name: seen.changes(name)[0] for name in ACTS} == dict.fromkeys(ACTS, "connecting")
        assert seen.changes("dies")[-4:] == ["live", "connecting", "gone", "live"]
        assert seen.changes("freezes")[-3:] == ["live", "stalled", "live"]
        assert seen.changes("babbles")[-3:] == ["live", "stalled", "live"]
        phases = alerts(cameras, seen)

    stays = {"is-locked", "is-lost"}
    assert phases == {name: ["opened"] if name in stays else ["opened", "resolved"] for name in ACTS}


def alerts(cameras: list[camera_pb2.Camera], seen: Seen) -> dict[str, list[str]]:
    """Return the phases of each camera's alerts, by alert's own handlers over what stands in the observations."""
    rule = rule_pb2.Rule(
        id="down",
        over=rule_pb2.OVER_CAMERA,
        when='camera.state in ["gone", "refused", "stalled"]',
        severity=rule_pb2.SEVERITY_WARNING,
    )
    handler = local([rule], cameras)
    records = [Record(record.topic, 0, 0, record.key, record.message) for record in list(seen.observations)]
    phases: dict[str, list[str]] = {}
    for out in handler.handle(records):
        if isinstance(out.message, bytes):
            data = json.loads(out.message)["data"]
            phases.setdefault(data["camera_id"], []).append(data["phase"])
    return phases
