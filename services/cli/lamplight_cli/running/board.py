"""What a person sees of a running system: one line a part, moving on a terminal, plain lines on change elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self, TextIO

from lamplight_kit.clock import Clock, SystemClock
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lamplight_cli.running.process import State

_COLOURS = {"ready": "green", "unready": "yellow", "starting": "cyan", "waiting": "red", "ended": "dim"}
_UNDONE = frozenset({"starting", "unready"})
PATIENCE_S = 10.0


class Board(Protocol):
    """Where states are shown and lines are said."""

    def __enter__(self) -> Self:
        """Begin to show."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show no more."""
        ...

    def show(self, states: Sequence[State]) -> None:
        """Show how every part is now."""
        ...

    def say(self, line: str) -> None:
        """Say something once."""
        ...


def board(out: TextIO) -> Board:
    """Return a moving board where `out` is a terminal, a plain one elsewhere."""
    return MovingBoard(Console(file=out)) if out.isatty() else PlainBoard(out, SystemClock())


class PlainBoard:
    """A line whenever a part's state changes, or why it is not ready after so long; no colours."""

    def __init__(self, out: TextIO, clock: Clock) -> None:
        """Write to `out`."""
        self._out = out
        self._clock = clock
        self._last: dict[str, State] = {}
        self._said_s: dict[str, float] = {}

    def __enter__(self) -> Self:
        """Nothing to begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to end."""

    def show(self, states: Sequence[State]) -> None:
        """Write the states that differ from the last ones shown."""
        now_s = self._clock.monotonic_s()
        for state in states:
            last = self._last.get(state.name)
            is_news = last is None or (last.word, last.pid, last.restarts) != (state.word, state.pid, state.restarts)
            is_late = state.word in _UNDONE and now_s - self._said_s.get(state.name, now_s) > PATIENCE_S
            if is_news or (is_late and last is not None and last.why != state.why):
                self._last[state.name], self._said_s[state.name] = state, now_s
                shown = replace(state, why="") if is_news and state.word == "starting" else state
                self.say(f"{state.name:9}{state.word:9}{_detail(shown)}".rstrip())

    def say(self, line: str) -> None:
        """Write a line."""
        self._out.write(f"{line}\n")
        self._out.flush()


class MovingBoard:
    """A table that stays at the foot of the terminal."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`."""
        self._console = console
        self._states: dict[str, State] = {}
        self._live = Live(console=console, auto_refresh=False, transient=False)

    def __enter__(self) -> Self:
        """Nothing to begin: the first states that are shown do, since progress bars come before them."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last table where it is."""
        self._live.stop()

    def show(self, states: Sequence[State]) -> None:
        """Draw the table anew; parts that are not named stay as they were."""
        self._states.update({state.name: state for state in states})
        table = Table.grid(padding=(0, 2))
        for state in self._states.values():
            table.add_row(Text(state.name), Text(state.word, _COLOURS[state.word]), Text(_detail(state)))
        self._live.start()
        self._live.update(table, refresh=True)

    def say(self, line: str) -> None:
        """Write a line above the table."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _detail(state: State) -> str:
    parts = [
        f"pid {state.pid}" if state.pid else "",
        f"{state.restarts} restarts" if state.restarts > 1 else "1 restart" if state.restarts else "",
        state.why,
    ]
    return ", ".join(part for part in parts if part)
