"""`lamplight doctor`."""

from __future__ import annotations

from pathlib import Path

import click

from lamplight_cli.commands import options
from lamplight_cli.output import say, say_json


@click.command(name="doctor")
@options.data
@options.as_json
def command(data: Path, *, as_json: bool) -> int:
    """Say what this machine lacks to run the whole system, and how to get it."""
    from lamplight_cli.doctor import examine  # noqa: PLC0415 - imports Kafka and the models

    is_all_well = True
    for finding in examine(data):
        is_all_well = is_all_well and finding.is_well
        cure = "" if finding.is_well else finding.cure
        if as_json:
            line = {"check": finding.check, "ok": finding.is_well, "found": finding.found}
            say_json({**line, "expected": finding.expected, "cure": cure})
        elif finding.is_well:
            say(f"ok    {finding.check}: {finding.found}")
        else:
            say(f"LACK  {finding.check}: {finding.found} found, {finding.expected} expected; {cure}")
    return 0 if is_all_well else 1
