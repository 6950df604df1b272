"""Who may reach its source next, where thousands want to at once; pure: times in, tickets (numbers) out.

Waiting cameras are of two bands: `fresh` ones, which are new or were just lost, and `weary` ones, which have failed
several times in a row or whose server failed last. Fresh ones go first, but every fourth turn is a weary one's, and
weary ones never hold all the places: a thousand dead cameras keep no live one waiting, and none waits for ever. Within
a band servers take turns, those that answered last before those that did not; at one server its cameras go in the order
in which they asked.

Who has waited a while for a server that says nothing costs nothing but a connection: it stands aside and gives its
place to the next. How many may be at one server grows while it answers quickly, and halves where it fails.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

WEARY_AFTER = 2
"""A camera that has failed so often in a row is weary."""
QUICK_S = 2.0
"""A server that answers within this time may have more at once: ten round trips of a slow line, and some work."""
_ONE_IN = 4
"""One turn in so many is of those that otherwise stand back."""
_HALVE_EVERY_S = 1.0
_SERVERS = 20_000


@dataclass(frozen=True)
class Bounds:
    """How many may be reaching their sources at once, at one server, aside, and of weary ones; starts a second.

    `at_a_server` is what every server gets, `at_a_server_most` what one gets that answers quickly, those aside
    included.
    """

    at_once: int = 512
    at_a_server: int = 4
    at_a_server_most: int = 32
    weary_at_once: int = 384
    aside: int = 2048
    weary_aside: int = 1536
    a_second: float = 400.0
    burst: float = 50.0


@dataclass
class _Server:
    """What is known of a server: who is at it, how many may be, and whether it answered last (None: never tried)."""

    limit: float
    inside: int = 0
    aside: int = 0
    answered: bool | None = None
    halved_s: float = float("-inf")


@dataclass(slots=True)
class _Held:
    """A ticket that was admitted."""

    server: str
    is_weary: bool
    since_s: float
    is_aside: bool = False


@dataclass
class _Band:
    """The waiting of one band: servers in turn, each with its tickets in the order in which they came."""

    proven: OrderedDict[str, deque[int]] = field(default_factory=OrderedDict)
    others: OrderedDict[str, deque[int]] = field(default_factory=OrderedDict)
    busy: OrderedDict[str, deque[int]] = field(default_factory=OrderedDict)  # servers that have no place free now
    turn: int = 0

    @property
    def has_next(self) -> bool:
        return bool(self.proven or self.others)

    def push(self, server: str, ticket: int, line: OrderedDict[str, deque[int]]) -> None:
        self.move(server, line)
        line.setdefault(server, deque()).append(ticket)

    def pop(self) -> tuple[str, int]:
        self.turn += 1
        stands_back = self.turn % _ONE_IN == 0
        line = self.proven if self.proven and not (stands_back and self.others) else self.others
        server, tickets = line.popitem(last=False)
        ticket = tickets.popleft()
        if tickets:
            line[server] = tickets
        return server, ticket

    def move(self, server: str, to: OrderedDict[str, deque[int]]) -> None:
        for line in (self.proven, self.others, self.busy):
            if line is not to and server in line:
                to[server] = line.pop(server)

    def drop(self, server: str, ticket: int) -> None:
        for line in (self.proven, self.others, self.busy):
            tickets = line.get(server)
            if tickets is not None and ticket in tickets:
                tickets.remove(ticket)
                if not tickets:
                    del line[server]


class Gate:
    """Tickets ask, are admitted, perhaps stand aside, and leave; not safe for threads by itself."""

    def __init__(self, bounds: Bounds) -> None:
        """Admit within `bounds`."""
        self._bounds = bounds
        self._bands = {False: _Band(), True: _Band()}
        self._waiting: dict[int, tuple[str, bool]] = {}
        self._held: dict[int, _Held] = {}
        self._wishing: dict[bool, dict[int, None]] = {False: {}, True: {}}  # would stand aside, were there room
        self._servers: OrderedDict[str, _Server] = OrderedDict()
        self._inside = {False: 0, True: 0}
        self._aside = {False: 0, True: 0}
        self._turn = 0
        self._starts = bounds.burst
        self._at_s: float | None = None

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def inside(self) -> int:
        """How many are inside and not aside."""
        return sum(self._inside.values())

    @property
    def aside(self) -> int:
        """How many stand aside."""
        return sum(self._aside.values())

    def ask(self, ticket: int, server: str, *, is_weary: bool) -> None:
        """Let `ticket` (unique among those here) wait for a place at `server`."""
        band = is_weary or self._server(server).answered is False
        self._waiting[ticket] = (server, band)
        self._bands[band].push(server, ticket, self._line(server, band=band))

    def admit(self, now_s: float) -> Sequence[int]:
        """Return the tickets that may go in now."""
        self._earn(now_s)
        admitted = []
        while self._starts >= 1 and self.inside < self._bounds.at_once:
            band = self._next_band()
            if band is None:
                break
            server, ticket = self._bands[band].pop()
            del self._waiting[ticket]
            self._enter(ticket, _Held(server, band, now_s))
            admitted.append(ticket)
        return admitted

    def pause_s(self) -> float | None:
        """Return how long until pace alone lets another in; None where that waits for somebody to leave or to ask."""
        if self._next_band() is None or self.inside >= self._bounds.at_once:
            return None
        return max(0.0, (1 - self._starts) / self._bounds.a_second)

    def stand_aside(self, ticket: int) -> None:
        """Let `ticket`, whose server says nothing, give its place to the next; as soon as there is room aside."""
        held = self._held.get(ticket)
        if held is not None and not held.is_aside:
            self._wishing[held.is_weary][ticket] = None
            self._step_aside()

    def answered(self, ticket: int, now_s: float) -> None:
        """The server has answered `ticket`, which is about to leave."""
        held = self._held.get(ticket)
        if held is None:
            return
        server = self._server(held.server)
        server.answered = True
        if now_s - held.since_s <= QUICK_S:
            most = max(self._bounds.at_a_server, self._bounds.at_a_server_most)
            server.limit = min(most, server.limit + 1 / server.limit)
        self._sort(held.server)

    def failed(self, ticket: int, now_s: float) -> None:
        """The server of `ticket`, which is about to leave, cannot be reached, says nothing, or that it can no more."""
        held = self._held.get(ticket)
        if held is None:
            return
        server = self._server(held.server)
        server.answered = False
        if now_s - server.halved_s >= _HALVE_EVERY_S:  # those that fail together fail for one reason
            server.halved_s = now_s
            server.limit = max(self._bounds.at_a_server, server.limit / 2)
        self._sort(held.server)

    def leave(self, ticket: int) -> None:
        """Give the place of `ticket` back, or let it wait no more; one that is not here changes nothing."""
        if ticket in self._waiting:
            server, band = self._waiting.pop(ticket)
            self._bands[band].drop(server, ticket)
        elif ticket in self._held:
            held = self._held.pop(ticket)
            self._wishing[held.is_weary].pop(ticket, None)
            self._count(held, -1)
            self._step_aside()
            self._sort(held.server)

    def _earn(self, now_s: float) -> None:
        passed_s = 0.0 if self._at_s is None else max(0.0, now_s - self._at_s)
        self._at_s = now_s
        self._starts = min(self._bounds.burst, self._starts + passed_s * self._bounds.a_second)

    def _next_band(self) -> bool | None:
        """Return which band's turn it is (True: weary), None where nobody may go in."""
        may_weary = self._bands[True].has_next and self._inside[True] < self._bounds.weary_at_once
        if not self._bands[False].has_next:
            return True if may_weary else None
        return may_weary and self._turn % _ONE_IN == _ONE_IN - 1

    def _enter(self, ticket: int, held: _Held) -> None:
        self._turn += 1
        self._starts -= 1
        self._held[ticket] = held
        self._count(held, 1)
        self._sort(held.server)

    def _step_aside(self) -> None:
        """Let those aside that wish it, as far as there is room; weary ones leave room to others."""
        while self.aside < self._bounds.aside:
            may_weary = self._wishing[True] and self._aside[True] < self._bounds.weary_aside
            wishing = self._wishing[False] or (self._wishing[True] if may_weary else None)
            if not wishing:
                return
            ticket = next(iter(wishing))
            del wishing[ticket]
            held = self._held[ticket]
            self._count(held, -1)
            held.is_aside = True
            self._count(held, 1)
            self._sort(held.server)

    def _count(self, held: _Held, by: int) -> None:
        server = self._server(held.server)
        if held.is_aside:
            server.aside += by
            self._aside[held.is_weary] += by
        else:
            server.inside += by
            self._inside[held.is_weary] += by

    def _server(self, name: str) -> _Server:
        """Return what is known of a server; of those at which nobody is, the longest unused are forgotten."""
        server = self._servers.get(name)
        if server is None:
            server = self._servers[name] = _Server(self._bounds.at_a_server)
            if len(self._servers) > _SERVERS:
                oldest, known = next(iter(self._servers.items()))
                if known.inside + known.aside:
                    self._servers.move_to_end(oldest)
                else:
                    del self._servers[oldest]
        else:
            self._servers.move_to_end(name)
        return server

    def _line(self, name: str, *, band: bool) -> OrderedDict[str, deque[int]]:
        """Return the line of `band` in which the tickets of a server belong now."""
        server, lines = self._server(name), self._bands[band]
        most = max(self._bounds.at_a_server, self._bounds.at_a_server_most)
        if server.inside >= int(server.limit) or server.inside + server.aside >= most:
            return lines.busy
        return lines.proven if server.answered else lines.others

    def _sort(self, name: str) -> None:
        """Have the waiting tickets of a server stand where they belong now."""
        for band, lines in self._bands.items():
            lines.move(name, self._line(name, band=band))
