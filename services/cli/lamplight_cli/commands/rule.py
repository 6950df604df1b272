"""`lamplight rule apply|list|remove`."""

from __future__ import annotations

from pathlib import Path

import click

from lamplight_cli.commands import options
from lamplight_cli.output import say, say_json, say_rows, warn


@click.group(name="rule")
def command() -> None:
    """Say when to tell."""


@command.command(name="apply")
@click.argument("path", metavar="F", type=click.Path(path_type=Path))
@options.data
@options.as_json
def apply(path: Path, data: Path, *, as_json: bool) -> None:
    """Check the rules of file F, then write all of them."""
    from lamplight_cli.apply import apply_rules  # noqa: PLC0415 - imports gRPC
    from lamplight_cli.files.rules import read_rules  # noqa: PLC0415 - as above

    rules, warnings = apply_rules(read_rules(path), options.where(data))
    for rule in rules:
        if as_json:
            say_json({"kind": "rule", "id": rule.id, "version": rule.version, "applied": True})
        else:
            say(f"{rule.id}: applied, version {rule.version}")
    if not rules:
        warn(f"{path}: no rules in it, nothing was changed")
    for warning in warnings:
        warn(warning)


@command.command(name="list")
@options.data
@options.as_json
def list_(data: Path, *, as_json: bool) -> None:
    """List all rules."""
    from google.protobuf.json_format import MessageToDict  # noqa: PLC0415 - imported when it runs
    from lamplight.rule.v1 import rule_pb2, rule_pb2_grpc  # noqa: PLC0415 - imports gRPC

    from lamplight_cli.adapters.calls import call, calling  # noqa: PLC0415 - as above

    where = options.where(data)
    with calling("alert", where.service("alert"), where.token) as channel:
        answer = call(rule_pb2_grpc.RuleServiceStub(channel).ListRules, rule_pb2.ListRulesRequest())
    if as_json:
        for rule in answer.rules:
            fields = MessageToDict(rule, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
            over, severity = options.plain(fields["over"]), options.plain(fields["severity"])
            say_json({"kind": "rule", **fields, "version": rule.version, "over": over, "severity": severity})
        return
    rows = [
        (
            rule.id,
            options.plain(rule_pb2.Over.Name(rule.over)),
            options.plain(rule_pb2.Severity.Name(rule.severity)),
            ", ".join(rule.cameras) or "all",
            rule.when,
        )
        for rule in answer.rules
    ]
    say_rows(("id", "over", "severity", "cameras", "when"), rows, "no rules; apply some by `rule apply F`")


@command.command(name="remove")
@click.argument("rule_id", metavar="ID")
@options.data
@options.as_json
def remove(rule_id: str, data: Path, *, as_json: bool) -> None:
    """Remove the rule ID; its open incidents resolve."""
    from lamplight.rule.v1 import rule_pb2, rule_pb2_grpc  # noqa: PLC0415 - imports gRPC

    from lamplight_cli.adapters.calls import call, calling  # noqa: PLC0415 - as above

    where = options.where(data)
    with calling("alert", where.service("alert"), where.token) as channel:
        call(rule_pb2_grpc.RuleServiceStub(channel).RemoveRule, rule_pb2.RemoveRuleRequest(rule_id=rule_id))
    options.say_removed("rule", rule_id, as_json=as_json)
