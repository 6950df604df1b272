"""Where cameras are watched: shared among workers, handed over, taken over, and never counted twice."""

from __future__ import annotations

import itertools
import random
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ingest_world import FPS, Detect, Seen, Start, Worker, camera, serving
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight_demo.cameras import rtsp
from waits import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

CAMERAS = [f"cam-{number:02}" for number in range(12)]
KEYFRAME_S = 0.5
LIVE = camera_pb2.CameraState.STATE_LIVE


@dataclass
class Counting(Detect):
    """A detect that notes when each frame came, and counts as the real one does: of a camera, no lower epoch again."""

    came: list[tuple[float, frame_pb2.Frame]] = field(default_factory=list)

    def took(self, frame: frame_pb2.Frame) -> None:
        """Note a frame, without its picture."""
        slim = frame_pb2.Frame()
        slim.CopyFrom(frame)
        slim.ClearField("data")
        self.came.append((time.monotonic(), slim))

    def counted(self, camera_id: str) -> list[tuple[float, frame_pb2.Frame]]:
        """Return a camera's frames with those of a lower epoch than one before left out."""
        epoch, kept = 0, []
        for at_s, frame in list(self.came):
            if frame.camera_id == camera_id and frame.epoch >= epoch:
                epoch = frame.epoch
                kept.append((at_s, frame))
        return kept

    def silence_s(self, names: Sequence[str], since_s: float) -> float:
        """Return the longest time since some moment in which one of these cameras gave no picture."""
        longest_s = 0.0
        for name in names:
            times = [since_s, *(at_s for at_s, _ in self.counted(name) if at_s >= since_s), time.monotonic()]
            longest_s = max(longest_s, *(later - earlier for earlier, later in itertools.pairwise(times)))
        return longest_s

    def broken(self, camera_id: str, since_s: float) -> str:
        """Say where a camera's frames since some moment are not of one epoch, one by one, without a gap."""
        frames = [frame for at_s, frame in self.counted(camera_id) if at_s >= since_s]
        for before, after in itertools.pairwise(frames):
            if (after.epoch, after.seq) != (before.epoch, before.seq + 1) or after.after_gap:
                return f"{camera_id}: {after.epoch}/{after.seq} after {before.epoch}/{before.seq}, {after.after_gap=}"
        return ""


def holders(seen: Seen) -> Mapping[str, str]:
    """Return who watches each camera that is live."""
    told = {name: seen.state(name) for name in CAMERAS}
    return {name: state.worker for name, state in told.items() if state is not None and state.state == LIVE}


def shared_by(seen: Seen, *workers: str) -> Mapping[str, str] | None:
    """Return who watches each camera once all are live at `workers` and each of these has some."""
    held = holders(seen)
    return held if len(held) == len(CAMERAS) and set(held.values()) == set(workers) else None


def at(held: Mapping[str, str], worker: str) -> list[str]:
    """Return the cameras that a worker watches."""
    return [name for name, holder in held.items() if holder == worker]


def applied(worker: Worker, wished: Sequence[camera_pb2.Camera]) -> None:
    """Have cameras applied."""
    worker.call("admin").ApplyCameras(camera_pb2.ApplyCamerasRequest(cameras=wished), timeout=30)


def moved(detect: Counting, names: Sequence[str], epochs: Mapping[str, int]) -> bool:
    """Tell whether a picture in a higher epoch has come of each camera."""
    return all(detect.counted(name)[-1][1].epoch > epochs[name] for name in names)


def epochs_of(detect: Counting) -> Mapping[str, int]:
    """Return the epoch in which each camera is counted."""
    return {name: frames[-1][1].epoch for name in CAMERAS if (frames := detect.counted(name))}


def no_picture_counts_twice(detect: Counting) -> bool:
    """Tell whether no two frames have one camera, epoch and number, though two workers held cameras at a time."""
    named = [(frame.camera_id, frame.epoch, frame.seq) for _, frame in detect.came]
    return len(named) == len(set(named))


def told(what: str, seconds: float) -> None:
    """Print a figure; `pytest -s` shows it."""
    print(f"placement: {what}: {seconds:.1f} s")  # noqa: T201 - a figure


def unbroken(detect: Counting, names: Sequence[str], since_s: float) -> bool:
    """Tell whether none of these cameras lost a picture since some moment; show what was lost."""
    broken = [why for name in names if (why := detect.broken(name, since_s))]
    assert not broken
    return True


def test_cameras_are_shared_taken_over_and_handed_over(start: Start, seen: Seen, clip: Path) -> None:
    """A worker added, one killed while another comes, one that leaves in order; cameras that stay lose nothing."""
    detect = Counting()
    with serving(detect) as address, rtsp.serve({"quay": clip}) as server:
        url = server.url("quay")
        first = start("ingest-0", address)
        until(first.ready)
        applied(first, [camera(name, url) for name in CAMERAS])
        until(lambda: shared_by(seen, "ingest-0"))

        since_s = time.monotonic()
        second = start("ingest-1", address)
        held = until(lambda: shared_by(seen, "ingest-0", "ingest-1"))
        stay, go = at(held, "ingest-0"), at(held, "ingest-1")
        until(lambda: moved(detect, go, dict.fromkeys(go, 1)))
        assert unbroken(detect, stay, since_s)
        told("a worker added: longest without a picture of cameras that move", detect.silence_s(go, since_s))

        epochs, since_s = epochs_of(detect), time.monotonic()
        first.process.kill()
        start("ingest-2", address)
        held = until(lambda: shared_by(seen, "ingest-1", "ingest-2"))
        until(lambda: moved(detect, stay, epochs))
        taken_s = detect.silence_s(stay, since_s)
        told("a worker killed: longest without a picture", taken_s)
        assert taken_s < 30 + KEYFRAME_S
        assert unbroken(detect, [name for name in go if held[name] == "ingest-1"], since_s)

        stay, go = at(held, "ingest-2"), at(held, "ingest-1")
        epochs, since_s = epochs_of(detect), time.monotonic()
        second.process.send_signal(signal.SIGTERM)
        until(lambda: moved(detect, go, epochs))
        until(lambda: shared_by(seen, "ingest-2"))
        handed_s = detect.silence_s(go, since_s)
        told("a worker left in order: longest without a picture", handed_s)
        assert handed_s < 2 + KEYFRAME_S
        assert unbroken(detect, stay, since_s)
        assert second.process.wait(30) == 0
        assert no_picture_counts_twice(detect)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_ten_random_kills_cost_each_camera_half_a_minute_at_most(start: Start, seen: Seen, clip: Path) -> None:
    """Of three workers one dies or leaves at a random moment, and comes back under its own name or another."""
    chance, detect = random.Random(11), Counting()
    with serving(detect) as address, rtsp.serve({"quay": clip}) as server:
        workers = {name: start(name, address) for name in ("ingest-0", "ingest-1", "ingest-2")}
        until(workers["ingest-0"].ready)
        applied(workers["ingest-0"], [camera(name, server.url("quay")) for name in CAMERAS])
        for number in range(10):
            held = until(lambda: shared_by(seen, *workers), within_s=90)
            time.sleep(chance.uniform(0, 4))  # a random moment, not waiting for anything
            since_s, epochs = time.monotonic(), epochs_of(detect)
            victim, signal_sent = chance.choice(sorted(workers)), chance.choice([signal.SIGKILL, signal.SIGTERM])
            gone = workers.pop(victim)
            gone.process.send_signal(signal_sent)
            gone.process.wait(60)
            again = victim if chance.random() < 0.5 else f"ingest-{3 + number}"
            workers[again] = start(again, address)
            lost = at(held, victim)
            until(lambda lost=lost, epochs=epochs: moved(detect, lost, epochs), within_s=90)
            silent_s = detect.silence_s(lost, since_s)
            told(f"{signal_sent.name}, {again} after {victim}: longest without a picture", silent_s)
            assert silent_s < 30 + KEYFRAME_S
            after = until(lambda: shared_by(seen, *workers), within_s=90)
            stay = [name for name in CAMERAS if name not in lost and after[name] == held[name]]
            assert unbroken(detect, [name for name in stay if epochs_of(detect)[name] == epochs[name]], since_s)
        assert no_picture_counts_twice(detect)


def test_a_camera_is_changed_or_removed_within_two_seconds(start: Start, seen: Seen, clip: Path) -> None:
    """From the call on: pictures of the new source, and no picture any more."""
    detect = Counting()
    names = CAMERAS[:2]
    with serving(detect) as address, rtsp.serve({"quay": clip}) as server:
        worker = start("ingest-0", address)
        until(worker.ready)
        applied(worker, [camera(name, server.url("quay")) for name in names])
        until(lambda: all(detect.counted(name) for name in names) or None)
        called_s = time.monotonic()
        applied(worker, [camera(names[0], server.url("quay") + "?other=1")])
        until(lambda: detect.counted(names[0])[-1][1].epoch == 2 or None)
        changed_s = next(at_s for at_s, frame in detect.counted(names[0]) if frame.epoch == 2) - called_s
        called_s = time.monotonic()
        worker.call("admin").RemoveCamera(camera_pb2.RemoveCameraRequest(camera_id=names[1]), timeout=30)
        until(lambda: seen.state_of(names[1], camera_pb2.CameraState.STATE_GONE, "removed"))
        still = detect.counted(names[0])[-1][1].seq
        until(lambda: detect.counted(names[0])[-1][1].seq > still + FPS or None)
        removed_s = detect.counted(names[1])[-1][0] - called_s
    told("a camera changed: the first picture of its new source after", changed_s)
    told("a camera removed: its last picture after", removed_s)
    assert changed_s < 2 + KEYFRAME_S
    assert removed_s < 2
