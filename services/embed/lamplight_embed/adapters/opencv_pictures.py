"""Decoding sealed JPEGs with OpenCV: the one place in embed that turns bytes into pixels."""

from __future__ import annotations

import cv2
import numpy as np
from lamplight_kit.errors import Refuse
from lamplight_kit.seal import SealedPicture
from numpy.typing import NDArray


def decode(sealed: SealedPicture) -> NDArray[np.uint8]:
    """Return the pixels [H, W, 3] (blue, green, red); `Refuse` where they are not what the gate attests."""
    attested_hw = (sealed.attestation.height_px, sealed.attestation.width_px)
    coded = np.frombuffer(sealed.jpeg, np.uint8)
    pixels = cv2.imdecode(coded, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    found_hw = None if pixels is None else pixels.shape[:2]
    if pixels is None or found_hw != attested_hw:
        message = f"a picture of height and width {found_hw} found, {attested_hw} attested; its writer is broken"
        raise Refuse(message)
    return pixels.astype(np.uint8, copy=False)
