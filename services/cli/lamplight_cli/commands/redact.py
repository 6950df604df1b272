"""`lamplight redact`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lamplight_cli.commands import options
from lamplight_cli.output import say, say_json, warn

if TYPE_CHECKING:
    from lamplight_cli.redact import Progress

_TOLD_EVERY = 100


@click.command(name="redact")
@click.argument("paths", metavar="IN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the redacted files.")
@click.option("--boxes", is_flag=True, help="Print where the masks are: for benches on this machine, never to publish.")
@click.option("--verify", is_flag=True, help="Redact nothing: tell whether each IN's seal holds, and what it says.")
@options.data
@options.as_json
def command(paths: tuple[Path, ...], out: Path | None, data: Path, *, boxes: bool, verify: bool, as_json: bool) -> int:
    """Put pictures and videos through the same privacy gate as detect's; each is sealed, or refused with a reason.

    IN is a file, a folder (with all pictures and videos below it) or a pattern. Pictures become JPEG with the seal
    inside, videos MP4 with the seal beside them as FILE.mp4.seal: times are kept, sound is dropped. What is refused is
    not written, nor is anything left where you break off.

    Ends with 0 where all went well (all seals hold), 1 where any file was refused (any seal does not), 2 where the
    command makes no sense, 130 where you broke off.
    """
    if verify:
        return _verify(paths, data.absolute(), as_json=as_json)
    from lamplight_cli.models import ensure_models  # noqa: PLC0415 - imports the models' set-up
    from lamplight_cli.redact import jobs_of, redact  # noqa: PLC0415 - imports detect when it runs

    if out is None:
        message = "nothing found, a folder expected"
        raise click.BadOptionUsage("out", f"--out: {message}; name one, or --verify")
    signal.signal(signal.SIGTERM, _broken_off)
    jobs = jobs_of(paths, out, lambda path: warn(f"{path}: no picture or video, passed over"))
    ensure_models()
    failed = False
    with _progress(len(jobs), is_shown=sys.stderr.isatty()) as progress:
        for line in redact(jobs, data.absolute(), with_boxes=boxes, progress=progress):
            failed = failed or line["refused"] is not None
            if as_json:
                say_json(line)
            else:
                say(_words(line))
    return 1 if failed else 0


def _broken_off(_signal: int, _frame: object) -> None:
    """End as Ctrl-C does: what is half done is removed on the way out."""
    raise KeyboardInterrupt


@contextmanager
def _progress(files: int, *, is_shown: bool) -> Iterator[Progress]:
    """Show a bar a file where somebody looks on; else a line every hundred pictures."""
    if not is_shown:

        def told(name: str, done: int, expected: int) -> None:
            if done % _TOLD_EVERY == 0:
                warn(f"{name}: {done} of about {expected} pictures" if expected else f"{name}: {done} pictures")

        yield told
        return
    from rich.console import Console  # noqa: PLC0415 - beside its use
    from rich.progress import Progress as Bars  # noqa: PLC0415 - beside its use
    from rich.progress import TaskID  # noqa: PLC0415 - beside its use

    with Bars(console=Console(stderr=True), transient=True) as bars:
        whole = bars.add_task("all files", total=files) if files > 1 else None
        tasks: dict[str, TaskID] = {}

        def shown(name: str, done: int, expected: int) -> None:
            if name not in tasks:
                for old in tasks.values():
                    bars.remove_task(old)
                if tasks and whole is not None:
                    bars.advance(whole)
                tasks.clear()
                tasks[name] = bars.add_task(name, total=None)
            bars.update(tasks[name], completed=done, total=max(done, expected) or None)

        yield shown


def _verify(paths: tuple[Path, ...], data: Path, *, as_json: bool) -> int:
    from lamplight_kit.seal import KeyRing  # noqa: PLC0415 - imports cryptography

    from lamplight_cli.redact import SEAL, found, own_key, verified  # noqa: PLC0415 - imports the contracts

    keys = KeyRing()
    own = own_key(data)
    if own is not None:
        keys.add(own)
    options.learn_keys(data, keys)
    failed = False
    for path in [file for file, _ in found(paths) if file.suffix != SEAL]:
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
    left_out = f", {line['damaged']} damaged left out" if line["damaged"] else ""
    vouched = f", a valid background for {line['background_share']:.0%}" if line["frames"] > 1 else ""
    return f"{line['in']} -> {line['out']}: {line['frames']} pictures{left_out}, {_masks(line)}{vouched}"


def _masks(line: Mapping[str, Any]) -> str:
    masks = ", ".join(f"{number} {kind}" for kind, number in line["masks"].items() if number) or "no"
    filled = f", {line['filled']} filled with the place as it is without people" if line["filled"] else ""
    return f"{masks} masks, {line['masked_share']:.1%} masked{filled}"
