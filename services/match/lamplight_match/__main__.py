"""Run match: `python -m lamplight_match`."""

from __future__ import annotations

import sys

from lamplight_kit import log
from lamplight_kit.errors import LamplightError
from lamplight_kit.service import run

from lamplight_match.bootstrap import build
from lamplight_match.settings import MatchSettings


def main() -> int:
    """Run until SIGTERM; exit status 2 where it cannot start."""
    try:
        settings = MatchSettings.load()
        log.configure("match", settings.log_level)
        parts = build(settings)
    except LamplightError as error:
        print(error, file=sys.stderr)
        return 2
    return run("match", parts, settings.http_listen, settings.ports_file)


if __name__ == "__main__":
    sys.exit(main())
