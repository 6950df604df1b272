"""Run detect: `python -m lamplight_detect`."""

from __future__ import annotations

import sys

from lamplight_kit import log
from lamplight_kit.errors import LamplightError
from lamplight_kit.hardening import harden
from lamplight_kit.service import run

from lamplight_detect.bootstrap import build
from lamplight_detect.settings import DetectSettings


def main() -> int:
    """Run until SIGTERM; exit status 2 where it cannot start."""
    harden()
    try:
        settings = DetectSettings.load()
        log.configure("detect", settings.log_level)
        parts = build(settings)
    except LamplightError as error:
        print(error, file=sys.stderr)
        return 2
    return run("detect", parts, settings.http_listen, settings.ports_file)


if __name__ == "__main__":
    sys.exit(main())
