"""What can go wrong with a model, as leaves of the kit's one tree of errors."""

from __future__ import annotations

from lamplight_kit.errors import Refuse, Stop


class ModelMissing(Stop):
    """A manifest or the model's file is not where it was looked for."""


class ModelBroken(Stop):
    """The file is not what its manifest says: checksum, inputs, outputs or golden outputs differ."""


class TensorRefused(Refuse):
    """This input cannot go through the model, or what came out is not a number: nothing may be concluded from it."""
