"""The place of a seal in a JPEG: an APP11 segment right behind the start marker (ITU-T T.81, B.1.1.3 and B.2.4.6)."""

from __future__ import annotations

import hashlib

_START = b"\xff\xd8"
_APP11 = b"\xff\xeb"
_MAGIC = b"LAMPLIGHT\x00"
_MAX_PAYLOAD = 65_535 - 2 - len(_MAGIC)


def insert(jpeg: bytes, payload: bytes) -> bytes:
    """Return `jpeg` with `payload` (at most 65,523 bytes) as its first segment; ValueError where it cannot be."""
    if not jpeg.startswith(_START):
        message = f"a picture that starts with {jpeg[:2].hex()} found, a JPEG (ffd8) expected; only JPEGs are sealed"
        raise ValueError(message)
    if len(payload) > _MAX_PAYLOAD:
        message = f"a seal of {len(payload)} bytes found, at most {_MAX_PAYLOAD} expected; coarsen its mask grid"
        raise ValueError(message)
    length = (2 + len(_MAGIC) + len(payload)).to_bytes(2, "big")
    return _START + _APP11 + length + _MAGIC + payload + jpeg[2:]


def extract(sealed: bytes) -> tuple[bytes, bytes]:
    """Return (payload, the JPEG without its seal); ValueError where the first segment is no seal."""
    head = len(_START) + len(_APP11)
    if sealed[:head] != _START + _APP11 or sealed[head + 2 : head + 2 + len(_MAGIC)] != _MAGIC:
        message = "a picture without a seal found, a JPEG sealed by detect's privacy gate expected"
        raise ValueError(message)
    length = int.from_bytes(sealed[head : head + 2], "big")
    end = head + length
    if length < 2 + len(_MAGIC) or end > len(sealed):
        message = f"a seal of {length} bytes in a picture of {len(sealed)} found, a whole seal expected"
        raise ValueError(message)
    return sealed[head + 2 + len(_MAGIC) : end], _START + sealed[end:]


def digest(jpeg: bytes) -> bytes:
    """Return the sha256 of a JPEG without its seal, as the attestation holds it."""
    return hashlib.sha256(jpeg).digest()
