"""RuleService as a caller sees it: over gRPC, with roles, on tables that a rules' stage writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import grpc
import pytest
from lamplight.audit.v1 import audit_pb2
from lamplight.command.v1 import command_pb2
from lamplight.rule.v1 import rule_pb2, rule_pb2_grpc
from lamplight_alert.adapters.grpc_api import GrpcApi
from lamplight_alert.api import Commands, RuleApi, Tables
from lamplight_alert.bootstrap import known
from lamplight_alert.classes import COUNTABLE
from lamplight_alert.handlers.rules import RulesHandler
from lamplight_kit.audit import Auditor
from lamplight_kit.clock import ManualClock
from lamplight_kit.kafka.types import Outgoing, Record
from lamplight_kit.rpc import Caller, Role, Tokens, blocking_channel, problems_of, sha256_of

CALLERS = {"viewer": Role.VIEWER, "operator": Role.OPERATOR, "admin": Role.ADMIN}


class Bus:
    """An outbox whose commands go straight through the rules' stage into the tables, unless it is `away`."""

    def __init__(self, film: Any) -> None:
        """Start with one camera and no rule."""
        self.cameras = film.World().cameras
        self.rules, self.destinations = film.Rows(), film.Rows()
        self.audited: list[audit_pb2.AuditRecord] = []
        self.commands: list[command_pb2.Command] = []
        self.is_away = False
        self._handler = RulesHandler()

    def put(self, records: Sequence[Outgoing]) -> None:
        """Take records as the real outbox does."""
        for record in records:
            if isinstance(record.message, audit_pb2.AuditRecord):
                self.audited.append(record.message)
            elif isinstance(record.message, command_pb2.Command) and not self.is_away:
                self.commands.append(record.message)
                self._write(self._handler.handle([Record("commands", 0, 0, record.key, record.message)]))

    def _write(self, outs: Sequence[Outgoing]) -> None:
        for out in outs:
            rows = {"rules": self.rules, "destinations": self.destinations}[out.topic].rows
            rows.pop(out.key, None)
            if out.message is not None:
                rows[out.key] = out.message


@pytest.fixture
def bus(film: Any) -> Bus:
    """Give tables behind a rules' stage."""
    return Bus(film)


@pytest.fixture
def port(bus: Bus) -> Iterator[int]:
    """Serve the API; give its port."""
    clock = ManualClock()
    commands = Commands(bus, Auditor(bus, "alert-0", clock), clock)
    tables = Tables(bus.cameras, bus.rules, bus.destinations)
    api = RuleApi(tables, commands, lambda rows, ids: known(rows, ids, COUNTABLE), timeout_s=0.2)
    tokens = Tokens([(sha256_of(name), Caller(name, role)) for name, role in CALLERS.items()])
    served = GrpcApi("127.0.0.1:0", tokens, api)
    served.start()
    yield served.port
    served.stop(1)


@pytest.fixture
def stub(port: int) -> Iterator[rule_pb2_grpc.RuleServiceStub]:
    """Give an admin's way in."""
    with blocking_channel(f"127.0.0.1:{port}", "admin") as channel:
        yield rule_pb2_grpc.RuleServiceStub(channel)


def rule(**fields: Any) -> rule_pb2.Rule:
    """Return a rule that is right but for what is given."""
    given: dict[str, Any] = {"id": "a", "when": "thing.score > 0.5", **fields}
    return rule_pb2.Rule(over=rule_pb2.OVER_THING, severity=rule_pb2.SEVERITY_INFO, **given)


DESK = rule_pb2.Destination(id="desk", kind=rule_pb2.Destination.KIND_WEBHOOK, address="https://desk.example")


def test_apply_list_remove(bus: Bus, stub: rule_pb2_grpc.RuleServiceStub) -> None:
    """Destinations and rules are written, listed and removed, in the caller's name, each act audited."""
    kept = stub.ApplyDestinations(rule_pb2.ApplyDestinationsRequest(destinations=[DESK]))
    assert (kept.destinations[0].version, len(kept.warnings)) == (1, 1)
    rules = [rule(id="b", deliver=["desk"]), rule(id="a")]
    answer = stub.ApplyRules(rule_pb2.ApplyRulesRequest(rules=rules))
    assert [(one.id, one.version) for one in answer.rules] == [("b", 1), ("a", 1)]
    assert answer.warnings == ["only the alerts topic is served yet: desk kept, nothing is delivered there"]
    assert [one.id for one in stub.ListRules(rule_pb2.ListRulesRequest()).rules] == ["a", "b"]
    stub.RemoveRule(rule_pb2.RemoveRuleRequest(rule_id="b"))
    stub.RemoveDestination(rule_pb2.RemoveDestinationRequest(destination_id="desk"))
    assert not stub.ListDestinations(rule_pb2.ListDestinationsRequest()).destinations
    assert [(one.actor, one.action, list(one.subject_ids)) for one in bus.audited] == [
        ("admin", "apply_destination", ["desk"]),
        ("admin", "apply_rule", ["b", "a"]),
        ("admin", "remove_rule", ["b"]),
        ("admin", "remove_destination", ["desk"]),
    ]
    assert {command.actor for command in bus.commands} == {"admin"}


def test_bad_rules_change_nothing(bus: Bus, stub: rule_pb2_grpc.RuleServiceStub) -> None:
    """One bad rule refuses all, and every problem comes with its path."""
    rules = [rule(id="fine"), rule(id="bad", when="thing.scor > 1", deliver=["desk"])]
    with pytest.raises(grpc.RpcError) as refused:
        stub.ApplyRules(rule_pb2.ApplyRulesRequest(rules=rules))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert {problem.path for problem in problems_of(refused.value)} == {"rules[1].when", "rules[1].deliver[0]"}
    assert not bus.commands


def test_a_password_in_an_address_is_refused_and_not_repeated(stub: rule_pb2_grpc.RuleServiceStub) -> None:
    """Credentials belong into secrets; the refusal does not repeat them."""
    bad = rule_pb2.Destination(id="d", kind=rule_pb2.Destination.KIND_WEBHOOK, address="https://u:hunter2@d.example")
    with pytest.raises(grpc.RpcError) as refused:
        stub.ApplyDestinations(rule_pb2.ApplyDestinationsRequest(destinations=[bad]))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "hunter2" not in f"{refused.value.details()}{problems_of(refused.value)}"


def test_removing_what_is_not_there_or_in_use(stub: rule_pb2_grpc.RuleServiceStub) -> None:
    """The nearest id is named; a destination that a rule delivers to stays."""
    stub.ApplyDestinations(rule_pb2.ApplyDestinationsRequest(destinations=[DESK]))
    stub.ApplyRules(rule_pb2.ApplyRulesRequest(rules=[rule(id="standing", deliver=["desk"])]))
    with pytest.raises(grpc.RpcError) as missing:
        stub.RemoveRule(rule_pb2.RemoveRuleRequest(rule_id="standin"))
    assert missing.value.code() is grpc.StatusCode.NOT_FOUND
    assert "did you mean 'standing'?" in str(missing.value.details())
    with pytest.raises(grpc.RpcError) as used:
        stub.RemoveDestination(rule_pb2.RemoveDestinationRequest(destination_id="desk"))
    assert used.value.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_not_in_force_in_time(bus: Bus, stub: rule_pb2_grpc.RuleServiceStub) -> None:
    """Where the table does not show the command, the call says that it waits no longer."""
    bus.is_away = True
    with pytest.raises(grpc.RpcError) as late:
        stub.ApplyRules(rule_pb2.ApplyRulesRequest(rules=[rule()]))
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize(("role", "may_apply"), [("viewer", False), ("operator", False), ("admin", True)])
def test_roles(port: int, role: str, may_apply: bool) -> None:
    """Everyone who is known may list; only an admin may change."""
    with blocking_channel(f"127.0.0.1:{port}", role) as channel:
        stub = rule_pb2_grpc.RuleServiceStub(channel)
        stub.ListRules(rule_pb2.ListRulesRequest())
        if may_apply:
            stub.ApplyRules(rule_pb2.ApplyRulesRequest(rules=[rule()]))
            return
        with pytest.raises(grpc.RpcError) as refused:
            stub.ApplyRules(rule_pb2.ApplyRulesRequest(rules=[rule()]))
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
