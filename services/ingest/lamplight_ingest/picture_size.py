"""How large pictures are, by their headers alone: nothing is decoded.

H.264: ITU-T H.264 7.3.2.1.1; H.265: ITU-T H.265 7.3.2.2; JPEG: ITU-T T.81 B.2.2; PNG: ISO/IEC 15948 11.2.2.
"""

from __future__ import annotations

import re
import struct

from lamplight_ingest.bitstream import PNG_MAGIC
from lamplight_ingest.rtsp.bits import Bits, unescaped

_START = re.compile(b"\x00\x00\x01")
_MOST_BYTES = 4096  # of a parameter set
_WITH_CHROMA = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
_H264_SPS, _HEVC_SPS = 7, 33
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


def frame_hw(codec: str, data: bytes) -> tuple[int, int] | None:
    """Return height and width, in pixels, of an encoded picture (FFmpeg's name of its coding); None where not told."""
    try:
        match codec:
            case "mjpeg":
                return _jpeg(data)
            case "png" if data.startswith(PNG_MAGIC):
                width, height = struct.unpack_from(">II", data, 16)
                return height, width
            case "h264" | "hevc":
                return _by_parameters(codec, data)
            case _:
                return None
    except (struct.error, IndexError):
        return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker in _FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return height, width
        if marker == 0xFF:
            at += 1
        else:
            at += 2 if marker in _WITHOUT_LENGTH else 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def _by_parameters(codec: str, annex_b: bytes) -> tuple[int, int] | None:
    starts = [match.end() for match in _START.finditer(annex_b, 0, 64 << 10)]
    for at in starts:
        end = annex_b.find(b"\x00\x00\x01", at, at + _MOST_BYTES)
        nal = annex_b[at : end if end >= 0 else at + _MOST_BYTES]
        if not nal:
            continue
        plain = Bits(unescaped(nal))
        if codec == "h264" and nal[0] & 0x1F == _H264_SPS:
            return _h264(plain)
        if codec == "hevc" and nal[0] >> 1 & 0x3F == _HEVC_SPS:
            return _hevc(plain)
    return None


def _h264(bits: Bits) -> tuple[int, int]:
    bits.skip(8)
    profile = bits.read(8)
    bits.skip(16)
    bits.exp_golomb()
    chroma = _h264_chroma(bits) if profile in _WITH_CHROMA else 1
    bits.exp_golomb()
    _skip_picture_order(bits)
    bits.exp_golomb()
    bits.skip(1)
    width, height = 16 * (bits.exp_golomb() + 1), 16 * (bits.exp_golomb() + 1)
    fields = 2 - bits.read(1)
    height *= fields
    bits.skip(2 if fields == 2 else 1)
    left, right, top, bottom = [bits.exp_golomb() for _ in range(4)] if bits.read(1) else [0, 0, 0, 0]
    step_x, step_y = (2 if chroma in (1, 2) else 1), fields * (2 if chroma == 1 else 1)
    return height - step_y * (top + bottom), width - step_x * (left + right)


def _h264_chroma(bits: Bits) -> int:
    """Step over what high profiles add; return chroma_format_idc."""
    chroma = bits.exp_golomb()
    bits.skip(1 if chroma == 3 else 0)
    bits.exp_golomb()
    bits.exp_golomb()
    bits.skip(1)
    if bits.read(1):
        for number in range(12 if chroma == 3 else 8):
            if bits.read(1):
                _skip_scaling_list(bits, 16 if number < 6 else 64)
    return chroma


def _skip_scaling_list(bits: Bits, size: int) -> None:
    last, following = 8, 8
    for _ in range(size):
        if following:
            following = (last + _signed(bits.exp_golomb())) % 256
        last = following or last


def _signed(code: int) -> int:
    """Return the signed number that an Exp-Golomb code stands for (H.264 9.1.1)."""
    return (code + 1) // 2 if code & 1 else -(code // 2)


def _skip_picture_order(bits: Bits) -> None:
    kind = bits.exp_golomb()
    if kind == 0:
        bits.exp_golomb()
    elif kind == 1:
        bits.skip(1)
        bits.exp_golomb()
        bits.exp_golomb()
        for _ in range(min(bits.exp_golomb(), 255)):
            bits.exp_golomb()


def _hevc(bits: Bits) -> tuple[int, int]:
    bits.skip(16 + 4)
    layers = bits.read(3)
    bits.skip(1 + 96)
    flags = [(bits.read(1), bits.read(1)) for _ in range(8 if layers else 0)]
    bits.skip(sum(88 * profile + 8 * level for profile, level in flags[:layers]))
    bits.exp_golomb()
    chroma = bits.exp_golomb()
    bits.skip(1 if chroma == 3 else 0)
    width, height = bits.exp_golomb(), bits.exp_golomb()
    left, right, top, bottom = [bits.exp_golomb() for _ in range(4)] if bits.read(1) else [0, 0, 0, 0]
    step_x, step_y = (2 if chroma in (1, 2) else 1), (2 if chroma == 1 else 1)
    return height - step_y * (top + bottom), width - step_x * (left + right)
