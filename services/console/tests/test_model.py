"""The book of alerts keeps the newest revision, and not for ever."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from lamplight_console.model import AlertBook


def alert(
    alert_id: str, revision: int, phase: str = "opened", camera: str = "a", at: str = "2026-01-01"
) -> dict[str, Any]:
    """Make an alert's data."""
    return {"alert_id": alert_id, "revision": revision, "phase": phase, "camera_id": camera, "at": at}


REVISIONS = st.lists(st.tuples(st.sampled_from("xyz"), st.integers(1, 6)), max_size=40)


@given(REVISIONS)
def test_the_newest_revision_stays(told: list[tuple[str, int]]) -> None:
    """Whatever the order and however often, the book holds each alert's highest revision."""
    book = AlertBook(100)
    for alert_id, revision in told:
        book.tell(alert(alert_id, revision))
    for alert_id in {name for name, _ in told}:
        kept = book.get(alert_id)
        assert kept is not None
        assert kept["revision"] == max(revision for name, revision in told if name == alert_id)


def test_telling_twice_is_telling_once() -> None:
    """A repeated revision is no news."""
    book = AlertBook(100)
    assert book.tell(alert("x", 1))
    assert not book.tell(alert("x", 1))


def test_open_ones_come_first() -> None:
    """Open before ended, newest first; filters hold."""
    book = AlertBook(100)
    book.tell(alert("old", 1, at="1"))
    book.tell(alert("new", 1, at="3"))
    book.tell(alert("done", 2, "resolved", "b", at="9"))
    names = [shown["alert_id"] for shown in book.newest(open_only=False, camera_id="", limit=9)]
    assert names == ["new", "old", "done"]
    assert [s["alert_id"] for s in book.newest(open_only=True, camera_id="", limit=1)] == ["new"]
    assert [s["alert_id"] for s in book.newest(open_only=False, camera_id="b", limit=9)] == ["done"]


def test_ended_ones_are_dropped_oldest_first() -> None:
    """Only ended alerts are dropped, the oldest first."""
    book = AlertBook(2)
    book.tell(alert("open", 1))
    for name in "123":
        book.tell(alert(name, 2, "resolved"))
    kept = {shown["alert_id"] for shown in book.newest(open_only=False, camera_id="", limit=9)}
    assert kept == {"open", "2", "3"}
