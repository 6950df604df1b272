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
from lamplight_ingest.places import ASIDE_AFTER_S

SMALL = Bounds(
    at_once=6,
    at_a_server=2,
    at_a_server_most=4,
    weary_at_once=4,
    aside=5,
    weary_aside=3,
    a_second=10,
    burst=5,
)
asks = st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.floats(0, 2)), max_size=60)


@given(asks, st.randoms(use_true_random=False))
def test_no_bound_is_ever_broken_and_everybody_gets_in(
    wanted: list[tuple[int, bool, float]], dice: random.Random
) -> None:
    """Whoever asks, leaves or gives up, in whatever order."""
    gate, now_s, inside, waiting, aside = Gate(SMALL), 0.0, {}, {}, set()
    starts: list[float] = []

    def admit() -> None:
        for number in gate.admit(now_s):
            inside[number] = waiting.pop(number)
            starts.append(now_s)
        assert gate.inside <= SMALL.at_once
        assert gate.aside <= min(SMALL.aside, len(aside))
        assert gate.inside + gate.aside == len(inside)
        assert sum(is_weary for _, is_weary in inside.values()) <= SMALL.weary_at_once + SMALL.weary_aside
        at = Counter(server for server, _ in inside.values())
        assert all(count <= SMALL.at_a_server_most for count in at.values())

    for number, (server, is_weary, pause_s) in enumerate(wanted):
        now_s += pause_s
        waiting[number] = (str(server), is_weary)
        gate.ask(number, str(server), is_weary=is_weary)
        admit()
        for ticket in [each for each in inside if dice.random() < 0.2]:
            gate.stand_aside(ticket)
            aside.add(ticket)
            admit()
        for left in [each for each in [*inside, *waiting] if dice.random() < 0.2]:
            dice.choice((gate.answered, gate.failed, lambda *_: None))(left, now_s)
            gate.leave(left)
            aside.discard(left)
            inside.pop(left, None)
            waiting.pop(left, None)
        admit()
    for _ in range(len(wanted) * 10):
        for left in list(inside):
            gate.leave(left)
            aside.discard(left)
            del inside[left]
        pause_s = gate.pause_s()
        now_s += 0.1 if pause_s is None else pause_s + 1e-6
        admit()
    assert not waiting
    assert (gate.waiting, gate.inside + gate.aside) == (0, len(inside))
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
        self.dice = random.Random(7)
        self.servers_of: Callable[[int], int] = lambda number: number % servers
        self.begin_s: Callable[[int], float] = lambda _: 0.0
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
            self.put(self.begin_s(number) + self.dice.random(), "ask", number)
        self.put(0.0, "look", -1)
        while self.events and self.events[0][0] < until_s:
            now_s, _, what, number = heapq.heappop(self.events)
            if what == "ask":
                is_weary = self.lives[number].failures >= WEARY_AFTER
                self.gate.ask(number, str(self.servers_of(number)), is_weary=is_weary)
            elif what == "aside":
                self.gate.stand_aside(number)
            elif what in ("live", "failed"):
                (self.gate.answered if what == "live" else self.gate.failed)(number, now_s)
                self.gate.leave(number)
                self.at[self.servers_of(number)] -= 1
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
            if answer_s is None or answer_s > ASIDE_AFTER_S:
                self.put(now_s + ASIDE_AFTER_S, "aside", number)
            self.at[self.servers_of(number)] += 1
            self.starts[int(now_s)] += 1
            self.most_at_a_server = max(self.most_at_a_server, self.at[self.servers_of(number)])


def test_ten_thousand_that_come_back_at_once_storm_nobody() -> None:
    """No server sees more than its few, no second more than its share, and all are live within a minute."""
    storm = Storm(10_000, 20, Bounds(), lambda _: 0.3)
    storm.run(80.0)
    assert len(storm.live_s) == 10_000
    assert storm.most_at_a_server <= Bounds.at_a_server_most
    assert max(storm.starts.values()) <= Bounds.a_second + Bounds.burst + 1
    assert max(storm.live_s.values()) <= 10_000 / Bounds.a_second + 5


def test_five_thousand_dead_ones_hold_back_no_living() -> None:
    """Half of them never answer, and nobody knows beforehand which: the others are live within one minute."""
    storm = Storm(10_000, 5_000, Bounds(), lambda number: None if number % 2 else 0.3)
    storm.run(120.0)
    assert len(storm.live_s) == 5_000
    assert max(storm.live_s.values()) < 60


def test_a_worker_of_four_thousand_is_live_within_half_a_minute() -> None:
    """One machine's cameras, each at an address of its own, with 100 ms a request."""
    storm = Storm(4_000, 4_000, Bounds(), lambda _: 0.6)
    storm.run(30.0)
    assert len(storm.live_s) == 4_000


def test_three_hundred_behind_one_gateway_are_live_within_half_a_minute() -> None:
    """A gateway that answers has more and more at once: five requests of 100 ms each."""
    storm = Storm(300, 1, Bounds(), lambda _: 0.5)
    storm.run(30.0)
    assert len(storm.live_s) == 300
    assert Bounds.at_a_server < storm.most_at_a_server <= Bounds.at_a_server_most


def test_a_server_that_answers_slowly_gets_no_more_at_once() -> None:
    """Slow answers are a sign of too many already."""
    storm = Storm(100, 1, Bounds(), lambda _: 2.5)
    storm.run(60.0)
    assert storm.most_at_a_server <= 3 * Bounds.at_a_server  # four inside for a second, the others aside


def test_a_server_that_fails_has_half_as_many_at_once_next() -> None:
    """Those that fail within a second count as one; none has fewer than every server."""
    gate = Gate(Bounds(at_once=1000, a_second=1e6, burst=1e6))
    for number in range(2000):
        gate.ask(number, "gateway", is_weary=False)
    now_s, held = 0.0, list(gate.admit(0.0))
    while len(held) < Bounds.at_a_server_most:
        now_s += 0.1
        for number in held:
            gate.answered(number, now_s)
            gate.leave(number)
        held = list(gate.admit(now_s))
        assert held
    for number in held[:-1]:
        gate.failed(number, now_s)
        gate.leave(number)
    assert (len(gate.admit(now_s)), gate.inside) == (Bounds.at_a_server_most // 2 - 1, Bounds.at_a_server_most // 2)


def test_honest_cameras_added_among_ten_thousand_silent_ones_are_live_within_seconds() -> None:
    """The silent, each at a server of its own, hold their sockets; weary ones leave room; a good server goes first."""
    storm = Storm(10_030, 10_001, Bounds(), lambda number: 0.5 if number >= 10_000 else None)
    storm.begin_s = lambda number: 60.0 if number >= 10_000 else 0.0
    storm.servers_of = lambda number: min(number, 10_000)
    storm.run(90.0)
    assert sorted(storm.live_s) == list(range(10_000, 10_030))
    assert max(storm.live_s.values()) < 68.0
