"""The terminal says what happened, once, and which cameras show what was never seen."""

from __future__ import annotations

from lamplight_demo.story import CAMERAS, Tally, opening


def line(camera_id: str, phase: str) -> dict[str, object]:
    """Return one line of `lamplight alerts tail --json`."""
    return {
        "kind": "alert",
        "camera_id": camera_id,
        "phase": phase,
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
