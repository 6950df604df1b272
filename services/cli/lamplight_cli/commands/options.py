"""Options that several commands take."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from lamplight_kit.errors import BadInput

from lamplight_cli.files.document import Document
from lamplight_cli.output import say, say_json
from lamplight_cli.running.folder import Folder
from lamplight_cli.where import DEFAULT_FOLDER, Where, where_of

if TYPE_CHECKING:
    from lamplight_kit.kafka.settings import BusSettings
    from lamplight_kit.seal import KeyRing
    from lamplight_kit.store import EvidenceStore

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


def absolute(source: str) -> str:
    """Return a source as ingest takes it: a path from here, anything with a scheme as it is."""
    return source if "://" in source else str(Path(source).resolve())


def where(data: Path) -> Where:
    """Return where the system is that the user means."""
    return where_of(Folder(data.absolute()))


def store(folder: Path | None) -> EvidenceStore | None:
    """Return what keeps redacted pictures in `folder`; None without one."""
    from lamplight_kit.store import EvidenceStore  # noqa: PLC0415 - imports obstore

    return None if folder is None else EvidenceStore(folder.absolute().as_uri())


def learn_keys(data: Path, keys: KeyRing) -> None:
    """Add what the gates of the system have published, where one runs."""
    from lamplight_cli.adapters.keys import learn  # noqa: PLC0415 - imports Kafka's client
    from lamplight_cli.running.folder import NotRunningError  # noqa: PLC0415 - beside its use

    try:
        learn(bus(where(data), "verify"), keys)
    except NotRunningError:
        return


@contextmanager
def at_lines(document: Document | None) -> Iterator[None]:
    """Put the user's own lines to what is found wrong with a file after it was read."""
    try:
        yield
    except BadInput as error:
        if document is None or any(problem.file for problem in error.problems):
            raise
        raise document.at_lines(error.problems) from error


def plain(name: str) -> str:
    """Return an enum's name as users write it: OVER_THING is `thing`."""
    return name.partition("_")[2].lower()


def say_removed(kind: str, identifier: str, *, as_json: bool) -> None:
    """Say that something is gone."""
    if as_json:
        say_json({"kind": kind, "id": identifier, "removed": True})
    else:
        say(f"{identifier}: removed")


def bus(where: Where, member: str) -> BusSettings:
    """Return the user's own place on the system's bus."""
    from lamplight_kit.kafka.settings import BusSettings  # noqa: PLC0415 - imports Kafka's client

    return BusSettings(where.kafka, where.namespace, f"{member}-{os.getpid()}", where.kafka_security)
