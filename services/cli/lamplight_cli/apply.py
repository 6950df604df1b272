"""Applying what a user wrote: checked whole, then handed to the service that owns it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from lamplight.camera.v1 import camera_pb2, camera_pb2_grpc
from lamplight.rule.v1 import rule_pb2, rule_pb2_grpc
from lamplight_contracts.selectors import selects
from lamplight_kit.errors import BadInput, Problem

from lamplight_cli import many
from lamplight_cli.adapters.calls import call, calling
from lamplight_cli.files.cameras import CamerasFile, read_cameras
from lamplight_cli.files.destinations import DestinationsFile, read_destinations
from lamplight_cli.files.document import Document
from lamplight_cli.files.rules import RulesFile, read_rules
from lamplight_cli.where import Where

_T = TypeVar("_T")
# Cameras reach alert by their topic, some tenths of a second after ingest has answered.
_SETTLE_S = 10.0
_LOOK_EVERY_S = 0.3


def _kept(problems: list[Problem], read: Callable[[Path], _T], path: Path | None) -> _T | None:
    try:
        return None if path is None else read(path)
    except BadInput as error:
        problems.extend(error.problems)
        return None


@dataclass(frozen=True)
class Wishes:
    """The files that a user gave, read and checked."""

    cameras: CamerasFile | None = None
    rules: RulesFile | None = None
    destinations: DestinationsFile | None = None

    @classmethod
    def read(cls, cameras: Path | None, rules: Path | None, destinations: Path | None) -> Self:
        """Read those that were given; raises `BadInput` with every mistake in all of them."""
        problems: list[Problem] = []
        wishes = cls(
            _kept(problems, read_cameras, cameras),
            _kept(problems, read_rules, rules),
            _kept(problems, read_destinations, destinations),
        )
        if problems:
            raise BadInput(tuple(problems))
        return wishes

    def __bool__(self) -> bool:
        """Tell whether anything was given."""
        return any((self.cameras, self.rules, self.destinations))

    @property
    def needs(self) -> Sequence[str]:
        """The services that must be ready to take them."""
        return [*(["ingest"] if self.cameras else []), *(["alert"] if self.rules or self.destinations else [])]


@dataclass(frozen=True)
class Applied:
    """What became of it, in words."""

    lines: Sequence[str]


def apply(wishes: Wishes, where: Where) -> Applied:
    """Hand over destinations, cameras and rules, in this order, since each may name the ones before.

    Raises `BadInput` at the user's own lines, or `CallFailedError`.
    """
    lines: list[str] = []
    said: Sequence[str] = ()
    cameras: Sequence[camera_pb2.Camera] = ()
    if wishes.destinations:
        kept, said = apply_destinations(wishes.destinations, where)
        lines += [f"destinations: {_ids(kept)} applied", *said]
    if wishes.cameras:
        cameras = apply_cameras(wishes.cameras, where)
        lines.append(f"cameras: {_ids(cameras)} applied")
    if wishes.rules:
        rules, warnings = _apply_rules_to(cameras, wishes.rules, where)
        lines += [f"rules: {_ids(rules)} applied", *_unsaid(warnings, said)]
    return Applied(lines)


def _apply_rules_to(
    cameras: Sequence[camera_pb2.Camera], file: RulesFile, where: Where
) -> tuple[Sequence[rule_pb2.Rule], Sequence[str]]:
    """Apply rules to `cameras` just applied, again (which changes nothing) until alert's warnings know of these."""
    until_s = time.monotonic() + _SETTLE_S
    rules, warnings = apply_rules(file, where)
    while is_behind(warnings, file.rules, cameras) and time.monotonic() < until_s:
        time.sleep(_LOOK_EVERY_S)
        rules, warnings = apply_rules(file, where)
    return rules, warnings


def is_behind(warnings: Sequence[str], rules: Sequence[rule_pb2.Rule], cameras: Sequence[camera_pb2.Camera]) -> bool:
    """Tell whether a warning misses one of `cameras`, or a zone of theirs, that a rule does choose."""
    for rule in rules:
        chosen = [camera for camera in cameras if selects(rule.cameras, camera.id, camera.labels)]
        missed = [f"zone {zone.id!r} is none" for camera in chosen for zone in camera.zones]
        missed += ["no camera is chosen"] if chosen else []
        if any(warning.startswith(f"rule {rule.id}: {words}") for words in missed for warning in warnings):
            return True
    return False


def _unsaid(warnings: Sequence[str], said: Sequence[str]) -> Sequence[str]:
    """Return the warnings that do not begin, up to their colon, as one that was said before."""
    heads = {warning.partition(":")[0] for warning in said}
    return [warning for warning in warnings if warning.partition(":")[0] not in heads]


def apply_cameras(file: CamerasFile, where: Where) -> Sequence[camera_pb2.Camera]:
    """Write the cameras of the file that are not so yet; return all of them."""
    with _at_lines(file.document), calling("ingest", where.service("ingest"), where.token) as channel:
        stub = camera_pb2_grpc.CameraServiceStub(channel)
        many.carry_out(stub, many.difference(stub, file.cameras, prune=False), lambda *_: None)
        return list(file.cameras)


def apply_rules(file: RulesFile, where: Where) -> tuple[Sequence[rule_pb2.Rule], Sequence[str]]:
    """Return the rules of the file as they are in force, and what the user should know."""
    with _at_lines(file.document), calling("alert", where.service("alert"), where.token) as channel:
        stub = rule_pb2_grpc.RuleServiceStub(channel)
        answer = call(stub.ApplyRules, rule_pb2.ApplyRulesRequest(rules=file.rules))
        return list(answer.rules), list(answer.warnings)


def apply_destinations(file: DestinationsFile, where: Where) -> tuple[Sequence[rule_pb2.Destination], Sequence[str]]:
    """Return the destinations of the file as they are kept, and what the user should know."""
    with _at_lines(file.document), calling("alert", where.service("alert"), where.token) as channel:
        stub = rule_pb2_grpc.RuleServiceStub(channel)
        request = rule_pb2.ApplyDestinationsRequest(destinations=file.destinations)
        answer = call(stub.ApplyDestinations, request)
        return list(answer.destinations), list(answer.warnings)


def _ids(things: Sequence[camera_pb2.Camera] | Sequence[rule_pb2.Rule] | Sequence[rule_pb2.Destination]) -> str:
    return ", ".join(thing.id for thing in things) or "none"


@contextmanager
def _at_lines(document: Document) -> Iterator[None]:
    try:
        yield
    except BadInput as error:
        raise document.at_lines(error.problems) from error
