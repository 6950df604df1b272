"""SituationService over gRPC: any replica takes a call, the owner of the situation's partition carries it out."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NoReturn, TypeVar

import grpc
from lamplight.command.v1 import command_pb2
from lamplight.situation.v1 import situation_pb2, situation_pb2_grpc
from lamplight_kit.audit import Auditor
from lamplight_kit.clock import Clock
from lamplight_kit.errors import BadInput
from lamplight_kit.kafka.types import Outbox, Outgoing, TableView
from lamplight_kit.rpc import Role, RpcPart, RpcServer, Tokens, current_caller, refuse_input

from lamplight_match.checks import problems_in

_SERVICE = "/lamplight.situation.v1.SituationService"
ALLOW = {
    f"{_SERVICE}/ListSituations": Role.VIEWER,
    f"{_SERVICE}/EnrolSituation": Role.OPERATOR,
    f"{_SERVICE}/RemoveSituation": Role.ADMIN,
}
_LOOK_S = 0.05
_ENDED = (situation_pb2.Situation.STATE_READY, situation_pb2.Situation.STATE_REFUSED)
Found = TypeVar("Found")
Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True)
class Desk:
    """What the calls need: where commands go, the table that shows what became of them, and who is told."""

    outbox: Outbox
    situations: TableView
    auditor: Auditor
    clock: Clock
    timeout_s: float


class SituationServicer(situation_pb2_grpc.SituationServiceServicer):
    """The three calls."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk

    async def EnrolSituation(
        self, request: situation_pb2.EnrolSituationRequest, context: Context
    ) -> situation_pb2.EnrolSituationResponse:
        """Write the situation, wait until it is ready or refused."""
        problems = problems_in(request.situation)
        if problems:
            await refuse_input(context, BadInput(problems))
        situation_id = request.situation.id
        command = self._command(enrol_situation=request.situation)
        self._send("enrol_situation", situation_id, command)

        def ended() -> situation_pb2.Situation | None:
            found = self._found(situation_id)
            done = found is not None and found.last_command_id == command.command_id and found.state in _ENDED
            return found if done else None

        situation = await self._until(ended, context)
        if situation is None:
            await self._late(situation_id, command.command_id, context)
        return situation_pb2.EnrolSituationResponse(situation=situation)

    async def RemoveSituation(
        self, request: situation_pb2.RemoveSituationRequest, context: Context
    ) -> situation_pb2.RemoveSituationResponse:
        """Remove the situation, wait until it is gone."""
        situation_id = request.situation_id
        if self._found(situation_id) is None:
            near = get_close_matches(situation_id, self._desk.situations.items(), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "; see `lamplight situation list`"
            await context.abort(grpc.StatusCode.NOT_FOUND, f"situation {situation_id!r} found nowhere{hint}")
        self._send("remove_situation", situation_id, self._command(remove_situation_id=situation_id))
        if not await self._until(lambda: self._found(situation_id) is None, context):
            text = f"situation {situation_id!r} is still there after {self._desk.timeout_s:g} s; is match running well?"
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, text)
        return situation_pb2.RemoveSituationResponse()

    async def ListSituations(
        self, request: situation_pb2.ListSituationsRequest, context: Context
    ) -> situation_pb2.ListSituationsResponse:
        """Return all situations by id."""
        del request
        if not self._desk.situations.wait_ready(0):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "situations are still being read; try again in a second")
        found = sorted(self._desk.situations.items().items())
        listed = [value for _, value in found if isinstance(value, situation_pb2.Situation)]
        return situation_pb2.ListSituationsResponse(situations=listed)

    def _command(self, **what: Any) -> command_pb2.Command:
        actor = current_caller().name
        return command_pb2.Command(command_id=uuid.uuid4().hex, actor=actor, at_ns=self._desk.clock.now_ns(), **what)

    def _send(self, action: str, situation_id: str, command: command_pb2.Command) -> None:
        self._desk.auditor.record(current_caller(), action, [situation_id])
        self._desk.outbox.put([Outgoing("commands", situation_id, command)])

    def _found(self, situation_id: str) -> situation_pb2.Situation | None:
        found = self._desk.situations.get(situation_id)
        return found if isinstance(found, situation_pb2.Situation) else None

    async def _until(self, look: Callable[[], Found], context: Context) -> Found:
        """Look until something is found, or the caller's or our own time is over; the last look decides."""
        asked_s = context.time_remaining()
        left_s = self._desk.timeout_s if asked_s is None else min(self._desk.timeout_s, asked_s - 1)
        until_s = self._desk.clock.monotonic_s() + left_s
        found = look()
        while not found and self._desk.clock.monotonic_s() < until_s:
            await asyncio.sleep(_LOOK_S)
            found = look()
        return found

    async def _late(self, situation_id: str, command_id: str, context: Context) -> NoReturn:
        found = self._found(situation_id)
        if found is not None and found.last_command_id == command_id:
            text = f"situation {situation_id!r} is still enrolling: {found.reason}; is embed running?"
        else:
            text = (
                f"situation {situation_id!r} was not taken up in time, or enrolled anew by somebody else; "
                "see `lamplight situation list`, and whether match and Kafka are there"
            )
        await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, text)
        raise AssertionError


class SituationApi(RpcPart):
    """The gRPC server of match; a component of `lamplight_kit.service`."""

    def __init__(self, listen: str, tokens: Tokens, desk: Desk) -> None:
        """Listen on `listen` (host:port) once started."""
        self._servicer = SituationServicer(desk)
        super().__init__(RpcServer(listen, [self._register], tokens, ALLOW, on_refused=desk.auditor.refused))

    def _register(self, server: grpc.aio.Server) -> None:
        situation_pb2_grpc.add_SituationServiceServicer_to_server(self._servicer, server)
