"""Ingest as it is run: a process on a real broker, real cameras on loopback, and a detect that only takes frames."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import grpc
import pytest
from ingest_world import FPS, PASSWORD, Detect, Seen, Start, camera, serving
from lamplight.camera.v1 import camera_pb2
from lamplight_demo.cameras import rtsp
from lamplight_kit.rpc import problems_of
from waits import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def test_a_camera_is_applied_watched_changed_and_removed(start: Start, seen: Seen, clip: Path) -> None:
    """The whole life of a camera, by the calls that a user's command makes."""
    detect = Detect()
    with serving(detect) as address, rtsp.serve({"quay": clip}) as cameras:
        worker = start("ingest-0", address)
        until(worker.ready)
        admin = worker.call("admin")
        wished = [
            camera("quay", cameras.url("quay")),
            camera("clip", str(clip)),
            camera("locked", cameras.url("nowhere"), credentials_secret="absent"),
            camera("guarded", cameras.url("nowhere"), credentials_secret="guarded"),
        ]
        applied = admin.ApplyCameras(camera_pb2.ApplyCamerasRequest(cameras=wished), timeout=30).cameras
        assert [(found.id, found.version) for found in applied] == [(wish.id, 1) for wish in wished]

        until(lambda: len(detect.of("quay")) > 2 * FPS or None)
        frames = detect.of("quay")
        assert [frame.seq for frame in frames] == list(range(len(frames)))
        assert frames[0].is_key
        assert frames[0].codec == "h264"
        assert not frames[-1].at_is_receipt
        assert abs(frames[-1].at_ns / 1e9 - time.time()) < 5
        assert {frame.epoch for frame in frames} == {1}

        ended = until(
            lambda: ((s := seen.state("clip")) and s.state == camera_pb2.CameraState.STATE_GONE and s) or None
        )
        assert "end" in ended.reason
        assert len(detect.of("clip")) == 2 * FPS
        until(lambda: seen.state_of("locked", camera_pb2.CameraState.STATE_REFUSED, "secret"))
        until(lambda: seen.state_of("guarded", camera_pb2.CameraState.STATE_REFUSED, "404"))
        assert seen.changes("clip") == ["connecting", "live", "gone"]
        assert seen.ticked() == set(range(12))
        measured = until(lambda: ((s := seen.state("quay")) and s.HasField("keyframe_interval_s") and s) or None)
        assert measured.keyframe_interval_s == pytest.approx(0.5, abs=0.25)
        assert (measured.transport, measured.worker) == ("rtsp", "ingest-0")

        again = admin.ApplyCameras(
            camera_pb2.ApplyCamerasRequest(cameras=[camera("quay", cameras.url("quay") + "?other=1")]), timeout=30
        )
        assert again.cameras[0].version == 2
        until(lambda: any(frame.epoch == 2 for frame in detect.of("quay")) or None)

        admin.RemoveCamera(camera_pb2.RemoveCameraRequest(camera_id="quay"), timeout=30)
        until(lambda: seen.state_of("quay", camera_pb2.CameraState.STATE_GONE, "removed"))
        listed = worker.call("operator").ListCameras(camera_pb2.ListCamerasRequest(), timeout=10).entries
        named = [(entry.camera.id, entry.state.camera_id) for entry in listed]
        assert named == [(name, name) for name in ("clip", "guarded", "locked")]
        assert 'lamplight_ingest_cameras{state="refused",worker="ingest-0"} 2.0' in worker.metrics()

        said = [worker.metrics(), str(listed), str(seen.told()), str(seen.states.items()), str(seen.cameras.items())]
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(30) == 0
        assert PASSWORD not in "".join([*said, worker.log.read_text()])


def test_what_is_wrong_changes_nothing(start: Start, seen: Seen, clip: Path) -> None:
    """All problems of all cameras are told at once, none is written, and no password is shown anywhere."""
    with serving(Detect()) as address:
        worker = start("ingest-0", address)
        until(worker.ready)
        wished = [
            camera("good", str(clip)),
            camera("Bad", f"rtsp://admin:{PASSWORD}@127.0.0.1/x", time_zone="Europe/Londn", retention_days=0),
        ]
        admin = worker.call("admin")
        with pytest.raises(grpc.RpcError) as refusal:
            admin.ApplyCameras(camera_pb2.ApplyCamerasRequest(cameras=wished), timeout=30)
        paths = {problem.path for problem in problems_of(refusal.value)}
        fields = ("id", "source", "time_zone", "retention_days")
        assert paths == {f"cameras[1].{name}" for name in fields}
        with pytest.raises(grpc.RpcError) as unknown:
            admin.RemoveCamera(camera_pb2.RemoveCameraRequest(camera_id="goood"), timeout=30)
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
        with pytest.raises(grpc.RpcError) as forbidden:
            worker.call("operator").ApplyCameras(camera_pb2.ApplyCamerasRequest(), timeout=30)
        assert forbidden.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert seen.cameras.items() == {}
        texts = [str(refusal.value), str(problems_of(refusal.value)), worker.log.read_text(), worker.metrics()]
        assert not any(PASSWORD in text for text in texts)
