"""Sealing: what was done to a picture, signed, inside the JPEG's own metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from lamplight.seal.v1 import seal_pb2
from lamplight_kit.seal import segments

from lamplight_detect.gate.encode import QUALITY, jpeg
from lamplight_detect.gate.masks import leaving
from lamplight_detect.gate.picture import RedactedPicture
from lamplight_detect.gate.policy import VERSION


class Signer(Protocol):
    """Holds the private key."""

    @property
    def key_id(self) -> str:
        """The first 16 hexadecimal digits of the sha256 of the public key."""
        ...

    def sign(self, content: bytes) -> bytes:
        """Return the Ed25519 signature of `content`."""
        ...


@dataclass(frozen=True)
class Source:
    """Whose picture it is: empty camera and 0 for an upload."""

    camera_id: str
    at_ns: int


class Sealer:
    """Makes sealed JPEGs of redacted pictures."""

    def __init__(self, signer: Signer, models_sha256: Mapping[str, str], thresholds: Mapping[str, float]) -> None:
        """Sign with `signer`, attesting the models by role and the thresholds by name."""
        self._signer, self._models, self._thresholds = signer, dict(models_sha256), dict(thresholds)

    def sealed(self, picture: RedactedPicture, source: Source, quality: int = QUALITY) -> bytes:
        """Return `picture` as a sealed JPEG."""
        bare = jpeg(picture, quality)
        return segments.insert(bare, self.seal(picture, source, segments.digest(bare)))

    def seal(self, picture: RedactedPicture, source: Source, sha256: bytes) -> bytes:
        """Return the serialised Seal of the file with this sha256 that shows `picture` in the size in which it left."""
        picture = leaving(picture)
        grid = picture.grid()
        height, width = picture.frame_hw
        attestation = seal_pb2.Attestation(
            policy_version=VERSION,
            models_sha256=self._models,
            thresholds=self._thresholds,
            masks=picture.masks,
            mask_grid=np.packbits(grid).tobytes(),
            grid_rows=grid.shape[0],
            grid_columns=grid.shape[1],
            camera_id=source.camera_id,
            at_ns=source.at_ns,
            height_px=height,
            width_px=width,
            picture_sha256=sha256,
            masked_share=picture.masked_share,
            filled_holes=picture.filled_holes,
            filled_share=picture.filled_share,
        ).SerializeToString(deterministic=True)
        seal = seal_pb2.Seal(
            attestation=attestation, key_id=self._signer.key_id, signature=self._signer.sign(attestation)
        )
        return seal.SerializeToString(deterministic=True)
