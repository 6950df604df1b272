"""Telling a person how far each model is: one line a model, moving on a terminal, plain and few elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

Tell = Callable[[str, str, float], None]
"""Told of a thing's name, what is being done to it, and the share that is done, from 0 to 1."""
STEP = 0.25


def silent(name: str, doing: str, share: float) -> None:
    """Tell nobody."""


@contextmanager
def telling(out: TextIO) -> Iterator[Tell]:
    """Tell on `out` until the block ends."""
    if not out.isatty():
        yield plain(out)
        return
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[doing]}"),
    )
    with Progress(*columns, console=Console(file=out)) as bars:
        yield moving(bars)


def plain(out: TextIO) -> Tell:
    """Return what writes a line whenever another thing is done, and every quarter of a longer one."""
    last: dict[str, tuple[str, float]] = {}

    def tell(name: str, doing: str, share: float) -> None:
        before_doing, before_share = last.get(name, ("", 0.0))
        if doing != before_doing or share - before_share >= STEP:
            last[name] = (doing, share)
            out.write(f"{name}: {doing} {share:.0%}\n")
            out.flush()

    return tell


def moving(bars: Progress) -> Tell:
    """Return what moves one bar a thing."""
    tasks: dict[str, TaskID] = {}

    def tell(name: str, doing: str, share: float) -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=1.0, doing=doing)
        bars.update(tasks[name], completed=share, doing=doing)

    return tell
