"""The one tree of errors: the class alone decides what becomes of the message that met it.

`Skip`: the message is passed over and counted. `Retry`: the batch is tried again after a pause, for ever.
`Refuse`: the message goes to the dead-letter topic at once. `Stop`: the process ends, since nothing it does can help.
Anything else that a handler raises is a fault of ours: it ends the process, and the bus loop's count of unclean
deaths decides (see `lamplight_kit.kafka.stage`).
"""

from __future__ import annotations

from dataclasses import dataclass


class LamplightError(Exception):
    """Any error that Lamplight raises on purpose; its text names the value, what was expected and the cure."""


class Skip(LamplightError):  # noqa: N818 - named after what it decides
    """The message is of no use any more (stale epoch, unknown camera): pass it over and count it."""


class Retry(LamplightError):  # noqa: N818 - named after what it decides
    """Something outside is away for now (store, model server): the same batch will do later."""


class Refuse(LamplightError):  # noqa: N818 - named after what it decides
    """The message itself can never be handled: to the dead-letter topic, with this text."""


class Stop(LamplightError):  # noqa: N818 - named after what it decides
    """The process cannot go on (settings, topics of another size): end it with this text."""


class SettingsError(Stop):
    """A setting is missing or wrong; names the setting and where it was looked for."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong in what a user wrote.

    `path` is the field's path in the user's file (`cameras[3].zones[0].polygon`); `file` and `line` (from 1) are
    filled in by whoever read the file, and are empty and 0 where the input was no file.
    """

    path: str
    value: str
    expected: str
    cure: str
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.file else ""
        what = f"{self.path}: " if self.path else ""
        return f"{where}{what}{self.value!r} found, {self.expected} expected; {self.cure}"


class BadInput(LamplightError):  # noqa: N818 - what the user gave, not a fault of ours
    """What a user wrote cannot be taken; holds every problem found, and nothing was changed."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Keep all `problems` (at least one), so that a user mends the file once."""
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
