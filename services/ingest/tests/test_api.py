"""CameraService behind a real gRPC server, with the bus made up: what is written, when it answers, who may call."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import grpc
import pytest
from fake_table import FakeTable
from lamplight.audit.v1 import audit_pb2
from lamplight.camera.v1 import camera_pb2, camera_pb2_grpc
from lamplight.command.v1 import command_pb2
from lamplight_ingest.api import ALLOW, CameraApi
from lamplight_ingest.changes import Changes
from lamplight_ingest.doors import Doors
from lamplight_kit.audit import Auditor
from lamplight_kit.clock import ManualClock
from lamplight_kit.kafka.types import Outgoing
from lamplight_kit.rpc import Role, RpcServer, Tokens, blocking_channel, problems_of, sha256_of
from lamplight_kit.rpc.callers import Caller

Owner = Callable[[command_pb2.Command], None]


@dataclass
class System:
    """A running API; `owner` is what the owner of a key does with its command."""

    cameras: FakeTable = field(default_factory=FakeTable)
    states: FakeTable = field(default_factory=FakeTable)
    changes: Changes = field(default_factory=Changes)
    written: list[Outgoing] = field(default_factory=list)
    owner: Owner | None = None
    port: int = 0

    def put(self, records: Sequence[Outgoing]) -> None:
        """Take what is written, and let the owner act in a thread of its own."""
        self.written += records
        for made in records:
            if isinstance(made.message, command_pb2.Command) and self.owner is not None:
                threading.Thread(target=self.owner, args=(made.message,)).start()

    def applies(self, command: command_pb2.Command) -> None:
        """Do as an owner does, then let another caller's change follow at once."""
        if command.WhichOneof("what") == "remove_camera_id":
            self.cameras.values.pop(command.remove_camera_id)
            self.changes.saw(command.remove_camera_id, None)
            return
        made = camera_pb2.Camera()
        made.CopyFrom(command.apply_camera)
        made.version, made.last_command_id = 1, command.command_id
        self.cameras.values[made.id] = made
        self.changes.saw(made.id, made)
        self.changes.saw(made.id, camera_pb2.Camera(id=made.id, version=2, last_command_id="another"))

    def call(self, role: str) -> camera_pb2_grpc.CameraServiceStub:
        """Return a client whose token stands for `role`."""
        return camera_pb2_grpc.CameraServiceStub(blocking_channel(f"127.0.0.1:{self.port}", role))

    def of(self, topic: str) -> list[Outgoing]:
        """Return what was written to a topic."""
        return [made for made in self.written if made.topic == topic]


@pytest.fixture
def system() -> Iterator[System]:
    """An API on loopback that waits half a second."""
    made = System()
    api = CameraApi(
        made,
        cameras=made.cameras,
        states=made.states,
        changes=made.changes,
        auditor=Auditor(made, "worker", ManualClock()),
        clock=ManualClock(),
        doors=Doors(),
        timeout_s=0.5,
    )
    tokens = Tokens(tuple((sha256_of(role), Caller(f"the {role}", Role[role.upper()])) for role in ("viewer", "admin")))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = RpcServer("127.0.0.1:0", [api.register()], tokens, ALLOW)
    made.port = asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    yield made
    asyncio.run_coroutine_threadsafe(server.stop(0.1), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def request(*ids: str, **fields: int) -> camera_pb2.ApplyCamerasRequest:
    """Return a request for cameras that are right but for `fields`."""
    right = {"retention_days": 7, **fields}
    return camera_pb2.ApplyCamerasRequest(
        cameras=[
            camera_pb2.Camera(id=name, source="rtsp://cam.example/1", district="east", time_zone="UTC", **right)
            for name in ids
        ]
    )


def test_applying_answers_when_it_is_in_force(system: System) -> None:
    """With what each command made, whatever came after; the caller is in the command and in the audit trail."""
    system.owner = system.applies
    applied = system.call("admin").ApplyCameras(request("quay", "bridge"), timeout=10).cameras
    assert [(camera.id, camera.version, camera.sampling.max_gap_s) for camera in applied] == [
        ("quay", 1, 30),
        ("bridge", 1, 30),
    ]
    commands = [made.message for made in system.of("commands")]
    assert [made.key for made in system.of("commands")] == ["quay", "bridge"]
    assert {command.actor for command in commands if isinstance(command, command_pb2.Command)} == {"the admin"}
    (audited,) = [made.message for made in system.of("audit")]
    assert isinstance(audited, audit_pb2.AuditRecord)
    assert (audited.actor, audited.action, list(audited.subject_ids)) == (
        "the admin",
        "apply_camera",
        ["quay", "bridge"],
    )


def test_nothing_is_written_unless_all_is_right(system: System) -> None:
    """One wrong camera keeps the right ones out too."""
    with pytest.raises(grpc.RpcError) as error:
        system.call("admin").ApplyCameras(request("quay", "Bridge"), timeout=10)
    assert [problem.path for problem in problems_of(error.value)] == ["cameras[1].id"]
    assert system.written == []


def test_a_dry_run_tells_what_would_change_and_writes_nothing(system: System) -> None:
    """Added, changed with its fields, unchanged; what the owner fills in is no change, mistakes are told as ever."""
    system.owner = system.applies
    system.call("admin").ApplyCameras(request("same", "other"), timeout=10)
    written = len(system.written)
    wished = request("same", "other", "new")
    wished.dry_run = True
    wished.cameras[1].source = "rtsp://cam.example/2"
    wished.cameras[1].place.lon = 0
    changes = system.call("admin").ApplyCameras(wished, timeout=10).changes
    kinds = camera_pb2.CameraChange
    assert [(change.camera_id, change.kind, list(change.fields), change.version) for change in changes] == [
        ("same", kinds.KIND_UNCHANGED, [], 1),
        ("other", kinds.KIND_CHANGED, ["source", "place"], 1),
        ("new", kinds.KIND_ADDED, [], 0),
    ]
    wished.cameras[2].id = "Bad"
    with pytest.raises(grpc.RpcError):
        system.call("admin").ApplyCameras(wished, timeout=10)
    assert len(system.written) == written


def test_a_command_that_nobody_applies_is_told(system: System) -> None:
    """After the time-out, as unavailable, with how many of how many."""
    with pytest.raises(grpc.RpcError) as error:
        system.call("admin").ApplyCameras(request("quay"), timeout=10)
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "1 of 1 not in force" in str(error.value.details())
    for _ in range(500):  # what was waited for is forgotten, just after the answer
        if not system.changes._waiting:
            return
        threading.Event().wait(0.01)
    pytest.fail("the change is still waited for")


def test_removing_answers_when_it_is_gone(system: System) -> None:
    """An unknown id is told with the nearest one."""
    system.owner = system.applies
    system.call("admin").ApplyCameras(request("quay-1"), timeout=10)
    with pytest.raises(grpc.RpcError) as error:
        system.call("admin").RemoveCamera(camera_pb2.RemoveCameraRequest(camera_id="quay1"), timeout=10)
    assert error.value.code() is grpc.StatusCode.NOT_FOUND
    assert "did you mean quay-1?" in str(error.value.details())
    system.call("admin").RemoveCamera(camera_pb2.RemoveCameraRequest(camera_id="quay-1"), timeout=10)
    assert system.cameras.values == {}


def test_a_viewer_lists_and_changes_nothing(system: System) -> None:
    """Cameras by id, with the state where one is known."""
    system.cameras.values = {name: camera_pb2.Camera(id=name) for name in ("b", "a")}
    system.states.values = {"b": camera_pb2.CameraState(camera_id="b", epoch=3)}
    listed = system.call("viewer").ListCameras(camera_pb2.ListCamerasRequest(), timeout=10).entries
    assert [(entry.camera.id, entry.HasField("state"), entry.state.epoch) for entry in listed] == [
        ("a", False, 0),
        ("b", True, 3),
    ]
    with pytest.raises(grpc.RpcError) as error:
        system.call("viewer").RemoveCamera(camera_pb2.RemoveCameraRequest(camera_id="a"), timeout=10)
    assert error.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert system.written == []
