"""What is refused before anything changes, and what is only said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as chosen
from hypothesis import strategies as st
from lamplight.rule.v1 import rule_pb2
from lamplight_alert.adapters import cel
from lamplight_alert.bootstrap import known, local
from lamplight_alert.checks import check_destinations, check_rules
from lamplight_alert.classes import COUNTABLE
from lamplight_alert.model import Over, Truth
from lamplight_alert.rulebook import OVERS
from lamplight_alert.scopes import SAMPLES, names_of
from lamplight_kit.errors import BadInput, Problem
from ruamel.yaml import YAML

GUIDE = Path(__file__).parents[3] / "docs" / "rules.md"
_WORDS = {True: Truth.TRUE, False: Truth.FALSE, "unknown": Truth.UNKNOWN}


def problems(rule: rule_pb2.Rule, film: Any) -> Sequence[Problem]:
    """Return the problems of one rule."""
    return check_rules([rule], known([film.World().camera], {"desk"}, COUNTABLE))[0]


def rule(over: int = rule_pb2.OVER_THING, when: str = "thing.score > 0.5", **fields: Any) -> rule_pb2.Rule:
    """Return a rule that is right but for what is given."""
    given: dict[str, Any] = {"id": "rule", "severity": rule_pb2.SEVERITY_INFO, **fields}
    return rule_pb2.Rule(over=rule_pb2.Over.ValueType(over), when=when, **given)


@pytest.mark.parametrize(
    ("over", "when", "value", "cure"),
    [
        (1, "thing.clas_name == 'car'", "thing.clas_name", "did you mean thing.class_name?"),
        (1, "zone.id == 'a'", "zone.id", "`zone` is seen by rules `over: zone`"),
        (1, "thingy.score > 1", "thingy.score", "did you mean thing?"),
        (1, "thing.box.lft > 0.1", "thing.box.lft", "did you mean thing.box.left?"),
        (1, "thing.score.high", "thing.score.high", "it holds no further names"),
        (1, "thing.score > 0.5 &&", "thing.score > 0.5 &&", "1:21"),
        (1, "thing.still_s > 'long' || true", "thing.still_s > 'long'", "at character 1"),
        (1, "false && thing.zones", "thing.zones", "it gives a list at character 10"),
        (1, "thing.class_name.begins('c')", "thing.class_name.begins('c')", "begins"),
        (2, "zone.counts > 3", "zone.counts > 3", "at character 1"),
        (2, "zone.counts.person", "zone.counts.person", "compare it with something"),
        (3, "camera.state == 'stall'", "stall", "did you mean stalled?"),
        (3, "'drak' in camera.health", "drak", "did you mean dark?"),
        (3, "thing.score > 0.1", "thing.score", "`thing` is seen by rules `over: thing`"),
        (4, "match.situation == 'x'", "match.situation", "did you mean match.situation_id?"),
        (4, "  ", "  ", "say when to tell"),
    ],
)
def test_conditions_are_refused(over: int, when: str, value: str, cure: str, film: Any) -> None:
    """Each mistake is named with its text and its cure."""
    (problem,) = problems(rule(over, when), film)
    assert problem.path == "rules[0].when"
    assert problem.value == value
    assert cure in problem.cure


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "Bus lane"),
        ("over", 0),
        ("severity", 0),
        ("for_s", -1.0),
        ("clear_s", float("nan")),
        ("schedule", "Mo-Fx 07:00-19:00"),
        ("name", "x" * 201),
    ],
)
def test_fields_are_refused(field: str, value: Any, film: Any) -> None:
    """Each field is checked by itself."""
    wrong = rule()
    setattr(wrong, field, value)
    assert [problem.path for problem in problems(wrong, film)] == [f"rules[0].{field}"]


def test_all_problems_at_once(film: Any) -> None:
    """One pass names everything that is wrong, in every rule."""
    wrong = [
        rule(deliver=["desk", "dsk"], cameras=["", "!label:"]),
        rule(when="thing.foo == 1 && bar", severity=0),
        rule(id="fine"),
    ]
    found, _ = check_rules(wrong, known([film.World().camera], {"desk"}, COUNTABLE))
    assert sorted(problem.path for problem in found) == [
        "rules[0].cameras[0]",
        "rules[0].cameras[1]",
        "rules[0].deliver[1]",
        "rules[1].id",
        "rules[1].severity",
        "rules[1].when",
        "rules[1].when",
    ]
    assert "did you mean 'desk'?" in str(found)


def test_a_condition_is_checked_whatever_else_is_wrong(film: Any) -> None:
    """Without a right `over` every scope counts, and a wrong name hides no wrong type beside it."""
    (over, when) = problems(rule(0, "thing.scor > 0.1 && zone.counts.car > 1"), film)
    assert (over.path, when.path, when.cure) == ("rules[0].over", "rules[0].when", "did you mean thing.score?")
    assert [one.value for one in problems(rule(when="thing.scor > 1 && thing.zones && thing.score > 'x'"), film)] == [
        "thing.scor",
        "thing.zones",
        "thing.score > 'x'",
    ]


def test_odd_names_are_warnings(film: Any) -> None:
    """Classes and zones that are not known are said, with the nearest; what is right is not."""
    cameras = [film.World().camera]
    odd = rule(
        when='thing.class_name == "trck" && "buslane" in thing.zones && camera.counts.persn > 0', deliver=["desk"]
    )
    found, warnings = check_rules([odd, rule(id="nowhere", cameras=["x"])], known(cameras, {"desk"}, COUNTABLE))
    assert not found
    assert [warning.partition(";")[2].strip() for warning in warnings[:3]] == [
        "did you mean 'person'?",
        "did you mean 'truck'?",
        "did you mean 'bus_lane'?",
    ]
    assert warnings[3:] == (
        "rule nowhere: no camera is chosen yet by x",
        "only the alerts topic is served yet: desk kept, nothing is delivered there",
    )
    nobody = "no camera is chosen yet (it is for all cameras, and there is none)"
    assert check_rules([rule()], known([], (), COUNTABLE))[1] == (f"rule rule: {nobody}",)
    right = rule(when='thing.class_name in ["car", "suitcase"] && "bus_lane" in thing.zones')
    assert check_rules([right], known(cameras, (), COUNTABLE)) == ((), ())


@pytest.mark.parametrize(
    ("kind", "address", "path"),
    [
        (1, "https://desk.example/hook", None),
        (2, "mqtts://broker.example:8883/alerts", None),
        (3, "http://orion.example:1026", None),
        (1, "https://user:word@desk.example/hook", "address"),
        (1, "ftp://desk.example", "address"),
        (2, "https://broker.example", "address"),
        (1, "https://desk.example:port", "address"),
        (1, "https://", "address"),
        (0, "https://desk.example", "kind"),
    ],
)
def test_destinations(kind: int, address: str, path: str | None) -> None:
    """Kinds have their own schemes, and no address holds a password, nor does its problem."""
    given = rule_pb2.Destination(id="desk", kind=rule_pb2.Destination.Kind.ValueType(kind), address=address)
    found, warnings = check_destinations([given])
    assert [problem.path for problem in found] == ([f"destinations[0].{path}"] if path else [])
    assert "word@" not in str(found)
    assert warnings == ("only the alerts topic is served yet: desk kept, nothing is delivered there",)


@chosen(
    st.sampled_from(["https://user:{p}@h/x", "mqtt:user:{p}@h", "https://h/hook?token={p}", "https://h/x#user:{p}@h"]),
    st.text(max_size=12),
)
def test_no_password_is_taken_or_told(shape: str, text: str) -> None:
    """Whatever it is, an address that holds one is refused in words that do not."""
    given = rule_pb2.Destination(
        id="desk", kind=rule_pb2.Destination.KIND_WEBHOOK, address=shape.format(p=f"zq{text}qz")
    )
    (problem,) = check_destinations([given])[0]
    assert problem.path == "destinations[0].address"
    assert "zq" not in str(problem)
    assert "qz" not in str(problem)


def test_the_local_door_refuses_bad_rules(film: Any) -> None:
    """The way in for rehearsals checks as the service does."""
    with pytest.raises(BadInput, match="did you mean thing"):
        local([rule(when="thng.score > 1")], [film.World().camera])


def blocks() -> list[Any]:
    """Return the guide's YAML blocks."""
    parts = GUIDE.read_text(encoding="utf-8").split("```yaml\n")[1:]
    return [YAML(typ="safe", pure=True).load(part.split("```")[0]) for part in parts]


def test_the_guides_rules_are_right(film: Any) -> None:
    """The rules of docs/rules.md pass the checks."""
    for entry in blocks()[0]["rules"]:
        fields = dict(entry)
        over = rule_pb2.Over.Value(f"OVER_{fields.pop('over').upper()}")
        severity = rule_pb2.Severity.Value(f"SEVERITY_{fields.pop('severity').upper()}")
        assert not problems(rule_pb2.Rule(over=over, severity=severity, **fields), film)


def test_the_guides_examples_hold(film: Any) -> None:
    """Each example of docs/rules.md gives what it says there, and passes the checks."""
    examples = blocks()[1]
    assert len(examples) > 10
    for example in examples:
        over = Over(example["over"])
        given = {name: {**example["given"].get(name, {})} for name in names_of(over)}
        for scope in given.values():
            if "counts" in scope:
                scope["counts"] = dict.fromkeys(COUNTABLE, 0) | dict(scope["counts"])
        truth = cel.compile_condition(example["when"])(cel.prepare(given))
        assert truth is _WORDS[example["is"]], example
        number = next(number for number, known_over in OVERS.items() if known_over is over)
        assert not problems(rule(number, example["when"]), film), example


def test_the_guide_names_all_that_cel_sees() -> None:
    """The guide's table holds every name of every scope."""
    text = GUIDE.read_text(encoding="utf-8")
    assert all(f"`{scope}.{name}`" in text for scope, fields in SAMPLES.items() for name in fields)
