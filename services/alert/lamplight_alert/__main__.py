"""Run alert: `python -m lamplight_alert`."""

from __future__ import annotations

import sys

from lamplight_kit import log
from lamplight_kit.errors import LamplightError
from lamplight_kit.service import run

from lamplight_alert.bootstrap import build
from lamplight_alert.settings import AlertSettings


def main() -> int:
    """Run until SIGTERM; exit status 2 where it cannot start."""
    try:
        settings = AlertSettings.load()
        log.configure("alert", settings.log_level)
        parts = build(settings)
    except LamplightError as error:
        print(error, file=sys.stderr)
        return 2
    return run("alert", parts, settings.http_listen, settings.ports_file)


if __name__ == "__main__":
    sys.exit(main())
