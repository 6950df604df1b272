"""`lamplight alerts tail`."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from lamplight_cli.commands import options
from lamplight_cli.output import say, say_json


@click.group(name="alerts")
def command() -> None:
    """See what is told."""


@command.command(name="tail")
@click.option("--for", "for_s", type=click.FloatRange(min=0), metavar="SECONDS", help="End by itself after so long.")
@click.option(
    "--since",
    "since_s",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=3600.0,
    show_default=True,
    help="Begin with what was told so long ago; 0: only what is new.",
)
@options.data
@options.as_json
def tail(for_s: float | None, since_s: float, data: Path, *, as_json: bool) -> None:
    """Print each alert as it is told; `event` in the JSON is the whole CloudEvent."""
    from lamplight_cli.adapters.alerts import events  # noqa: PLC0415 - imports Kafka's client
    from lamplight_cli.adapters.bus import speaking_to  # noqa: PLC0415 - as above
    from lamplight_cli.lines import alert_line, alert_words  # noqa: PLC0415 - imported when it runs

    bus = options.bus(options.where(data), "alerts-tail")
    end_s = None if for_s is None else time.monotonic() + for_s
    since_ms = int((time.time() - since_s) * 1000)
    with speaking_to(bus.bootstrap_servers):
        for event in events(bus, since_ms, lambda: end_s is not None and time.monotonic() >= end_s):
            line = alert_line(event, None)
            if as_json:
                say_json({**line, "event": json.loads(event)})
            else:
                say(alert_words(line))
