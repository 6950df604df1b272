"""Reading a condition's names and smallest parts."""

from __future__ import annotations

import pytest
from lamplight_alert.expressions import atoms, counted_classes, literals, references, tokens_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("thing.class_name == 'car'", ["thing.class_name"]),
        ('thing["class_name"] in ["a", "b"]', ["thing.class_name"]),
        ("thing.box.left + thing.box . right > 0.5", ["thing.box.left", "thing.box.right"]),
        ("thing.zones.exists(z, z.startsWith('bus'))", ["thing.zones"]),
        ("size(camera.labels) > 0 && camera.labels.size() > 0", ["camera.labels", "camera.labels"]),
        ('"thing.no" in thing.zones // camera.no', ["thing.zones"]),
        ("has(thing.attended) && !thing.attended", ["thing.attended", "thing.attended"]),
        ("true || null == foo", ["foo"]),
        ('camera.counts["traffic light"] > 0', ["camera.counts.traffic light"]),
        ("thing.zones[0] == 'a'", ["thing.zones"]),
    ],
)
def test_references(text: str, expected: list[str]) -> None:
    """Names are found wherever they stand, and only names."""
    assert [".".join(found.path) for found in references(tokens_of(text))] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a && b || c", ["a", "b", "c"]),
        ("!(a && (b || !c))", ["a", "b", "c"]),
        ("a ? b : c", ["a", "b", "c"]),
        ("(a + b) > c", ["(a + b) > c"]),
        ("x.exists(z, z && y)", ["x.exists(z, z && y)"]),
        ("!a && b == '&&'", ["a", "b == '&&'"]),
        ("(a) && (b)", ["a", "b"]),
    ],
)
def test_atoms(text: str, expected: list[str]) -> None:
    """A condition falls into parts that are true or false by themselves, each found where it stands."""
    found = atoms(text)
    assert [atom.text for atom in found] == expected
    assert all(text[atom.start :].startswith(atom.text) for atom in found)


def test_literals_are_not_field_names() -> None:
    """A string in brackets after a name is a field."""
    assert literals(tokens_of('camera["state"] in ["live"]')) == ("live",)


def test_counted_classes() -> None:
    """Classes are found by both ways of writing them."""
    text = 'zone.counts.car > 1 || camera.counts["fire hydrant"] > 0 || zone.counts.car > 3'
    assert counted_classes(text) == ("car", "fire hydrant")
