"""Gaps in an H.264 stream, which libavcodec conceals and does not report.

Every reference picture counts `frame_num` up by one (ITU-T H.264, 7.4.3); where it jumps, pictures are missing and
what follows is guesswork until the next IDR.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_START = re.compile(rb"\x00\x00\x01")
_SLICE, _IDR, _SPS = 1, 5, 7
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_HEAD_BYTES = 64


@dataclass(frozen=True)
class GapCheck:
    """What was last seen of the stream: bits of frame_num, whether gaps are allowed, the last reference's number."""

    frame_num_bits: int = 0
    separate_planes: bool = False
    gaps_allowed: bool = False
    last_reference: int | None = None

    def after(self, access_unit: bytes) -> tuple[GapCheck, bool]:
        """Return the state after `access_unit` (Annex B), and whether reference pictures are missing before it."""
        state = self
        for nal in nals(access_unit):
            kind = nal[0] & 0x1F
            if kind == _SPS:
                state = _with_sps(state, nal)
            elif kind == _IDR:
                return replace(state, last_reference=0), False
            elif kind == _SLICE:
                return _after_slice(state, nal)
        return state, False


def nals(access_unit: bytes) -> Iterator[bytes]:
    """Yield the NAL units of an Annex B access unit, without start codes."""
    starts = [found.end() for found in _START.finditer(access_unit)]
    for start, after in zip(starts, [*(at - 3 for at in starts[1:]), len(access_unit)], strict=False):
        nal = access_unit[start:after]
        if nal:
            yield nal


def _with_sps(state: GapCheck, nal: bytes) -> GapCheck:
    bits = _Bits(_unescaped(nal[1:]))
    try:
        frame_num_bits, separate, allowed = _read_sps(bits)
    except IndexError:
        return state
    return replace(state, frame_num_bits=frame_num_bits, separate_planes=separate, gaps_allowed=allowed)


def _after_slice(state: GapCheck, nal: bytes) -> tuple[GapCheck, bool]:
    if state.frame_num_bits == 0:
        return state, False
    bits = _Bits(_unescaped(nal[1:_HEAD_BYTES]))
    try:
        for _ in range(3):  # first_mb_in_slice, slice_type, pic_parameter_set_id
            bits.exp_golomb()
        bits.take(2 if state.separate_planes else 0)
        frame_num = bits.take(state.frame_num_bits)
    except IndexError:
        return state, True
    last, modulus = state.last_reference, 1 << state.frame_num_bits
    gap = last is not None and frame_num not in {last, (last + 1) % modulus} and not state.gaps_allowed
    is_reference = nal[0] & 0x60 != 0
    return replace(state, last_reference=frame_num if is_reference else last), gap


def _unescaped(payload: bytes) -> bytes:
    """Return the payload without emulation prevention bytes (7.4.1)."""
    return payload.replace(b"\x00\x00\x03", b"\x00\x00")


class _Bits:
    """Reads bits, most significant first; IndexError at the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value

    def exp_golomb(self) -> int:
        zeros = 0
        while self.take(1) == 0:
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def _read_sps(bits: _Bits) -> tuple[int, bool, bool]:
    """Return bits of frame_num, separate_colour_plane_flag, gaps_in_frame_num_value_allowed_flag (7.3.2.1.1)."""
    profile = bits.take(8)
    bits.take(16)  # constraint flags, level
    bits.exp_golomb()  # seq_parameter_set_id
    separate = False
    if profile in _HIGH_PROFILES:
        chroma = bits.exp_golomb()
        separate = chroma == 3 and bits.take(1) == 1
        bits.exp_golomb()  # bit depths
        bits.exp_golomb()
        bits.take(1)
        if bits.take(1):
            _skip_scaling(bits, 8 if chroma != 3 else 12)
    frame_num_bits = bits.exp_golomb() + 4
    order = bits.exp_golomb()
    if order == 0:
        bits.exp_golomb()
    elif order == 1:
        bits.take(1)
        bits.exp_golomb()
        bits.exp_golomb()
        for _ in range(min(bits.exp_golomb(), 255)):
            bits.exp_golomb()
    bits.exp_golomb()  # max_num_ref_frames
    return frame_num_bits, separate, bits.take(1) == 1


def _skip_scaling(bits: _Bits, lists: int) -> None:
    for index in range(lists):
        if not bits.take(1):
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                coded = bits.exp_golomb()
                following = (last + (-(coded // 2) if coded % 2 == 0 else (coded + 1) // 2)) % 256
            last = following or last
