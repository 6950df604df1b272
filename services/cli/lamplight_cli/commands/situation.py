"""`lamplight situation add|list|remove`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from lamplight_cli.commands import options
from lamplight_cli.output import say, say_json, say_rows, warn


@click.group(name="situation")
def command() -> None:
    """Teach what to look for by example pictures."""


@command.command(name="add")
@click.argument("path", metavar="DIR", type=click.Path(path_type=Path))
@options.data
@options.as_json
def add(path: Path, data: Path, *, as_json: bool) -> int:
    """Enrol the situations of DIR: DIR/<id>/{examples,counter}/*.jpg and DIR/<id>/situation.yaml (or one alone)."""
    from lamplight_cli.enrol import enrol  # noqa: PLC0415 - imports gRPC
    from lamplight_cli.files.situations import read_situations  # noqa: PLC0415 - as above

    folders = read_situations(path)
    where = options.where(data)
    all_ready = True
    for folder in folders:
        line = _line(enrol(folder, where, warn))
        all_ready = all_ready and line["state"] == "ready"
        if as_json:
            say_json(line)
        else:
            say(f"{line['id']}: {line['state']}, threshold {line['threshold']:.3f}{_because(line)}")
    return 0 if all_ready else 1


@command.command(name="list")
@options.data
@options.as_json
def list_(data: Path, *, as_json: bool) -> None:
    """List all situations."""
    from lamplight.situation.v1 import situation_pb2, situation_pb2_grpc  # noqa: PLC0415 - imports gRPC

    from lamplight_cli.adapters.calls import call, calling  # noqa: PLC0415 - as above

    where = options.where(data)
    with calling("match", where.service("match"), where.token) as channel:
        stub = situation_pb2_grpc.SituationServiceStub(channel)
        answer = call(stub.ListSituations, situation_pb2.ListSituationsRequest())
    lines = [_line(situation) for situation in answer.situations]
    if as_json:
        for line in lines:
            say_json(line)
        return
    names = ("id", "state", "threshold", "examples", "counter_examples", "reason")
    rows = [[line[name] for name in names] for line in lines]
    say_rows(names, rows, "no situations; enrol some by `situation add DIR`")


@command.command(name="remove")
@click.argument("situation_id", metavar="ID")
@options.data
@options.as_json
def remove(situation_id: str, data: Path, *, as_json: bool) -> None:
    """Remove the situation ID with its vectors."""
    from lamplight.situation.v1 import situation_pb2, situation_pb2_grpc  # noqa: PLC0415 - imports gRPC

    from lamplight_cli.adapters.calls import call, calling  # noqa: PLC0415 - as above

    where = options.where(data)
    with calling("match", where.service("match"), where.token) as channel:
        stub = situation_pb2_grpc.SituationServiceStub(channel)
        call(stub.RemoveSituation, situation_pb2.RemoveSituationRequest(situation_id=situation_id))
    options.say_removed("situation", situation_id, as_json=as_json)


def _line(situation: Any) -> Mapping[str, Any]:
    counter = sum(reference.is_counter_example for reference in situation.references)
    return {
        "kind": "situation",
        "id": situation.id,
        "name": situation.name,
        "state": options.plain(situation.State.Name(situation.state)),
        "threshold": round(situation.effective_threshold, 4),
        "examples": len(situation.references) - counter,
        "counter_examples": counter,
        "cameras": list(situation.cameras),
        "zones": list(situation.zone_ids),
        "version": situation.version,
        "reason": situation.reason,
    }


def _because(line: Mapping[str, Any]) -> str:
    return f": {line['reason']}" if line["reason"] else ""
