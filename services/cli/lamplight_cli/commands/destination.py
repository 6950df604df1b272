"""`lamplight destination apply|list|remove`."""

from __future__ import annotations

from pathlib import Path

import click

from lamplight_cli.commands import options
from lamplight_cli.output import say, say_json, say_rows, warn


@click.group(name="destination")
def command() -> None:
    """Say whom to tell; the topic `alerts` always gets everything."""


@command.command(name="apply")
@click.argument("path", metavar="F", type=click.Path(path_type=Path))
@options.data
@options.as_json
def apply(path: Path, data: Path, *, as_json: bool) -> None:
    """Check the destinations of file F, then write all of them."""
    from lamplight_cli.apply import apply_destinations  # noqa: PLC0415 - imports gRPC
    from lamplight_cli.files.destinations import read_destinations  # noqa: PLC0415 - as above

    destinations, warnings = apply_destinations(read_destinations(path), options.where(data))
    for destination in destinations:
        if as_json:
            say_json({"kind": "destination", "id": destination.id, "version": destination.version, "applied": True})
        else:
            say(f"{destination.id}: kept, version {destination.version}")
    for warning in warnings:
        warn(warning)


@command.command(name="list")
@options.data
@options.as_json
def list_(data: Path, *, as_json: bool) -> None:
    """List all destinations."""
    from lamplight.rule.v1 import rule_pb2, rule_pb2_grpc  # noqa: PLC0415 - imports gRPC

    from lamplight_cli.adapters.calls import call, calling  # noqa: PLC0415 - as above

    where = options.where(data)
    with calling("alert", where.service("alert"), where.token) as channel:
        stub = rule_pb2_grpc.RuleServiceStub(channel)
        answer = call(stub.ListDestinations, rule_pb2.ListDestinationsRequest())
    names = ("id", "kind", "address", "secret")
    rows = [
        (each.id, each.Kind.Name(each.kind).removeprefix("KIND_").lower().replace("_", "-"), each.address, each.secret)
        for each in answer.destinations
    ]
    if not as_json:
        say_rows(names, rows, "no destinations; apply some by `destination apply F`")
        return
    for identifier, kind, address, secret in rows:
        say_json({"kind": "destination", "id": identifier, "speaks": kind, "address": address, "secret": secret})


@command.command(name="remove")
@click.argument("destination_id", metavar="ID")
@options.data
@options.as_json
def remove(destination_id: str, data: Path, *, as_json: bool) -> None:
    """Remove the destination ID, which no rule delivers to."""
    from lamplight.rule.v1 import rule_pb2, rule_pb2_grpc  # noqa: PLC0415 - imports gRPC

    from lamplight_cli.adapters.calls import call, calling  # noqa: PLC0415 - as above

    where = options.where(data)
    with calling("alert", where.service("alert"), where.token) as channel:
        stub = rule_pb2_grpc.RuleServiceStub(channel)
        call(stub.RemoveDestination, rule_pb2.RemoveDestinationRequest(destination_id=destination_id))
    options.say_removed("destination", destination_id, as_json=as_json)
