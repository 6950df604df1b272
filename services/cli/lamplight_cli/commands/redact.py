"""`lamplight redact`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from lamplight_cli.commands import options
from lamplight_cli.output import say, say_json, warn


@click.command(name="redact")
@click.argument("paths", metavar="IN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the redacted files.")
@click.option("--boxes", is_flag=True, help="Print where the masks are: for benches on this machine, never to publish.")
@click.option("--verify", is_flag=True, help="Redact nothing: tell whether each IN's seal holds, and what it says.")
@options.data
@options.as_json
def command(paths: tuple[Path, ...], out: Path | None, data: Path, *, boxes: bool, verify: bool, as_json: bool) -> int:
    """Put pictures and videos through the same privacy gate as detect's; each is sealed, or refused with a reason."""
    if verify:
        return _verify(paths, data.absolute(), as_json=as_json)
    from lamplight_cli.models import ensure_models  # noqa: PLC0415 - imports the models' set-up
    from lamplight_cli.redact import jobs_of, redact  # noqa: PLC0415 - imports detect when it runs

    if out is None:
        message = "nothing found, a folder expected"
        raise click.BadOptionUsage("out", f"--out: {message}; name one, or --verify")
    jobs = jobs_of(paths, out)
    ensure_models()
    failed = False
    for line in redact(jobs, data.absolute(), with_boxes=boxes, progress=warn):
        failed = failed or line["refused"] is not None
        if as_json:
            say_json(line)
        else:
            say(_words(line))
    return 1 if failed else 0


def _verify(paths: tuple[Path, ...], data: Path, *, as_json: bool) -> int:
    from lamplight_kit.seal import KeyRing  # noqa: PLC0415 - imports cryptography

    from lamplight_cli.redact import own_key, verified  # noqa: PLC0415 - imports the contracts

    keys = KeyRing()
    own = own_key(data)
    if own is not None:
        keys.add(own)
    options.learn_keys(data, keys)
    failed = False
    for path in paths:
        line = verified(path, keys)
        failed = failed or not line["verified"]
        if as_json:
            say_json(line)
        elif line["verified"]:
            say(f"{path}: sealed by {line['key_id']}, policy {line['policy']}, {_masks(line)}")
        else:
            say(f"{path}: no seal that holds: {line['error']}")
    return 1 if failed else 0


def _words(line: Mapping[str, Any]) -> str:
    if line["refused"]:
        return f"{line['in']}: refused: {line['refused']}"
    return f"{line['in']} -> {line['out']}: {line['frames']} pictures, {_masks(line)}"


def _masks(line: Mapping[str, Any]) -> str:
    masks = ", ".join(f"{number} {kind}" for kind, number in line["masks"].items() if number) or "no"
    return f"{masks} masks, {line['masked_share']:.1%} masked"
