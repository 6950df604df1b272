"""The command behind `make models`: make the default models ready, or those named."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lamplight_kit.errors import LamplightError

from lamplight_models.catalogue import DEFAULT, manifest, names
from lamplight_models.folder import SETTING, default_folder
from lamplight_models.golden_yaml import golden_yaml
from lamplight_models.progress import telling
from lamplight_models.ready import ensure, missing


def parse(arguments: Sequence[str], folder: Path) -> argparse.Namespace:
    """Read the command line; `folder` is the default of --folder."""
    parser = argparse.ArgumentParser(prog="python -m lamplight_models", description=__doc__)
    parser.add_argument("names", nargs="*", default=DEFAULT, help=f"of {', '.join(names())}; {', '.join(DEFAULT)}")
    parser.add_argument("--folder", type=Path, default=folder, help=f"where to; ${SETTING}, {folder}")
    parser.add_argument("--check", action="store_true", help="only say what is missing")
    parser.add_argument("--golden", type=Path, metavar="MANIFEST", help="print the golden values of a model of yours")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit status: 0 all ready, 1 something is missing or could not be had."""
    chosen = parse(arguments, default_folder(os.environ))
    try:
        if chosen.golden:
            print(golden_yaml(chosen.golden), end="")
            return 0
        return make_ready(chosen.folder, chosen.names, check_only=chosen.check)
    except LamplightError as error:
        print(f"models: {error}", file=sys.stderr)
        return 1


def make_ready(folder: Path, wanted: Sequence[str], *, check_only: bool) -> int:
    """Make `wanted` ready in `folder`, or only look, and say what is there; returns the exit status."""
    if not check_only:
        with telling(sys.stderr) as tell:
            ensure(folder, wanted, tell)
    lacking = missing(folder, wanted)
    for entry in lacking:
        print(f"models: {entry.name} is not ready; {entry.cure}", file=sys.stderr)
    if not lacking:
        licences = ", ".join(f"{name} ({manifest(name).licence})" for name in wanted)
        print(f"models: {licences} ready in {folder}")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
