"""Gaps in an H.264 stream, which libavcodec conceals and does not report.

Every reference picture counts `frame_num` up by one (ITU-T H.264, 7.4.3); where it jumps, pictures are missing and
what follows is guesswork until the next IDR. Where the order of pictures is coded too (type 0), it must go on as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lamplight_detect.decode.bits import Bits, nals
from lamplight_detect.decode.order import Order

_SLICE, _IDR, _SPS = 1, 5, 7
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_HEAD_BYTES = 64


@dataclass(frozen=True)
class Sps:
    """What a sequence parameter set says that heads of slices are read by; `order_bits` 0 where none are coded."""

    frame_num_bits: int
    separate_planes: bool
    gaps_allowed: bool
    order_bits: int
    frames_only: bool


@dataclass(frozen=True)
class GapCheck:
    """What was last seen of the stream: its parameters, the last reference's number, the order of pictures."""

    sps: Sps | None = None
    last_reference: int | None = None
    order: Order = field(default=Order())

    def after(self, access_unit: bytes) -> tuple[GapCheck, bool]:
        """Return the state after `access_unit` (Annex B), and whether reference pictures are missing before it."""
        state = self
        for nal in nals(access_unit):
            kind = nal[0] & 0x1F
            if kind == _SPS:
                state = _with_sps(state, nal)
            elif kind == _IDR:
                return replace(state, last_reference=0, order=Order(0)), False
            elif kind == _SLICE:
                return _after_slice(state, nal)
        return state, False


def _with_sps(state: GapCheck, nal: bytes) -> GapCheck:
    try:
        return replace(state, sps=_read_sps(Bits(nal[1:])))
    except IndexError:
        return state


def _after_slice(state: GapCheck, nal: bytes) -> tuple[GapCheck, bool]:
    sps = state.sps
    if sps is None:
        return state, False
    bits = Bits(nal[1:_HEAD_BYTES])
    try:
        for _ in range(3):  # first_mb_in_slice, slice_type, pic_parameter_set_id
            bits.exp_golomb()
        bits.skip(2 if sps.separate_planes else 0)
        frame_num = bits.take(sps.frame_num_bits)
        is_field = not sps.frames_only and bits.take(1) == 1
        bits.skip(1 if is_field else 0)
        lowest = bits.take(sps.order_bits)
    except IndexError:
        return state, True
    last, modulus = state.last_reference, 1 << sps.frame_num_bits
    gap = last is not None and frame_num not in {last, (last + 1) % modulus} and not sps.gaps_allowed
    order, is_back = _ordered(state.order, lowest, sps.order_bits, is_field=is_field)
    is_reference = nal[0] & 0x60 != 0
    return replace(state, last_reference=frame_num if is_reference else last, order=order), gap or is_back


def _ordered(order: Order, lowest: int, bits: int, *, is_field: bool) -> tuple[Order, bool]:
    """Return the order after a picture; the two fields of one have counts of their own, side by side."""
    if not bits:
        return order, False
    count = order.unwrapped(lowest, bits)
    return order.after(count | 1 if is_field else count)


def _read_sps(bits: Bits) -> Sps:
    """Read it as far as frame_mbs_only_flag (7.3.2.1.1)."""
    profile = bits.take(8)
    bits.skip(16)  # constraint flags, level
    bits.exp_golomb()  # seq_parameter_set_id
    separate = False
    if profile in _HIGH_PROFILES:
        chroma = bits.exp_golomb()
        separate = chroma == 3 and bits.take(1) == 1
        bits.exp_golomb()  # bit depths
        bits.exp_golomb()
        bits.skip(1)
        if bits.take(1):
            _skip_scaling(bits, 8 if chroma != 3 else 12)
    frame_num_bits = bits.exp_golomb() + 4
    kind = bits.exp_golomb()
    order_bits = bits.exp_golomb() + 4 if kind == 0 else 0
    if kind == 1:
        bits.skip(1)
        bits.exp_golomb()
        bits.exp_golomb()
        for _ in range(min(bits.exp_golomb(), 255)):
            bits.exp_golomb()
    bits.exp_golomb()  # max_num_ref_frames
    gaps_allowed = bits.take(1) == 1
    bits.exp_golomb()  # width, height
    bits.exp_golomb()
    return Sps(frame_num_bits, separate, gaps_allowed, order_bits, bits.take(1) == 1)


def _skip_scaling(bits: Bits, lists: int) -> None:
    for index in range(lists):
        if not bits.take(1):
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                coded = bits.exp_golomb()
                following = (last + (-(coded // 2) if coded % 2 == 0 else (coded + 1) // 2)) % 256
            last = following or last
