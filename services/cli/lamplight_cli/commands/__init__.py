"""What a user types: each command a module; what it needs is imported when it runs, so that `--help` is quick."""

from lamplight_cli.commands.root import run

__all__ = ["run"]
