"""RuleService: checks what is asked for whole, writes commands, answers when the tables show them in force."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar, cast
from uuid import uuid4

import grpc
from lamplight.camera.v1 import camera_pb2
from lamplight.command.v1 import command_pb2
from lamplight.rule.v1 import rule_pb2, rule_pb2_grpc
from lamplight_kit.audit import Auditor
from lamplight_kit.clock import Clock
from lamplight_kit.errors import BadInput
from lamplight_kit.kafka.types import Outbox, Outgoing, TableView
from lamplight_kit.rpc import current_caller, refuse_input

from lamplight_alert.checks import Known, check_destinations, check_rules, nearest

_LOOK_EVERY_S = 0.02
_Row = TypeVar("_Row", rule_pb2.Rule, rule_pb2.Destination)
_Found = TypeVar("_Found")
_Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True)
class Tables:
    """The tables that the API reads."""

    cameras: TableView
    rules: TableView
    destinations: TableView

    def are_ready(self) -> bool:
        """Tell whether all of them have been read."""
        return all(table.wait_ready(0) for table in (self.cameras, self.rules, self.destinations))


@dataclass(frozen=True)
class Commands:
    """Writes commands in the caller's name, with their audit."""

    outbox: Outbox
    auditor: Auditor
    clock: Clock

    def write(self, action: str, commands: Sequence[tuple[str, command_pb2.Command]]) -> None:
        """Write commands, each under the id of what it changes."""
        caller = current_caller()
        for _, command in commands:
            command.actor = caller.name
            command.at_ns = self.clock.now_ns()
        self.auditor.record(caller, action, [key for key, _ in commands])
        self.outbox.put([Outgoing("commands", key, command) for key, command in commands])


class RuleApi(rule_pb2_grpc.RuleServiceServicer):
    """The six calls."""

    def __init__(
        self,
        tables: Tables,
        commands: Commands,
        known: Callable[[Sequence[camera_pb2.Camera], Sequence[str]], Known],
        timeout_s: float,
    ) -> None:
        """Check against `known(cameras, destination ids)`; wait `timeout_s` for what was written to be in force."""
        self._tables = tables
        self._commands = commands
        self._known = known
        self._timeout_s = timeout_s

    async def ApplyRules(self, request: rule_pb2.ApplyRulesRequest, context: _Context) -> rule_pb2.ApplyRulesResponse:
        """Write all rules, or none."""
        await self._check_ready(context)
        cameras = cast("list[camera_pb2.Camera]", list(self._tables.cameras.items().values()))
        known = self._known(cameras, list(self._tables.destinations.items()))
        problems, warnings = check_rules(request.rules, known)
        if problems:
            await refuse_input(context, BadInput(problems))
        made = [(rule.id, command_pb2.Command(command_id=_new_id(), apply_rule=rule)) for rule in request.rules]
        self._commands.write("apply_rule", made)
        rules = await self._written(self._tables.rules, made, rule_pb2.Rule, context)
        return rule_pb2.ApplyRulesResponse(rules=rules, warnings=warnings)

    async def RemoveRule(self, request: rule_pb2.RemoveRuleRequest, context: _Context) -> rule_pb2.RemoveRuleResponse:
        """Remove a rule; its open incidents resolve."""
        await self._check_ready(context)
        key = request.rule_id
        await self._check_there("rule", key, self._tables.rules, context)
        command = command_pb2.Command(command_id=_new_id(), remove_rule_id=key)
        self._commands.write("remove_rule", [(key, command)])
        await self._removed(self._tables.rules, key, context)
        return rule_pb2.RemoveRuleResponse()

    async def ListRules(self, _request: rule_pb2.ListRulesRequest, context: _Context) -> rule_pb2.ListRulesResponse:
        """Return all rules, by id."""
        await self._check_ready(context)
        return rule_pb2.ListRulesResponse(rules=_sorted(self._tables.rules, rule_pb2.Rule))

    async def ApplyDestinations(
        self, request: rule_pb2.ApplyDestinationsRequest, context: _Context
    ) -> rule_pb2.ApplyDestinationsResponse:
        """Write all destinations, or none."""
        await self._check_ready(context)
        problems, warnings = check_destinations(request.destinations)
        if problems:
            await refuse_input(context, BadInput(problems))
        made = [
            (given.id, command_pb2.Command(command_id=_new_id(), apply_destination=given))
            for given in request.destinations
        ]
        self._commands.write("apply_destination", made)
        kept = await self._written(self._tables.destinations, made, rule_pb2.Destination, context)
        return rule_pb2.ApplyDestinationsResponse(destinations=kept, warnings=warnings)

    async def RemoveDestination(
        self, request: rule_pb2.RemoveDestinationRequest, context: _Context
    ) -> rule_pb2.RemoveDestinationResponse:
        """Remove a destination that no rule delivers to."""
        await self._check_ready(context)
        key = request.destination_id
        await self._check_there("destination", key, self._tables.destinations, context)
        users = [rule.id for rule in _sorted(self._tables.rules, rule_pb2.Rule) if key in rule.deliver]
        if users:
            text = f"destination {key!r} is delivered to by {', '.join(users)}; take it out of these rules first"
            await _abort(context, grpc.StatusCode.FAILED_PRECONDITION, text)
        command = command_pb2.Command(command_id=_new_id(), remove_destination_id=key)
        self._commands.write("remove_destination", [(key, command)])
        await self._removed(self._tables.destinations, key, context)
        return rule_pb2.RemoveDestinationResponse()

    async def ListDestinations(
        self, _request: rule_pb2.ListDestinationsRequest, context: _Context
    ) -> rule_pb2.ListDestinationsResponse:
        """Return all destinations, by id."""
        await self._check_ready(context)
        return rule_pb2.ListDestinationsResponse(destinations=_sorted(self._tables.destinations, rule_pb2.Destination))

    async def _check_ready(self, context: _Context) -> None:
        if not self._tables.are_ready():
            text = "the tables of cameras, rules and destinations are still being read; ask again in a moment"
            await _abort(context, grpc.StatusCode.UNAVAILABLE, text)

    async def _check_there(self, kind: str, key: str, table: TableView, context: _Context) -> None:
        if table.get(key) is None:
            close = nearest(key, table.items())
            hint = f"did you mean {close!r}?" if close else f"`lamplight {kind} list` names what there is"
            await _abort(context, grpc.StatusCode.NOT_FOUND, f"{kind} {key!r} not found; {hint}")

    async def _written(
        self, table: TableView, made: Sequence[tuple[str, command_pb2.Command]], kind: type[_Row], context: _Context
    ) -> list[_Row]:
        """Wait until `table` shows what each of the commands made; return it."""
        wanted = {key: command.command_id for key, command in made}

        def found() -> list[_Row] | None:
            rows = [row for key in wanted if isinstance(row := table.get(key), kind)]
            are_all = {row.id: row.last_command_id for row in rows} == wanted
            return rows if are_all else None

        return await self._wait(found, context)

    async def _removed(self, table: TableView, key: str, context: _Context) -> None:
        await self._wait(lambda: True if table.get(key) is None else None, context)

    async def _wait(self, found: Callable[[], _Found | None], context: _Context) -> _Found:
        until = asyncio.get_running_loop().time() + self._timeout_s
        while (result := found()) is None:
            if asyncio.get_running_loop().time() > until:
                text = f"written, but not in force after {self._timeout_s:g} s; list again, and look at alert's health"
                await _abort(context, grpc.StatusCode.DEADLINE_EXCEEDED, text)
            await asyncio.sleep(_LOOK_EVERY_S)
        return result


def _sorted(table: TableView, kind: type[_Row]) -> list[_Row]:
    rows = sorted(table.items().items())
    return [row for _, row in rows if isinstance(row, kind)]


def _new_id() -> str:
    return uuid4().hex


async def _abort(context: _Context, code: grpc.StatusCode, text: str) -> NoReturn:
    await context.abort(code, text)
    raise AssertionError
