"""A model's session with what it answered last, for the canary alone."""

from __future__ import annotations

import numpy as np
from lamplight_kit.onnx import Manifest
from numpy.typing import NDArray

from lamplight_detect.models.finder import Session


class Recorder:
    """A `Session` that keeps the outputs of the first call since `forget`."""

    def __init__(self, session: Session) -> None:
        """Pass every call on to `session`."""
        self._session = session
        self.first: dict[str, NDArray[np.float32]] | None = None

    @property
    def manifest(self) -> Manifest:
        """The session's manifest."""
        return self._session.manifest

    def forget(self) -> None:
        """Keep the next call's outputs."""
        self.first = None

    def run(self, tensor: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run the session."""
        outputs = self._session.run(tensor)
        if self.first is None:
            self.first = outputs
        return outputs
