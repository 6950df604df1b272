"""What can go wrong while the models are made ready; each text names the package, what was expected, and the cure."""

from __future__ import annotations

from lamplight_kit.errors import LamplightError


class NotReady(LamplightError):  # noqa: N818 - named after the state that it leaves
    """A model could not be fetched, taken out, converted or checked; what was there before is unchanged."""
