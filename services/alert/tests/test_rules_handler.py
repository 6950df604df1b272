"""Commands become tables, versions count changes."""

from __future__ import annotations

from lamplight.camera.v1 import camera_pb2
from lamplight.command.v1 import command_pb2
from lamplight.rule.v1 import rule_pb2
from lamplight_alert.handlers.rules import RulesHandler
from lamplight_kit.kafka.types import Outgoing, Record


def record(command: command_pb2.Command) -> Record:
    """Return a command as it is read."""
    return Record("commands", 3, 0, "id", command)


def apply(command_id: str, **fields: object) -> Record:
    """Return the command that writes the rule `a`."""
    rule = rule_pb2.Rule(id="a", **fields)  # type: ignore[arg-type]  # a table of fields
    return record(command_pb2.Command(command_id=command_id, apply_rule=rule))


def versions(outs: list[Outgoing]) -> list[tuple[int, str]]:
    """Return version and last command of each written rule."""
    rules = [out.message for out in outs if isinstance(out.message, rule_pb2.Rule)]
    return [(rule.version, rule.last_command_id) for rule in rules]


def test_versions_count_changes_only() -> None:
    """The same rule again keeps its version, so that nothing that is open is disturbed; the command is noted."""
    handler = RulesHandler()
    outs = [*handler.handle([apply("1", when="x"), apply("2", when="x"), apply("3", when="y", version=99)])]
    assert versions(outs) == [(1, "1"), (1, "2"), (2, "3")]
    assert {(out.topic, out.key, out.partition) for out in outs} == {("rules", "a", 3)}


def test_a_command_is_applied_once() -> None:
    """A command that comes again writes nothing."""
    handler = RulesHandler()
    handler.handle([apply("1")])
    assert not handler.handle([apply("1")])


def test_restored_goes_on() -> None:
    """A member that takes the partition over counts versions on."""
    handler = RulesHandler()
    kept = [out.message for out in handler.handle([apply("1", when="x")])]
    other = RulesHandler()
    other.restore(3, [Record("rules", 3, 0, "a", message) for message in kept if isinstance(message, rule_pb2.Rule)])
    assert versions([*other.handle([apply("2", when="y")])]) == [(2, "2")]
    other.forget(3)
    assert versions([*other.handle([apply("3", when="y")])]) == [(1, "3")]


def test_removing() -> None:
    """A removed rule or destination leaves a tombstone, once."""
    handler = RulesHandler()
    destination = rule_pb2.Destination(id="d", address="https://d.example")
    handler.handle([apply("1"), record(command_pb2.Command(command_id="2", apply_destination=destination))])
    removals = [
        record(command_pb2.Command(command_id="3", remove_rule_id="a")),
        record(command_pb2.Command(command_id="4", remove_destination_id="d")),
        record(command_pb2.Command(command_id="5", remove_rule_id="a")),
    ]
    assert [(out.topic, out.key, out.message) for out in handler.handle(removals)] == [
        ("rules", "a", None),
        ("destinations", "d", None),
    ]


def test_commands_of_others_are_ignored() -> None:
    """Cameras and situations are their own owners' business."""
    camera = camera_pb2.Camera(id="a")
    assert not RulesHandler().handle([record(command_pb2.Command(command_id="1", apply_camera=camera))])
