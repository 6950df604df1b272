"""Calls name their caller; roles decide; bad input arrives whole."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from lamplight.audit.v1 import audit_pb2
from lamplight.camera.v1 import camera_pb2, camera_pb2_grpc
from lamplight.frame.v1 import frame_pb2, frame_pb2_grpc
from lamplight_kit import service
from lamplight_kit.audit import Auditor
from lamplight_kit.clock import ManualClock
from lamplight_kit.errors import BadInput, Problem, SettingsError, Stop
from lamplight_kit.kafka.types import Outgoing
from lamplight_kit.rpc import (
    Caller,
    Refused,
    Role,
    RpcServer,
    Tokens,
    blocking_channel,
    channel,
    current_caller,
    problems_of,
    refuse_input,
    sha256_of,
)
from lamplight_kit.rpc import server as rpc_server

LIST = "/lamplight.camera.v1.CameraService/ListCameras"
STREAM = "/lamplight.frame.v1.FrameService/StreamFrames"
TOKENS = Tokens(((sha256_of("v"), Caller("vera", Role.VIEWER)), (sha256_of("a"), Caller("ada", Role.ADMIN))))
PROBLEM = Problem("cameras[0].id", "A b", "[a-z0-9]", "rename it")


class Cameras(camera_pb2_grpc.CameraServiceServicer):
    """Answers with the caller's name; refuses every apply."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems

    async def ListCameras(self, request: object, context: object) -> camera_pb2.ListCamerasResponse:
        camera = camera_pb2.Camera(id=current_caller().name)
        return camera_pb2.ListCamerasResponse(entries=[camera_pb2.ListCamerasResponse.Entry(camera=camera)])

    async def ApplyCameras(
        self,
        request: camera_pb2.ApplyCamerasRequest,
        context: grpc.aio.ServicerContext[camera_pb2.ApplyCamerasRequest, camera_pb2.ApplyCamerasResponse],
    ) -> camera_pb2.ApplyCamerasResponse:
        return await refuse_input(context, BadInput(self.problems))


class Frames(frame_pb2_grpc.FrameServiceServicer):
    """Echoes each frame's number."""

    async def StreamFrames(
        self, request_iterator: AsyncIterator[frame_pb2.StreamFramesRequest], context: object
    ) -> AsyncIterator[frame_pb2.StreamFramesResponse]:
        async for request in request_iterator:
            yield frame_pb2.StreamFramesResponse(verdict=frame_pb2.Verdict(seq=request.frame.seq))


class Kept:
    """An outbox that keeps what it is given."""

    def __init__(self) -> None:
        self.kept: list[Outgoing] = []

    def put(self, records: Sequence[Outgoing]) -> None:
        self.kept += records


def with_server(
    use: Callable[[int], Awaitable[None]],
    on_refused: Refused | None = None,
    problems: tuple[Problem, ...] = (PROBLEM,),
) -> None:
    """Run `use` with the port of a server that knows two callers."""

    async def main() -> None:
        server = RpcServer(
            "127.0.0.1:0",
            [
                lambda s: camera_pb2_grpc.add_CameraServiceServicer_to_server(Cameras(problems), s),
                lambda s: frame_pb2_grpc.add_FrameServiceServicer_to_server(Frames(), s),
            ],
            TOKENS,
            {LIST: Role.VIEWER, STREAM: Role.VIEWER},
            on_refused=on_refused,
        )
        port = await server.start()
        try:
            await use(port)
        finally:
            await server.stop(0.1)

    asyncio.run(main())


def test_a_known_caller_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token says who calls, behind a dead proxy too."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    async def use(port: int) -> None:
        async with channel(f"127.0.0.1:{port}", "v") as opened:
            answer = await camera_pb2_grpc.CameraServiceStub(opened).ListCameras(camera_pb2.ListCamerasRequest())
        assert answer.entries[0].camera.id == "vera"

    with_server(use)


def test_streams_are_authenticated_too() -> None:
    """A stream carries its caller, and is refused without one."""

    async def use(port: int) -> None:
        request = frame_pb2.StreamFramesRequest(frame=frame_pb2.Frame(seq=7))
        async with channel(f"127.0.0.1:{port}", "v") as opened:
            call = frame_pb2_grpc.FrameServiceStub(opened).StreamFrames(iter([request]))
            assert [answer.verdict.seq async for answer in call] == [7]
        async with channel(f"127.0.0.1:{port}", "stranger") as opened:
            call = frame_pb2_grpc.FrameServiceStub(opened).StreamFrames(iter([request]))
            with pytest.raises(grpc.aio.AioRpcError) as error:
                [answer async for answer in call]
            assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED

    with_server(use)


@pytest.mark.parametrize(
    ("token", "code"),
    [("stranger", grpc.StatusCode.UNAUTHENTICATED), ("v", grpc.StatusCode.PERMISSION_DENIED)],
)
def test_who_may_not(token: str, code: grpc.StatusCode) -> None:
    """An unknown caller and a caller of too small a role are told so; a method without a role wants admin."""

    async def use(port: int) -> None:
        async with channel(f"127.0.0.1:{port}", token) as opened:
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await camera_pb2_grpc.CameraServiceStub(opened).ApplyCameras(camera_pb2.ApplyCamerasRequest())
        assert error.value.code() is code

    with_server(use)


def test_who_may_not_is_told_of() -> None:
    """A known caller whose role is too small is told of, by name and method; a stranger and a good call are not."""
    refused: list[tuple[Caller, str]] = []

    async def use(port: int) -> None:
        for token in ("stranger", "v"):
            async with channel(f"127.0.0.1:{port}", token) as opened:
                with pytest.raises(grpc.aio.AioRpcError):
                    await camera_pb2_grpc.CameraServiceStub(opened).ApplyCameras(camera_pb2.ApplyCamerasRequest())
        async with channel(f"127.0.0.1:{port}", "v") as opened:
            await camera_pb2_grpc.CameraServiceStub(opened).ListCameras(camera_pb2.ListCamerasRequest())

    with_server(use, lambda caller, method: refused.append((caller, method)))
    assert refused == [(Caller("vera", Role.VIEWER), "/lamplight.camera.v1.CameraService/ApplyCameras")]


def test_a_refused_call_is_audited() -> None:
    """It stands in the chain as not allowed, under its method."""
    outbox = Kept()
    Auditor(outbox, "ingest-0", ManualClock()).refused(Caller("vera", Role.VIEWER), LIST)
    (record,) = [made.message for made in outbox.kept]
    assert isinstance(record, audit_pb2.AuditRecord)
    assert (record.actor, record.role, record.action, record.allowed) == ("vera", "viewer", LIST, False)


def test_health_follows_readiness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serving only while no part says why it is not ready, and not any more once the server ends."""
    monkeypatch.setattr(rpc_server, "_LOOK_S", 0.01)
    reasons = {"stage": "joining the group"}

    async def main() -> None:
        server = RpcServer("127.0.0.1:0", [], TOKENS, {})
        server.follow(lambda: reasons)
        port = await server.start()
        async with channel(f"127.0.0.1:{port}", "") as opened, asyncio.timeout(10):
            watching = health_pb2_grpc.HealthStub(opened).Watch(health_pb2.HealthCheckRequest())
            assert (await watching.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            reasons.clear()
            assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
            reasons["stage"] = "rebuilding"
            assert (await watching.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            reasons.clear()
            assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
            ending = asyncio.create_task(server.stop(1))
            assert (await watching.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            watching.cancel()
            await ending

    asyncio.run(main())


def test_a_part_that_follows_is_given_the_readiness_of_all() -> None:
    """Before anything starts, `run` hands over what it says itself."""
    given: list[Mapping[str, str]] = []

    class Part:
        def __init__(self, name: str) -> None:
            self.name = name

        def start(self) -> None:
            if given:
                raise Stop("seen enough")

        def unready(self) -> str | None:
            return f"{self.name} waits"

        def stop(self, timeout_s: float) -> None: ...

    class Following(Part):
        def follow(self, reasons: Callable[[], Mapping[str, str]]) -> None:
            given.append(reasons())

    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        assert service.run("toy", [Part("a"), Following("b")], "127.0.0.1:0") == 2
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert given == [{"a": "a waits", "b": "b waits"}]


def refused_for(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Return what arrives of `problems` over the blocking channel of the command line."""
    arrived: list[Problem] = []

    async def use(port: int) -> None:
        def call() -> None:
            with blocking_channel(f"127.0.0.1:{port}", "a") as opened, pytest.raises(grpc.RpcError) as error:
                camera_pb2_grpc.CameraServiceStub(opened).ApplyCameras(camera_pb2.ApplyCamerasRequest())
            assert isinstance(error.value, grpc.Call)
            assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT, error.value.details()
            arrived.extend(problems_of(error.value))

        await asyncio.to_thread(call)

    with_server(use, problems=problems)
    return tuple(arrived)


def test_problems_arrive_whole() -> None:
    """A refused input arrives with every problem."""
    assert refused_for((PROBLEM,)) == (PROBLEM,)


@pytest.mark.parametrize("value", ["a short one", "\u6c34" * 60, "%\n\x00" * 20, "\U0001f4a7" * 60])
def test_of_many_problems_as_many_arrive_as_a_call_can_bear(value: str) -> None:
    """Each of them whole, in their order, and at last how many more there are."""
    many = tuple(Problem(f"cameras[{number}].source", value, "an address", "mend it") for number in range(5_000))
    *told, last = refused_for(many)
    assert len(told) >= 5
    assert tuple(told) == many[: len(told)]
    assert f"and {5_000 - len(told):,} more" in last.value


@pytest.mark.parametrize("value", ["x" * 100_000, "\x00" * 100_000, "\U0001f4a7" * 100_000])
def test_a_problem_that_is_too_long_arrives_cut(value: str) -> None:
    """Where one value alone is more than a call can bear."""
    first, second, *more = refused_for((Problem(value, value, value, value, value, 7), PROBLEM))
    assert value.startswith(first.value.removesuffix("…"))
    assert (first.line, second, more) == (7, PROBLEM, [])


@pytest.mark.parametrize(
    ("role", "needed", "may"),
    [
        (Role.ADMIN, Role.OPERATOR, True),
        (Role.OPERATOR, Role.ADMIN, False),
        (Role.AUDITOR, Role.VIEWER, True),
        (Role.AUDITOR, Role.OPERATOR, False),
        (Role.OPERATOR, Role.AUDITOR, False),
        (Role.ADMIN, Role.AUDITOR, True),
    ],
)
def test_roles(role: Role, needed: Role, may: bool) -> None:
    """Roles cover each other as the design says."""
    assert role.may(needed) is may


def test_a_tokens_file(tmp_path: Path) -> None:
    """A tokens file names callers; a bad one is an error with its cure."""
    good = tmp_path / "tokens.yaml"
    good.write_text(f"- {{name: ada, role: admin, token_sha256: {sha256_of('a')}}}\n")
    assert Tokens.read(good).caller_of("Bearer a") == Caller("ada", Role.ADMIN)
    assert Tokens.read(good).caller_of("Basic a") is None
    bad = tmp_path / "bad.yaml"
    bad.write_text("- {name: ada, role: king, token_sha256: x}\n")
    with pytest.raises(SettingsError, match="viewer, operator, admin"):
        Tokens.read(bad)
