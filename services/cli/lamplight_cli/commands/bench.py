"""`lamplight bench NAME`: every figure in the documents was printed by it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.metadata import entry_points
from inspect import signature
from pathlib import Path
from typing import Any

import click

from lamplight_cli.commands import options
from lamplight_cli.errors import FAILED
from lamplight_cli.output import say, say_json, say_rows

GROUP = "lamplight.bench"
_OPTIONS = {"conditions": "condition"}


@click.command(name="bench")
@click.argument("name", required=False, default="")
@click.argument("folder", metavar="DIR", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--outside", is_flag=True, help="Let other people and face detectors look at what has left (privacy).")
@click.option(
    "--crops",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep what they find, as parts of the redacted pictures, in this folder.",
)
@click.option(
    "--condition",
    "conditions",
    metavar="NAME",
    multiple=True,
    help="Measure in this condition alone, such as clean or video; may be given again (privacy).",
)
@click.option(
    "--every",
    metavar="N",
    type=click.IntRange(min=1),
    help="Go through one of N pictures of a video, as of a slower camera's (privacy).",
)
@options.as_json
def command(
    name: str,
    folder: Path | None,
    *,
    outside: bool,
    crops: Path | None,
    conditions: tuple[str, ...],
    every: int | None,
    as_json: bool,
) -> int:
    """Measure NAME on this machine, against a bare loop that does the same; without NAME list what can be measured.

    A bench of pictures that you bring (`privacy`) takes their folder as DIR. `--outside` fetches its detectors once.
    """
    benches = {entry.name: entry for entry in entry_points(group=GROUP)}
    if not name:
        for known in sorted(benches):
            say(known)
        return 0
    if name not in benches:
        message = f"bench {name!r} found, one of {', '.join(sorted(benches))} expected"
        raise click.BadParameter(message)
    measure = benches[name].load()
    takes = signature(measure).parameters
    given = _given(name, folder, takes_folder="folder" in takes)
    options_given = _options(
        name, takes, outside=outside or None, crops=crops, conditions=conditions or None, every=every
    )
    from lamplight_cli.adapters.bus import starting_one  # noqa: PLC0415 - imports Kafka's client

    with starting_one():
        result: Mapping[str, Any] = measure(*given, **options_given)
    if as_json:
        say_json(result)
    else:
        _say(result)
    return 0 if all(_holds(measure) for measure in result["measures"]) else FAILED


def _options(name: str, takes: Collection[str], **given: object) -> dict[str, Any]:
    """Return the options that were given; BadParameter where the bench takes no such one."""
    found = {option: value for option, value in given.items() if value is not None}
    for option in found:
        if option not in takes:
            message = f"bench {name}: --{_OPTIONS.get(option, option)} found, none expected"
            raise click.BadParameter(message)
    if "crops" in found and "outside" not in found:
        message = "--crops found without --outside, both expected"
        raise click.BadParameter(message)
    return found


def _given(name: str, folder: Path | None, *, takes_folder: bool) -> tuple[Path, ...]:
    if takes_folder != (folder is not None):
        found, expected = ("no folder", "one") if takes_folder else (f"folder {str(folder)!r}", "none")
        message = f"bench {name}: {found} found, {expected} expected"
        raise click.BadParameter(message)
    return () if folder is None else (folder,)


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
