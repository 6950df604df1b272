"""Detect as it is run, on models that see somebody everywhere, and that fail now and then, quoting what they saw.

What a fault says is the worst that a library could say: all pixels, in its text. Nothing of it may be found anywhere.
"""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
from lamplight_detect import __main__ as program
from lamplight_detect import bootstrap, redact
from lamplight_detect.decode import pictures
from lamplight_detect.detections import Detections
from lamplight_kit.store import EvidenceStore
from lamplight_models import manifest
from numpy.typing import NDArray

RAISES_EVERY, REFUSES_EVERY, HANGS_EVERY, SPOILS_EVERY, STORE_EVERY = 101, 103, 107, 11, 13
HANG_S = 0.6
_calls = {"find": 0, "decode": 0, "put": 0}
_decode_still = pictures.decode_still


def _count(name: str) -> int:
    _calls[name] += 1
    return _calls[name]


class Everybody:
    """A finder that sees one person all over each picture."""

    def __init__(self, session: Any) -> None:
        """Speak for the session's model."""
        self.manifest = session.manifest

    def find(self, picture: NDArray[np.uint8], at_least: float) -> Detections:
        """See somebody, or fail."""
        number = _count("find")
        if number % RAISES_EVERY == 0:
            message = f"no kernel for {picture.tobytes()!r} {picture.tobytes().hex()}"
            raise RuntimeError(message)
        if number % REFUSES_EVERY == 0:
            raise MemoryError(picture.tobytes())
        if number % HANGS_EVERY == 0:
            time.sleep(HANG_S)
        height, width = picture.shape[:2]
        box = np.array([[0, 0, width, height]], np.float32)
        return Detections(box, np.full(1, 0.99, np.float32), np.zeros(1, np.int64))


class Failing(EvidenceStore):
    """A store whose disk fails now and then."""

    def put(self, key: str, sealed_jpeg: bytes) -> None:
        """Keep a picture, or fail as a disk does."""
        if _count("put") % STORE_EVERY == 0:
            raise OSError(28, "no space left on device", key)
        super().put(key, sealed_jpeg)


def decode_still(data: bytes) -> NDArray[np.uint8]:
    """Decode, or fail and quote the picture."""
    if _count("decode") % SPOILS_EVERY == 0:
        message = f"cannot reshape {data!r}"
        raise ValueError(message)
    return _decode_still(data)


def main() -> int:
    """Run detect."""
    things, faces = (SimpleNamespace(manifest=manifest(name)) for name in ("nanodet", "centerface"))
    changed: Any = bootstrap
    changed.sessions_of = lambda *_: (things, faces)
    changed.canary_of = lambda *_: SimpleNamespace(check=lambda: "")
    changed.NanoDet = changed.CenterFace = Everybody
    changed.EvidenceStore = Failing
    pictures.decode_still = redact.decode_still = decode_still
    return program.main()


if __name__ == "__main__":
    sys.exit(main())
