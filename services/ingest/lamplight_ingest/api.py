"""CameraService: checks cameras wholly, writes commands, answers when what they ask for is in force."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

import grpc
from google.protobuf.message import Message
from lamplight.camera.v1 import camera_pb2, camera_pb2_grpc
from lamplight.command.v1 import command_pb2
from lamplight_kit.audit import Auditor
from lamplight_kit.clock import Clock
from lamplight_kit.errors import BadInput, Problem
from lamplight_kit.kafka.types import Outbox, Outgoing, TableView
from lamplight_kit.rpc import Role, current_caller, refuse_input

from lamplight_ingest import paging
from lamplight_ingest.changes import Changes
from lamplight_ingest.checks import problems_of
from lamplight_ingest.differences import difference
from lamplight_ingest.doors import Doors
from lamplight_ingest.plan import completed

_SERVICE = "/lamplight.camera.v1.CameraService"
ALLOW = {
    f"{_SERVICE}/ListCameras": Role.VIEWER,
    f"{_SERVICE}/ApplyCameras": Role.ADMIN,
    f"{_SERVICE}/RemoveCamera": Role.ADMIN,
}
"""The least role of each call."""


class CameraApi(camera_pb2_grpc.CameraServiceServicer):
    """Serves any camera from any worker: the key's owner applies what is written here."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        cameras: TableView,
        states: TableView,
        changes: Changes,
        auditor: Auditor,
        clock: Clock,
        doors: Doors,
        timeout_s: float,
    ) -> None:
        """Write through `outbox`; read the tables; wait at most `timeout_s` for `changes` of `cameras`."""
        self._outbox = outbox
        self._cameras = cameras
        self._states = states
        self._changes = changes
        self._auditor = auditor
        self._clock = clock
        self._doors = doors
        self._timeout_s = timeout_s

    async def ApplyCameras(
        self, request: camera_pb2.ApplyCamerasRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> camera_pb2.ApplyCamerasResponse:
        """Check all cameras, then write all of them; INVALID_ARGUMENT names every problem, and nothing is written.

        A dry run writes nothing and tells what would change.
        """
        problems = problems_of(request.cameras, self._doors)
        if problems:
            await refuse_input(context, BadInput(problems))
        if request.dry_run:
            return camera_pb2.ApplyCamerasResponse(changes=[self._change(camera) for camera in request.cameras])
        commands = [self._command(apply_camera=completed(camera)) for camera in request.cameras]
        keys = [camera.id for camera in request.cameras]
        wanted = [self._changes.applied(command.command_id) for command in commands]
        self._write("apply_camera", keys, commands)
        found = await self._in_force(wanted, context)
        applied = [camera for camera in found if isinstance(camera, camera_pb2.Camera)]
        return camera_pb2.ApplyCamerasResponse(cameras=applied)

    async def RemoveCamera(
        self, request: camera_pb2.RemoveCameraRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> camera_pb2.RemoveCameraResponse:
        """Remove one camera; NOT_FOUND names the nearest id."""
        camera_id = request.camera_id
        if self._cameras.get(camera_id) is None:
            await self._not_found(camera_id, context)
        wanted = self._changes.removed(camera_id)
        self._write("remove_camera", [camera_id], [self._command(remove_camera_id=camera_id)])
        await self._in_force([wanted], context)
        return camera_pb2.RemoveCameraResponse()

    async def ListCameras(
        self, request: camera_pb2.ListCamerasRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> camera_pb2.ListCamerasResponse:
        """A page of cameras with their states, by id; of those that were asked for, where any were."""
        try:
            size, behind = paging.size_of(request.page_size), paging.after(request.page_token)
        except ValueError as error:
            path, told = ("page_size", str(request.page_size)) if request.page_size < 0 else ("page_token", "another")
            cure = "leave both out for the first page"
            await refuse_input(context, BadInput((Problem(path, told, str(error), cure),)))
        if len(request.ids) > paging.MOST_IDS:
            told, most = str(len(request.ids)), f"at most {paging.MOST_IDS}"
            await refuse_input(context, BadInput((Problem("ids", told, most, "ask for them in parts"),)))
        for camera_id in request.ids if not behind else ():
            if self._cameras.get(camera_id) is None:
                await self._not_found(camera_id, context)
        found = paging.page(request.ids or self._cameras.items(), behind, size)
        return self._page(found, size)

    def _page(self, found: Sequence[str], size: int) -> camera_pb2.ListCamerasResponse:
        """Return as many of `found` as a page may hold, with a token where more is left; one that went is left out."""
        answer, held = camera_pb2.ListCamerasResponse(), 0
        for number, camera_id in enumerate(found):
            camera = self._cameras.get(camera_id)
            if camera is None and number < size:
                continue
            entry = _entry(camera, self._states.get(camera_id))
            held += entry.ByteSize()
            if number == size or (held > paging.PAGE_BYTES and answer.entries):
                answer.next_page_token = paging.token_after(found[number - 1])
                break
            answer.entries.append(entry)
        return answer

    async def _not_found(self, camera_id: str, context: grpc.aio.ServicerContext[Any, Any]) -> NoReturn:
        near = get_close_matches(camera_id, sorted(self._cameras.items()), 1)
        hint = f"did you mean {near[0]}?" if near else "list the cameras for their ids"
        text = f"camera {camera_id[:100]!r} found nowhere, an id in use expected; {hint}"
        await context.abort(grpc.StatusCode.NOT_FOUND, text)

    def register(self) -> Callable[[grpc.aio.Server], None]:
        """Return what adds this service to a server."""
        return lambda server: camera_pb2_grpc.add_CameraServiceServicer_to_server(self, server)

    def _change(self, wanted: camera_pb2.Camera) -> camera_pb2.CameraChange:
        before = self._cameras.get(wanted.id)
        return difference(before if isinstance(before, camera_pb2.Camera) else None, wanted)

    def _command(self, **what: Any) -> command_pb2.Command:
        return command_pb2.Command(
            command_id=uuid.uuid4().hex, actor=current_caller().name, at_ns=self._clock.now_ns(), **what
        )

    def _write(self, action: str, keys: Sequence[str], commands: Sequence[command_pb2.Command]) -> None:
        self._auditor.record(current_caller(), action, keys)
        pairs = zip(keys, commands, strict=True)
        self._outbox.put([Outgoing("commands", key, command) for key, command in pairs])

    async def _in_force(
        self, wanted: Sequence[asyncio.Future[Message | None]], context: grpc.aio.ServicerContext[Any, Any]
    ) -> Sequence[Message | None]:
        if not wanted:
            return ()
        done, waiting = await asyncio.wait(wanted, timeout=self._timeout_s)
        for future in waiting:
            future.cancel()
        if waiting:
            text = f"written, but {len(waiting)} of {len(wanted)} not in force within {self._timeout_s:g} s; "
            await context.abort(
                grpc.StatusCode.UNAVAILABLE, f"{text}no worker holds their partitions yet; list the cameras to see"
            )
        del done
        return [future.result() for future in wanted]


def _entry(camera: Message | None, state: Message | None) -> camera_pb2.ListCamerasResponse.Entry:
    entry = camera_pb2.ListCamerasResponse.Entry()
    if isinstance(camera, camera_pb2.Camera):
        entry.camera.CopyFrom(camera)
    if isinstance(state, camera_pb2.CameraState):
        entry.state.CopyFrom(state)
    return entry
