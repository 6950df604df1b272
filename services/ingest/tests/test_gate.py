"""Thousands that want to reach their sources at once: by a clock made up, then over real sockets."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from lamplight_ingest import life as lives
from lamplight_ingest.gate import WEARY_AFTER, Bounds, Gate
from lamplight_ingest.life import Moment, State

SMALL = Bounds(at_once=6, at_a_server=2, weary_at_once=4, a_second=10, burst=5)
asks = st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.floats(0, 2)), max_size=60)


@given(asks, st.randoms(use_true_random=False))
def test_no_bound_is_ever_broken_and_everybody_gets_in(
    wanted: list[tuple[int, bool, float]], dice: random.Random
) -> None:
    """Whoever asks, leaves or gives up, in whatever order."""
    gate, now_s, inside, waiting = Gate(SMALL), 0.0, {}, {}
    starts: list[float] = []

    def admit() -> None:
        for number in gate.admit(now_s):
            inside[number] = waiting.pop(number)
            starts.append(now_s)
        assert len(inside) <= SMALL.at_once
        assert sum(is_weary for _, is_weary in inside.values()) <= SMALL.weary_at_once
        assert all(count <= SMALL.at_a_server for count in Counter(server for server, _ in inside.values()).values())

    for number, (server, is_weary, pause_s) in enumerate(wanted):
        now_s += pause_s
        waiting[number] = (str(server), is_weary)
        gate.ask(number, str(server), is_weary=is_weary)
        admit()
        for left in [each for each in [*inside, *waiting] if dice.random() < 0.2]:
            gate.leave(left)
            inside.pop(left, None)
            waiting.pop(left, None)
        admit()
    for _ in range(len(wanted) * 10):
        for left in list(inside):
            gate.leave(left)
            del inside[left]
        pause_s = gate.pause_s()
        now_s += 0.1 if pause_s is None else pause_s + 1e-6
        admit()
    assert not waiting
    assert (gate.waiting, gate.inside) == (0, len(inside))
    for at, start_s in enumerate(starts):
        assert sum(start_s <= other_s < start_s + 1 for other_s in starts[at:]) <= SMALL.burst + SMALL.a_second + 1


def test_a_dead_thousand_keeps_no_fresh_camera_waiting() -> None:
    """All but a few places may be taken by those that fail; the next fresh one goes before those that wait."""
    gate = Gate(Bounds(at_once=40, weary_at_once=30, a_second=1000, burst=1000))
    for number in range(1000):
        gate.ask(number, f"dead-{number}", is_weary=True)
    assert len(gate.admit(0)) == 30
    gate.ask(5000, "fresh", is_weary=False)
    assert list(gate.admit(0)) == [5000]


class Storm:
    """Cameras of a few servers that went away and come back at once, in simulated time."""

    def __init__(self, cameras: int, servers: int, bounds: Bounds, answer_s: Callable[[int], float | None]) -> None:
        """Let camera n be answered after `answer_s(n)` seconds; None: never, and the try fails after 10."""
        self.gate = Gate(bounds)
        self.bounds = bounds
        self.answer_s = answer_s
        self.servers = servers
        self.dice = random.Random(7)
        self.lives = {number: lives.begin(Moment(0, 0.0)) for number in range(cameras)}
        self.events: list[tuple[float, int, str, int]] = []
        self.count = itertools.count()
        self.live_s: dict[int, float] = {}
        self.at: Counter[int] = Counter()
        self.most_at_a_server = self.most_in_a_second = 0
        self.starts: Counter[int] = Counter()

    def put(self, at_s: float, what: str, number: int) -> None:
        """Have something happen."""
        heapq.heappush(self.events, (at_s, next(self.count), what, number))

    def run(self, until_s: float) -> None:
        """Let it happen."""
        for number in self.lives:
            self.put(self.dice.random(), "ask", number)
        self.put(0.0, "look", -1)
        while self.events and self.events[0][0] < until_s:
            now_s, _, what, number = heapq.heappop(self.events)
            if what == "ask":
                is_weary = self.lives[number].failures >= WEARY_AFTER
                self.gate.ask(number, str(number % self.servers), is_weary=is_weary)
            elif what in ("live", "failed"):
                self.gate.leave(number)
                self.at[number % self.servers] -= 1
                self._ended(number, now_s, is_live=what == "live")
            self._admit(now_s)
            if what == "look":
                self.put(now_s + 0.05, "look", -1)

    def _ended(self, number: int, now_s: float, *, is_live: bool) -> None:
        moment = Moment(int(now_s * 1e9), now_s)
        if is_live:
            self.live_s[number] = now_s
            return
        self.lives[number] = lives.failed(self.lives[number], moment, State.GONE, reason="away")
        self.put(now_s + lives.retry_after_s(self.lives[number], self.dice.random()), "ask", number)

    def _admit(self, now_s: float) -> None:
        for number in self.gate.admit(now_s):
            answer_s = self.answer_s(number)
            self.put(now_s + (10.0 if answer_s is None else answer_s), "failed" if answer_s is None else "live", number)
            self.at[number % self.servers] += 1
            self.starts[int(now_s)] += 1
            self.most_at_a_server = max(self.most_at_a_server, self.at[number % self.servers])


def test_ten_thousand_that_come_back_at_once_storm_nobody() -> None:
    """No server sees more than its few, no second more than its share, and all are live within a minute."""
    storm = Storm(10_000, 20, Bounds(), lambda _: 0.3)
    storm.run(80.0)
    assert len(storm.live_s) == 10_000
    assert storm.most_at_a_server == Bounds.at_a_server
    assert max(storm.starts.values()) <= Bounds.a_second + Bounds.burst + 1
    assert max(storm.live_s.values()) <= 10_000 / Bounds.a_second + 5


def test_five_thousand_dead_ones_hold_back_no_living() -> None:
    """Half of them never answer, and nobody knows beforehand which: the others are live within two minutes."""
    storm = Storm(10_000, 5_000, Bounds(), lambda number: None if number % 2 else 0.3)
    storm.run(120.0)
    assert len(storm.live_s) == 5_000
    assert max(storm.live_s.values()) < 120
