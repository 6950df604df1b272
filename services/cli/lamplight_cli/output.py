"""What commands print on stdout: one JSON object a line, or the same in words; no colours where nobody looks."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text


def say_json(line: Mapping[str, Any]) -> None:
    """Print one JSON object on a line of its own, at once."""
    click.echo(json.dumps(line, ensure_ascii=False, separators=(",", ":")))


def say(text: str) -> None:
    """Print words, at once."""
    click.echo(text)


def warn(text: str) -> None:
    """Print words on stderr."""
    click.echo(text, err=True)


def say_rows(names: Sequence[str], rows: Sequence[Sequence[object]], nothing: str) -> None:
    """Print a table for people; `nothing` where there is no row."""
    if not rows:
        say(nothing)
        return
    is_terminal = sys.stdout.isatty()
    table = Table(box=None, pad_edge=False, header_style="bold" if is_terminal else "")
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row))
    # Where nobody looks, a row is a line of its own length.
    Console(file=sys.stdout, no_color=not is_terminal, width=None if is_terminal else 240).print(table)
