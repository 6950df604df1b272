"""A camera's life: connecting, live, stalled, refused, gone; a pure state machine.

    connecting ──picture──► live ──silence──► stalled ──picture──► live
        │  ▲                  │                  │
        │  └─── broken off ───┘ (once)           │
        └── away, refused ──► gone, refused ◄────┘   tried again later, unseen, until a picture comes
                              (silent though it plays: stalled)

A live camera that is lost is `connecting` while it is tried again for the first time; if that fails too, it is gone or
refused and stays so, with the latest reason, however often it is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

AWAY_FIRST_S, AWAY_MOST_S = 1.0, 30.0
REFUSED_FIRST_S, REFUSED_MOST_S = 10.0, 300.0
PICTURES_COME = "pictures come"
_BUT = ", but detect "
_TURN = "; waits its turn, since many are being reached"
STEADY_S = 30.0
"""A camera that was live for this long is forgiven its earlier failures."""


class State(StrEnum):
    """How a camera is; the words of `StateChanged.state`."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALLED = "stalled"
    REFUSED = "refused"
    GONE = "gone"


@dataclass(frozen=True)
class Moment:
    """One reading of both clocks: Unix ns to tell, seconds that never go back to count by."""

    at_ns: int
    monotonic_s: float


@dataclass(frozen=True)
class Life:
    """Where a camera stands: its state since when and why; `heard_s` is the last sign of it on the counting clock.

    `failures` counts those of the latest kind alone, away or refused (`was_refusal`): an outage is no reason to ask
    less often a camera that then says no once. `queued`: ingest itself has not let it be asked yet, so that no silence
    counts.
    """

    state: State
    since_ns: int
    reason: str
    heard_s: float
    live_since_s: float = 0.0
    failures: int = 0
    was_refusal: bool = False
    over: bool = False
    queued: bool = False

    @property
    def is_steady(self) -> bool:
        """Whether pictures have come for long enough to forget earlier failures."""
        return self.state is State.LIVE and self.heard_s - self.live_since_s >= STEADY_S


def begin(now: Moment) -> Life:
    """Return the life of a camera that is about to be reached for the first time."""
    return Life(State.CONNECTING, now.at_ns, "being reached", now.monotonic_s)


def queued(life: Life, _: Moment) -> Life:
    """The camera is to be asked as soon as its turn has come."""
    return replace(life, queued=True)


def admitted(life: Life, now: Moment) -> Life:
    """The camera's turn has come; its silence counts from now on."""
    return replace(life, queued=False, heard_s=now.monotonic_s, reason=life.reason.removesuffix(_TURN))


def opened(life: Life, now: Moment) -> Life:
    """The source has answered; no picture yet."""
    return replace(life, heard_s=now.monotonic_s)


def pictured(life: Life, now: Moment) -> Life:
    """A picture has come."""
    if life.state is State.LIVE:
        heard = replace(life, heard_s=now.monotonic_s)
        return replace(heard, failures=0) if heard.failures and heard.is_steady else heard
    return replace(
        life,
        state=State.LIVE,
        since_ns=now.at_ns,
        reason=PICTURES_COME,
        heard_s=now.monotonic_s,
        live_since_s=now.monotonic_s,
    )


def judged(life: Life, refused_because: str) -> Life:
    """Detect refuses the pictures that come, or came last of all; where the reason is empty, it takes them.

    The state stays: a camera is live whose pictures come, and an ended one is over.
    """
    if life.state is not State.LIVE and not life.over:
        return life
    said = PICTURES_COME if life.state is State.LIVE else life.reason.partition(_BUT)[0]
    did = "refused its last picture" if life.over else "refuses them"
    return replace(life, reason=f"{said}{_BUT}{did}: {refused_because}" if refused_because else said)


def waited(life: Life, now: Moment, patience_s: float, hint: Callable[[], str] = str, rest: str = "") -> Life:
    """Time has passed: a live or answering camera that gave no picture for `patience_s` is stalled.

    One that waits its turn says so, and is not. `hint` says what came instead; empty: nothing. `rest` says that the
    server asked to be left alone, and until when: then it is reached, whatever it was before, and each rest is told.
    """
    if life.queued:
        says_so = life.state is not State.CONNECTING or life.reason.endswith(_TURN)
        return life if says_so else replace(life, reason=life.reason + _TURN)
    is_hoped_for = life.state in (State.LIVE, State.CONNECTING)
    is_silent = now.monotonic_s - life.heard_s >= patience_s
    if life.over or (not is_silent if is_hoped_for else not rest or rest in life.reason):
        return life
    came = rest or hint()
    reason = f"no picture for {patience_s:g} s" + (f": {came}" if came else "")
    since_ns = life.since_ns if life.state is State.STALLED else now.at_ns
    return replace(
        life, state=State.STALLED, since_ns=since_ns, reason=reason if is_hoped_for else f"no picture: {came}"
    )


def failed(life: Life, now: Moment, as_state: State, *, reason: str) -> Life:
    """The source could not be reached or broke off (gone), said no (refused), or plays and sends nothing (stalled)."""
    is_refusal = as_state is State.REFUSED
    first_loss = life.state is State.LIVE and life.failures == 0 and as_state is State.GONE
    state = State.CONNECTING if first_loss else as_state
    since_ns = life.since_ns if state is life.state else now.at_ns
    count = life.failures + 1 if life.was_refusal is is_refusal else 1
    return replace(
        life,
        state=state,
        since_ns=since_ns,
        reason=reason,
        heard_s=now.monotonic_s,
        failures=count,
        was_refusal=is_refusal,
        queued=False,
    )


def ended(life: Life, now: Moment, reason: str) -> Life:
    """The source came to its natural end, or the camera was removed: nothing is tried again."""
    return replace(life, state=State.GONE, since_ns=now.at_ns, reason=reason, heard_s=now.monotonic_s, over=True)


def retry_after_s(life: Life, roll: float) -> float:
    """Return how long to wait before the next try; `roll`, 0 to 1, spreads those that fell together.

    Doubles with every failure of its kind up to a bound, and waits between half of that and all of it. A refusal waits
    longer, since asking a camera that says no locks accounts.
    """
    refused = life.state is State.REFUSED
    first_s, most_s = (REFUSED_FIRST_S, REFUSED_MOST_S) if refused else (AWAY_FIRST_S, AWAY_MOST_S)
    full_s = min(most_s, first_s * 2.0 ** min(max(life.failures - 1, 0), 16))
    return full_s * (0.5 + 0.5 * roll)
