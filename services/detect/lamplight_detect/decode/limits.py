"""How large a picture may be, and the one error of all decoders."""

from __future__ import annotations

from lamplight_kit.errors import Refuse

MAX_PX = 40_000_000
"""Pixels of a picture: 120 MB as an array."""
MIN_SIDE_PX = 16
"""A side below this holds nothing that the models can search."""
MAX_BYTES = 32 << 20
"""An encoded picture: what gRPC lets through."""


class Unreadable(Refuse):
    """A picture that is not decoded: the text says what was found, what was expected, and the cure."""


class LeftOut(Unreadable):
    """A picture that may well be whole and is left out all the same: nothing is wrong with the camera."""


def check_size(width: int, height: int) -> None:
    """Refuse a picture of more than MAX_PX or with a side below MIN_SIDE_PX."""
    if min(width, height) < MIN_SIDE_PX:
        message = f"a picture of {width}x{height} found, sides of {MIN_SIDE_PX} pixels or more expected"
        raise Unreadable(message)
    if width * height > MAX_PX:
        message = f"a picture of {width}x{height} found, at most {MAX_PX} pixels expected; send it smaller"
        raise Unreadable(message)


def check_bytes(data: bytes) -> None:
    """Refuse no bytes, and more than MAX_BYTES."""
    if not data:
        message = "an empty picture found, a JPEG, PNG or video picture expected"
        raise Unreadable(message)
    if len(data) > MAX_BYTES:
        message = f"a picture of {len(data)} bytes found, at most {MAX_BYTES} expected; send it smaller"
        raise Unreadable(message)
