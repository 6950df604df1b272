"""Encoding what the gate made; the only calls of an encoder of stills in Lamplight."""

from __future__ import annotations

import cv2

from lamplight_detect.gate.masks import leaving
from lamplight_detect.gate.picture import GateClosed, RedactedPicture

QUALITY = 85
LEAST_QUALITY = 30


def jpeg(picture: RedactedPicture, quality: int = QUALITY) -> bytes:
    """Return `picture` as a JPEG in the size in which it leaves, of its array alone: nothing else of the source."""
    picture = leaving(picture)
    done, data = cv2.imencode(".jpg", picture.bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        message = f"a picture of {picture.frame_hw} that no JPEG holds found, sides up to 65500 expected"
        raise GateClosed(message)
    return data.tobytes()
