"""rules.yaml: `version` and the rules; alert checks what conditions mean, here beside other mistakes only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from lamplight.rule.v1 import rule_pb2
from lamplight_kit.errors import BadInput, Problem

from lamplight_cli.files.document import Document, Node, once

_FIELDS = ("id", "name", "cameras", "over", "when", "for_s", "clear_s", "schedule", "severity", "deliver")
_OVER = {name: rule_pb2.Over.Value(f"OVER_{name.upper()}") for name in ("thing", "zone", "camera", "match")}
_SEVERITY = {name: rule_pb2.Severity.Value(f"SEVERITY_{name.upper()}") for name in ("info", "warning", "critical")}
_LONGEST_S = 30 * 86_400.0
_CLEAR_S = 10.0
_MEANINGS = (".when", ".schedule")


@dataclass(frozen=True)
class RulesFile:
    """The rules of a file, in its order."""

    document: Document
    rules: Sequence[rule_pb2.Rule]


def read_rules(path: Path) -> RulesFile:
    """Read and check the whole file; raises `BadInput` with every mistake in it."""
    document = Document.read(path)
    top = document.root.fields(("version", "rules"), ("version", "rules"))
    if "version" in top:
        top["version"].whole(1, 1)
    nodes = top["rules"].items("a list of rules") if "rules" in top else []
    rules = [_rule(node.fields(_FIELDS, ("id", "over", "when"))) for node in nodes]
    once([(rule.id, node) for rule, node in zip(rules, nodes, strict=True)], "rule")
    if document.problems:
        document.problems += _meant_wrong(document, rules)
    document.check()
    return RulesFile(document, rules)


def _meant_wrong(document: Document, rules: Sequence[rule_pb2.Rule]) -> Sequence[Problem]:
    """Return what alert, where it is installed here, finds wrong in conditions and schedules.

    So that a file whose other mistakes keep it from alert is mended in one go; what its reader complained of is left.
    """
    told = {problem.path for problem in document.problems}
    for entry in entry_points(group="lamplight.local", name="alert"):
        try:
            entry.load()(rules, ())
        except BadInput as error:
            found = document.at_lines(error.problems).problems
            return [each for each in found if each.path.endswith(_MEANINGS) and each.value and each.path not in told]
    return ()


def _rule(found: Mapping[str, Node]) -> rule_pb2.Rule:
    over = found["over"].choice(tuple(_OVER)) if "over" in found else ""
    severity = found["severity"].choice(tuple(_SEVERITY)) if "severity" in found else "warning"
    rule = rule_pb2.Rule(
        id=found["id"].identifier() if "id" in found else "",
        cameras=found["cameras"].texts("a list of camera ids, with *, label:x, or ! before")
        if "cameras" in found
        else (),
        over=_OVER.get(over, rule_pb2.OVER_UNSPECIFIED),
        when=found["when"].text("a condition in CEL") if "when" in found else "",
        for_s=found["for_s"].number(0, _LONGEST_S, "seconds") if "for_s" in found else 0.0,
        clear_s=found["clear_s"].number(0, _LONGEST_S, "seconds") if "clear_s" in found else _CLEAR_S,
        schedule=found["schedule"].text("opening_hours syntax such as Mo-Fr 07:00-19:00")
        if "schedule" in found
        else "",
        severity=_SEVERITY.get(severity, rule_pb2.SEVERITY_UNSPECIFIED),
        deliver=[item.identifier() for item in found["deliver"].items("a list of destinations")]
        if "deliver" in found
        else (),
    )
    rule.name = found["name"].text() if "name" in found else ""
    return rule
