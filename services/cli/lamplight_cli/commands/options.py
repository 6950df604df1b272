"""Options that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lamplight_cli.running.folder import Folder
from lamplight_cli.where import DEFAULT_FOLDER, Where, where_of

_Command = Callable[..., Any]

data: Callable[[_Command], _Command] = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="LAMPLIGHT_DATA",
    default=DEFAULT_FOLDER,
    show_default=True,
    help="Folder of the system on this machine.",
)
as_json: Callable[[_Command], _Command] = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a line, and nothing else."
)


def file(name: str, text: str) -> Callable[[_Command], _Command]:
    """Return an option that names a file of the user's."""
    return click.option(name, type=click.Path(path_type=Path), help=text)


def where(data: Path) -> Where:
    """Return where the system is that the user means."""
    return where_of(Folder(data.absolute()))
