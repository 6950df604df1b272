"""The terminal says what happened, once, and which cameras show what was never seen."""

from __future__ import annotations

import re

from lamplight_demo.story import CAMERAS, SORTS, Tally, opening
from lamplight_demo.system import WATCH


def line(camera_id: str, phase: str, rule_id: str = "no-scene") -> dict[str, object]:
    """Return one line of `lamplight alerts tail --json`."""
    return {
        "kind": "alert",
        "camera_id": camera_id,
        "phase": phase,
        "rule_id": rule_id,
        "at": "2026-05-08T10:40:02Z",
        "severity": "warning",
        "summary": "A car has stood.",
    }


def test_the_opening_names_every_camera() -> None:
    """Nobody has to guess what is watched."""
    said = "\n".join(opening())
    assert all(f"{camera_id} " in said for camera_id in CAMERAS)


def test_an_alert_is_one_line_and_counted_by_camera() -> None:
    """Opened and resolved are counted apart; a camera without alerts is told as such."""
    tally = Tally()
    told = [tally.tell(line("canal-road", phase)) for phase in ("opened", "updated", "resolved", "opened")]
    assert told[0].split() == ["10:40:02", "opened", "warning", "canal-road", "A", "car", "has", "stood."]
    summary = "\n".join(tally.summary())
    assert "canal-road       opened 2, resolved 1" in summary
    assert "ring-road        opened 0, resolved 0" in summary


def test_the_summary_names_the_sorts_that_never_came() -> None:
    """A slow machine is no failure, but nobody takes silence for an alert; with all four nothing is said."""
    tally = Tally()
    tally.tell(line("old-street", "opened", "traffic-builds-up"))
    tally.tell(line("bus-yard", "opened", "no-scene"))
    assert tally.summary()[-1] == (
        "demo: no alert of sort still, situation came; on a slow machine let it run longer (FOR=180)"
    )
    for rule_id in SORTS:
        tally.tell(line("canal-road", "opened", rule_id))
    assert not any("no alert" in said for said in tally.summary())


def test_every_rule_has_a_sort() -> None:
    """A rule that is renamed does not make its sort missing for ever."""
    rules = (WATCH / "rules.yaml").read_text(encoding="utf-8")
    assert re.findall(r"^- id: (\S+)$", rules, re.MULTILINE) == list(SORTS)
