"""Who may reach its source next, where thousands want to at once; pure: times in, tickets (numbers) out.

Waiting cameras are of two bands: `fresh` ones, which are new or were just lost, and `weary` ones, which have failed
several times in a row. Fresh ones go first, but every fourth turn is a weary one's, and weary ones never hold all the
places: a thousand dead cameras keep no live one waiting, and none waits for ever. Within a band servers take turns, and
at one server its cameras go in the order in which they asked.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

WEARY_AFTER = 2
"""A camera that has failed so often in a row is weary."""
_WEARY_TURN = 4


@dataclass(frozen=True)
class Bounds:
    """How many may be reaching their sources at once, in all, at one server, and of weary ones; starts a second."""

    at_once: int = 512
    at_a_server: int = 4
    weary_at_once: int = 384
    a_second: float = 200.0
    burst: float = 50.0


@dataclass
class _Band:
    """The waiting of one band: servers in turn, each with its tickets in the order in which they came."""

    waiting: OrderedDict[str, deque[int]] = field(default_factory=OrderedDict)
    busy: dict[str, deque[int]] = field(default_factory=dict)  # servers that have no place free now

    def push(self, server: str, ticket: int, *, has_place: bool) -> None:
        of = self.busy if server in self.busy or not has_place else self.waiting
        of.setdefault(server, deque()).append(ticket)

    def pop(self) -> tuple[str, int]:
        server, tickets = self.waiting.popitem(last=False)
        ticket = tickets.popleft()
        if tickets:
            self.waiting[server] = tickets
        return server, ticket

    def block(self, server: str) -> None:
        if server in self.waiting:
            self.busy[server] = self.waiting.pop(server)

    def free(self, server: str) -> None:
        if server in self.busy:
            self.waiting[server] = self.busy.pop(server)

    def drop(self, server: str, ticket: int) -> None:
        for of in (self.waiting, self.busy):
            tickets = of.get(server)
            if tickets is not None and ticket in tickets:
                tickets.remove(ticket)
                if not tickets:
                    del of[server]


class Gate:
    """Tickets ask, are admitted, and leave; not safe for threads by itself."""

    def __init__(self, bounds: Bounds) -> None:
        """Admit within `bounds`."""
        self._bounds = bounds
        self._bands = {False: _Band(), True: _Band()}
        self._waiting: dict[int, tuple[str, bool]] = {}
        self._inside: dict[int, tuple[str, bool]] = {}
        self._at: dict[str, int] = {}
        self._weary_inside = 0
        self._turn = 0
        self._starts = bounds.burst
        self._at_s: float | None = None

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def inside(self) -> int:
        """How many are inside."""
        return len(self._inside)

    def ask(self, ticket: int, server: str, *, is_weary: bool) -> None:
        """Let `ticket` (unique among those here) wait for a place at `server`."""
        self._waiting[ticket] = (server, is_weary)
        self._bands[is_weary].push(server, ticket, has_place=self._at.get(server, 0) < self._bounds.at_a_server)

    def admit(self, now_s: float) -> Sequence[int]:
        """Return the tickets that may go in now."""
        self._earn(now_s)
        admitted = []
        while self._starts >= 1 and len(self._inside) < self._bounds.at_once:
            band = self._next_band()
            if band is None:
                break
            server, ticket = self._bands[band].pop()
            del self._waiting[ticket]
            self._enter(ticket, server, is_weary=band)
            admitted.append(ticket)
        return admitted

    def pause_s(self) -> float | None:
        """Return how long until pace alone lets another in; None where that waits for somebody to leave or to ask."""
        if self._next_band() is None or len(self._inside) >= self._bounds.at_once:
            return None
        return max(0.0, (1 - self._starts) / self._bounds.a_second)

    def leave(self, ticket: int) -> None:
        """Give the place of `ticket` back, or let it wait no more; one that is not here changes nothing."""
        if ticket in self._waiting:
            server, is_weary = self._waiting.pop(ticket)
            self._bands[is_weary].drop(server, ticket)
        elif ticket in self._inside:
            server, is_weary = self._inside.pop(ticket)
            self._weary_inside -= is_weary
            self._at[server] -= 1
            if not self._at[server]:
                del self._at[server]
            for band in self._bands.values():
                band.free(server)

    def _earn(self, now_s: float) -> None:
        passed_s = 0.0 if self._at_s is None else max(0.0, now_s - self._at_s)
        self._at_s = now_s
        self._starts = min(self._bounds.burst, self._starts + passed_s * self._bounds.a_second)

    def _next_band(self) -> bool | None:
        """Return which band's turn it is (True: weary), None where nobody may go in."""
        may_weary = bool(self._bands[True].waiting) and self._weary_inside < self._bounds.weary_at_once
        if not self._bands[False].waiting:
            return True if may_weary else None
        return may_weary and self._turn % _WEARY_TURN == _WEARY_TURN - 1

    def _enter(self, ticket: int, server: str, *, is_weary: bool) -> None:
        self._turn += 1
        self._starts -= 1
        self._inside[ticket] = (server, is_weary)
        self._weary_inside += is_weary
        self._at[server] = self._at.get(server, 0) + 1
        if self._at[server] >= self._bounds.at_a_server:
            for band in self._bands.values():
                band.block(server)
