"""What can be told of encoded pictures from their first bytes, without decoding: pure functions over bytes.

H.264: ITU-T H.264 table 7-1 (NAL types); H.265: ITU-T H.265 table 7-1. Annex B start codes in both.
"""

from __future__ import annotations

import re

_START = re.compile(b"\x00\x00\x01")
JPEG_MAGIC = b"\xff\xd8\xff"
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_H264_PARAMETERS = frozenset({7, 8})  # sequence, picture parameter set
_HEVC_PARAMETERS = frozenset({32, 33, 34})  # video, sequence, picture parameter set


def still_codec(data: bytes) -> str | None:
    """Return FFmpeg's name of the coding of a JPEG or PNG, told by its magic; None for anything else."""
    if data.startswith(JPEG_MAGIC):
        return "mjpeg"
    return "png" if data.startswith(PNG_MAGIC) else None


def nal_types(codec: str, annex_b: bytes) -> frozenset[int]:
    """Return the types of the NAL units in `annex_b` of `codec` (h264 or hevc)."""
    heads = (annex_b[match.end()] for match in _START.finditer(annex_b) if match.end() < len(annex_b))
    if codec == "h264":
        return frozenset(head & 0x1F for head in heads)
    return frozenset(head >> 1 & 0x3F for head in heads)


def with_parameter_sets(codec: str, annex_b: bytes, parameter_sets: bytes) -> bytes:
    """Return a key access unit with `parameter_sets` (Annex B) before it, unless it holds sets of its own."""
    wanted = _H264_PARAMETERS if codec == "h264" else _HEVC_PARAMETERS
    if not parameter_sets or nal_types(codec, annex_b) >= wanted:
        return annex_b
    return parameter_sets + annex_b


def is_annex_b(data: bytes) -> bool:
    """Tell whether `data` begins with a start code, and not with a length or a configuration record."""
    return data.startswith((b"\x00\x00\x01", b"\x00\x00\x00\x01"))
