"""Run the console: `python -m lamplight_console`, told by LAMPLIGHT_… settings."""

from __future__ import annotations

import sys

from lamplight_kit import log
from lamplight_kit.errors import SettingsError
from lamplight_kit.service import run

from lamplight_console.bootstrap import components
from lamplight_console.settings import ConsoleSettings


def main() -> int:
    """Run until told to end; return the exit status."""
    try:
        settings = ConsoleSettings.load()
        log.configure("console", settings.log_level)
        return run("console", components(settings), settings.http_listen, settings.ports_file)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
