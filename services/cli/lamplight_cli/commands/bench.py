"""`lamplight bench NAME`: every figure in the documents was printed by it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

import click

from lamplight_cli.commands import options
from lamplight_cli.errors import FAILED
from lamplight_cli.output import say, say_json, say_rows

GROUP = "lamplight.bench"


@click.command(name="bench")
@click.argument("name", required=False, default="")
@options.as_json
def command(name: str, *, as_json: bool) -> int:
    """Measure NAME on this machine, against a bare loop that does the same; without NAME list what can be measured."""
    benches = {entry.name: entry for entry in entry_points(group=GROUP)}
    if not name:
        for known in sorted(benches):
            say(known)
        return 0
    if name not in benches:
        message = f"bench {name!r} found, one of {', '.join(sorted(benches))} expected"
        raise click.BadParameter(message)
    from lamplight_cli.adapters.bus import starting_one  # noqa: PLC0415 - imports Kafka's client

    with starting_one():
        result: Mapping[str, Any] = benches[name].load()()
    if as_json:
        say_json(result)
    else:
        _say(result)
    return 0 if all(_holds(measure) for measure in result["measures"]) else FAILED


def _say(result: Mapping[str, Any]) -> None:
    machine = ", ".join(f"{name} {value}" for name, value in result["machine"].items())
    say(f"{result['bench']}: {machine}")
    rows = [(each["name"], each["value"], each["unit"], _limit(each)) for each in result["measures"]]
    say_rows(("measure", "value", "unit", "limit"), rows, "nothing was measured")


def _limit(measure: Mapping[str, Any]) -> str:
    if measure.get("limit") is None:
        return ""
    return f"{measure.get('limit_is') or ''} {measure['limit']}: {'holds' if _holds(measure) else 'BROKEN'}".strip()


def _holds(measure: Mapping[str, Any]) -> bool:
    """Tell whether the ratio (the value where there is none) keeps its limit: a least one unless it says `at most`."""
    limit = measure.get("limit")
    if limit is None:
        return True
    figure = measure["value"] if measure.get("ratio") is None else measure["ratio"]
    is_most = "most" in str(measure.get("limit_is"))
    return bool(figure <= limit if is_most else figure >= limit)
