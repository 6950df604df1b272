"""The command `lamplight`."""

from __future__ import annotations

import sys

from lamplight_cli.commands import run


def main() -> int:
    """Run the command of the arguments; return its exit status."""
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
