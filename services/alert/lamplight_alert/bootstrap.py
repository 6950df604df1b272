"""Alert's wiring: the only module that names adapters."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lamplight.camera.v1 import camera_pb2
from lamplight.rule.v1 import rule_pb2
from lamplight_kit.audit import Auditor
from lamplight_kit.clock import SystemClock
from lamplight_kit.errors import BadInput
from lamplight_kit.kafka import KafkaOutbox, Stage, Table, Tables
from lamplight_kit.rpc import Tokens
from lamplight_kit.service import Component

from lamplight_alert.adapters import cel, metrics, opening_hours
from lamplight_alert.adapters.grpc_api import GrpcApi
from lamplight_alert.api import Commands, RuleApi
from lamplight_alert.api import Tables as ApiTables
from lamplight_alert.checks import Known, check_rules
from lamplight_alert.classes import COUNTABLE, STANDING
from lamplight_alert.conditions_check import ConditionCheck
from lamplight_alert.handlers.conditions import ConditionsHandler
from lamplight_alert.handlers.conditions import Tables as ConditionsTables
from lamplight_alert.handlers.incidents import IncidentsHandler
from lamplight_alert.handlers.rules import RulesHandler
from lamplight_alert.local import FixedTable, LocalAlert
from lamplight_alert.rulebook import Rulebook
from lamplight_alert.settings import AlertSettings


def local(
    rules: Sequence[rule_pb2.Rule],
    cameras: Sequence[camera_pb2.Camera],
    namespace: str = "lamplight",
    countable: Collection[str] = COUNTABLE,
) -> LocalAlert:
    """Return alert's conditions and incidents in one process, without Kafka.

    Feed `LocalAlert.handle` with records of `observations` and `matches` (partition 0 for all); it returns Outgoing
    records of the topic `alerts` alone, in order, whose `message` is the CloudEvent's JSON. Its `warnings` hold what
    is odd in the rules. Raises `BadInput` with every problem of the rules; destinations are not looked at.
    """
    wanted = {destination for rule in rules for destination in rule.deliver}
    problems, warnings = check_rules(rules, known(cameras, wanted, countable))
    if problems:
        raise BadInput(problems)
    # A version of 0 is that of no rule in force.
    numbered = [rule_pb2.Rule.FromString(rule.SerializeToString()) for rule in rules]
    for rule in numbered:
        rule.version = rule.version or 1
    tables = ConditionsTables(FixedTable(cameras), FixedTable(()), FixedTable(numbered))
    conditions = conditions_handler(tables, countable)
    return LocalAlert(conditions, IncidentsHandler(namespace), warnings)


def build(settings: AlertSettings) -> Sequence[Component]:
    """Return the parts of an alert process, in the order in which they start."""
    bus, clock = settings.bus(), SystemClock()
    cameras, states, rules, destinations = (
        Table(topic) for topic in ("cameras", "camera-states", "rules", "destinations")
    )
    outbox = KafkaOutbox(bus, "alert", ["commands", "audit"])
    auditor = Auditor(outbox, settings.replica, clock)
    api = RuleApi(
        ApiTables(cameras, rules, destinations),
        Commands(outbox, auditor, clock),
        lambda rows, ids: known(rows, ids, settings.countable_classes),
        settings.apply_timeout_s,
    )
    conditions = conditions_handler(ConditionsTables(cameras, states, rules), settings.countable_classes)
    incidents = IncidentsHandler(settings.namespace, metrics.told)
    return [
        outbox,
        Tables(bus, [cameras, states, rules, destinations]),
        Stage(bus, "alert.rules", ["commands"], RulesHandler(), state=["rules", "destinations"]),
        Stage(bus, "alert.conditions", ["observations", "matches"], conditions, state=["clocks"]),
        Stage(bus, "alert.incidents", ["conditions"], incidents, state=["incidents"]),
        GrpcApi(settings.grpc_listen, Tokens.read(settings.tokens_file), api, auditor.refused),
    ]


def known(cameras: Sequence[camera_pb2.Camera], destination_ids: Collection[str], countable: Collection[str]) -> Known:
    """Return what rules are checked against."""
    check = ConditionCheck(cel.grammar, cel.trial, countable, {*countable, *STANDING})
    return Known(cameras, destination_ids, check, opening_hours.fault)


def conditions_handler(tables: ConditionsTables, countable: Collection[str]) -> ConditionsHandler:
    """Return the handler of the second stage."""
    rulebook = Rulebook(cel.compile_condition, opening_hours.compile_schedule, countable)
    return ConditionsHandler(rulebook, cel.prepare, tables, metrics.dropped)
