"""`python -m lamplight_ingest`: one ingest worker."""

from __future__ import annotations

import sys

from lamplight_kit import log
from lamplight_kit.errors import SettingsError
from lamplight_kit.hardening import harden

from lamplight_ingest.bootstrap import run
from lamplight_ingest.settings import IngestSettings


def main() -> int:
    """Run a worker until it is told to end; return its exit status."""
    harden()
    try:
        settings = IngestSettings.load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    log.configure("ingest", settings.log_level)
    return run(settings)


if __name__ == "__main__":
    sys.exit(main())
