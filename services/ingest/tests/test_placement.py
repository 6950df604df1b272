"""Who watches a camera while its partition moves: the tables of the pure part."""

from __future__ import annotations

import pytest
from lamplight_ingest.placement import CONTEST_S, HAND_OVER_S, Told, contests, lets_go


@pytest.mark.parametrize(
    ("away_s", "told", "expected"),
    [
        (0.0, Told(3, is_settled=True), False),  # our own word
        (5.0, Told(4, is_settled=False), False),  # the new holder is still being answered
        (0.2, Told(4, is_settled=True), True),
        (9.0, Told(2, is_settled=True), False),  # an old word, read late
        (HAND_OVER_S, Told(), True),  # nobody took it: not for ever
    ],
)
def test_the_old_holder_goes_on_until_the_new_one_has_an_answer(away_s: float, told: Told, expected: bool) -> None:
    """And for a bounded time, whatever becomes of the new one."""
    assert lets_go(3, away_s, told) is expected


def test_nobody_contests_a_camera_while_the_group_may_still_be_agreeing() -> None:
    """A higher epoch beside a partition of ours is answered only once it has stood for a while."""
    assert not contests(3, 3, 1e9)
    assert not contests(3, 4, CONTEST_S - 0.1)
    assert contests(3, 4, CONTEST_S)
