"""`lamplight watch`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from lamplight_cli.commands import options
from lamplight_cli.output import say, say_json, warn


@click.command(name="watch")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@options.file("--cameras", "cameras.yaml with a camera for each source; without it every picture is wanted.")
@options.file("--rules", "rules.yaml: when to tell.")
@options.file("--situations", "Folder of situations: DIR/<id>/{examples,counter}/*.jpg, DIR/<id>/situation.yaml.")
@options.file("--pictures", "Keep the redacted pictures in this folder; without it they are named and not kept.")
@options.as_json
def command(
    sources: tuple[str, ...],
    cameras: Path | None,
    rules: Path | None,
    situations: Path | None,
    pictures: Path | None,
    *,
    as_json: bool,
) -> int:
    """Watch video files and folders of pictures in one process, as fast as it goes: no Kafka, nothing kept."""
    from lamplight_cli import local  # noqa: PLC0415 - imports the services
    from lamplight_cli.apply import Wishes  # noqa: PLC0415 - imports gRPC
    from lamplight_cli.files.situations import read_situations  # noqa: PLC0415 - as above
    from lamplight_cli.models import ensure_models  # noqa: PLC0415 - imports the models' set-up
    from lamplight_cli.watching import cameras_of  # noqa: PLC0415 - imported when it runs

    wishes = Wishes.read(cameras, rules, None)
    wanted = local.Wanted(
        cameras=cameras_of(sources, wishes.cameras),
        rules=wishes.rules.rules if wishes.rules else (),
        situations=read_situations(situations) if situations else (),
        store=options.store(pictures),
    )
    ensure_models()
    tell = say_json if as_json else Words()
    failed = False
    with options.at_lines(wishes.rules.document if wishes.rules else None):
        for line in local.watch(wanted, warn):
            tell(line)
            failed = failed or bool(line.get("error"))
    return 1 if failed else 0


class Words:
    """The lines for a person: what changes, what is told, how each source went."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._said: dict[str, str] = {}

    def __call__(self, line: Mapping[str, Any]) -> None:
        """Say `line`, an observation only where it differs from the camera's last."""
        from lamplight_cli.lines import alert_words, match_words, observation_words, summary_words  # noqa: PLC0415

        kinds = {"alert": alert_words, "match": match_words, "summary": summary_words}
        if line["kind"] != "observation":
            say(kinds[line["kind"]](line))
            return
        words = observation_words(line)
        if self._said.get(line["camera_id"]) != words:
            self._said[line["camera_id"]] = words
            say(f"{line['at_s']:8.2f} s  {words}")
