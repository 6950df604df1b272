"""The command behind `make models`: make the default models ready, or those named."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lamplight_kit.errors import LamplightError
from lamplight_models.catalogue import DEFAULT, manifest, names
from lamplight_models.folder import SETTING, default_folder
from lamplight_models.progress import telling
from lamplight_models.ready import ensure, missing

if TYPE_CHECKING:
    from collections.abc import Sequence


def parse(arguments: Sequence[str], folder: Path) -> argparse.Namespace:
    """Read the command line; `folder` is the default of --folder."""
    parser = argparse.ArgumentParser(prog="python -m lamplight_models", description=__doc__)
    parser.add_argument("names", nargs="*", default=DEFAULT, help=f"of {', '.join(names())}; {', '.join(DEFAULT)}")
    parser.add_argument("--folder", type=Path, default=folder, help=f"where to; ${SETTING}, {folder}")
    parser.add_argument("--check", action="store_true", help="only say what is missing")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit status: 0 all ready, 1 something is missing or could not be had."""
    chosen = parse(arguments, default_folder(os.environ))
    try:
        if not chosen.check:
            with telling(sys.stderr) as tell:
                ensure(chosen.folder, chosen.names, tell)
        lacking = missing(chosen.folder, chosen.names)
    except LamplightError as error:
        print(f"models: {error}", file=sys.stderr)
        return 1
    for entry in lacking:
        print(f"models: {entry.name} is not ready; {entry.cure}", file=sys.stderr)
    if not lacking:
        licences = ", ".join(f"{name} ({manifest(name).licence})" for name in chosen.names)
        print(f"models: {licences} ready in {chosen.folder}")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
