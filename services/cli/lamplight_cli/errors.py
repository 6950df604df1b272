"""What ends a command: 0 all well, 1 a source or service failed, 2 bad input."""

from __future__ import annotations

from lamplight_kit.errors import LamplightError

FAILED = 1
BAD_INPUT = 2


class CallFailedError(LamplightError):
    """A call did not do what it was for; the text says which service, why, and the cure."""


class NotFoundError(CallFailedError):
    """The user named something that is not there."""
