"""The group `lamplight`, and what becomes of errors: 0 all well, 1 a source or service failed, 2 bad input."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping, Sequence

import click
from lamplight_kit import log
from lamplight_kit.errors import BadInput, LamplightError, SettingsError

from lamplight_cli.errors import BAD_INPUT, FAILED, NotFoundError

COMMANDS: Mapping[str, str] = {
    "up": "up",
    "watch": "watch",
    "redact": "redact",
    "camera": "camera",
    "situation": "situation",
    "rule": "rule",
    "destination": "destination",
    "alerts": "alerts",
    "deadletter": "deadletter",
    "bench": "bench",
    "doctor": "doctor",
}
"""Each command's module in this package, where it is called `command`."""


class Lazy(click.Group):
    """A group that imports a command when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return all names, in the order above."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Return the command called `cmd_name`, or None."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"lamplight_cli.commands.{COMMANDS[cmd_name]}")
        command: click.Command = module.command
        return command


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="lamplight-cli")
def root() -> None:
    """Lamplight watches a city's cameras for things and situations. It never learns who was there."""


def run(arguments: Sequence[str]) -> int:
    """Run the command of `arguments`; return its exit status."""
    log.configure("cli", "warning")  # on stderr: stdout is for what was asked for
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters of it comes back as an error
    try:
        status = root.main(args=list(arguments), prog_name="lamplight", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:  # whoever read our output has seen enough
        return 0
    except (BadInput, SettingsError, NotFoundError) as error:
        click.echo(str(error), err=True)
        return BAD_INPUT
    except LamplightError as error:
        click.echo(str(error), err=True)
        return FAILED
    return status if isinstance(status, int) else 0
