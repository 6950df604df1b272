"""Run embed: `python -m lamplight_embed`."""

from __future__ import annotations

import sys

from lamplight_kit import log
from lamplight_kit.errors import LamplightError
from lamplight_kit.service import run

from lamplight_embed.bootstrap import build
from lamplight_embed.settings import EmbedSettings


def main() -> int:
    """Run until SIGTERM; exit status 2 where it cannot start."""
    try:
        settings = EmbedSettings.load()
        log.configure("embed", settings.log_level)
        parts = build(settings)
    except LamplightError as error:
        print(error, file=sys.stderr)
        return 2
    return run("embed", parts, settings.http_listen, settings.ports_file)


if __name__ == "__main__":
    sys.exit(main())
