"""What libavcodec does not report of an H.265 stream: lost slices, and a lost key picture that hides.

A missing reference is an error of its own. A lost slice is none: what the buffer held is shown in its place. A
picture's head does not say how many slices it has, so their number is held against the last picture's: an encoder that
cuts its pictures cuts them all alike. And the order of pictures must go on (ITU-T H.265, 7.3.1.2, 7.3.2.2, 7.3.6.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lamplight_detect.decode.bits import Bits, nals
from lamplight_detect.decode.order import Order

_SLICES_BELOW, _SPS, _PPS = 32, 33, 34
_KEYS, _IDR = range(16, 24), range(19, 21)
_HEAD_BYTES = 64
_PROFILE_BITS, _LEVEL_BITS = 88, 8


@dataclass(frozen=True)
class Sps:
    """What a sequence parameter set says that heads of slices are read by."""

    order_bits: int
    separate_planes: bool


@dataclass(frozen=True)
class Pps:
    """What a picture parameter set says that heads of slices are read by; `sps_id` names its sequence's."""

    sps_id: int
    output_flag: bool
    extra_bits: int


@dataclass(frozen=True)
class SliceCheck:
    """How many slices the last key picture and the last other one had (0: none yet), and the order of pictures."""

    of_keys: int = 0
    of_others: int = 0
    order: Order = field(default=Order())
    sequences: Mapping[int, Sps] = field(default_factory=dict)
    pictures: Mapping[int, Pps] = field(default_factory=dict)

    def after(self, access_unit: bytes, *, is_key: bool) -> tuple[SliceCheck, str]:
        """Return the state after `access_unit` (Annex B), and what is odd about it, or an empty text.

        Fewer slices than the last picture of its kind had are a loss; the first picture after a key must have as many
        as that. A number that stays is taken up, so that a new setting of the camera costs a key interval.
        """
        state, count, odd = self, 0, ""
        for nal in nals(access_unit):
            kind, layer = nal[0] >> 1 & 0x3F, (nal[0] & 1) << 5 | (nal[1] >> 3 if len(nal) > 1 else 0)
            if layer:
                continue
            if kind in {_SPS, _PPS}:
                state = _with_set(state, kind, nal)
            elif kind < _SLICES_BELOW:
                count += 1
                if count == 1:
                    state, is_back = _after_first(state, kind, nal)
                    odd = "pictures that go back in their order" if is_back else ""
        if is_key:
            fewer, state = count < self.of_keys, replace(state, of_keys=count)
        else:
            fewer = count < self.of_others if self.of_others else count != (self.of_keys or count)
            state = replace(state, of_others=count)
        return state, "another number of slices than in the picture before" if fewer else odd


def _with_set(state: SliceCheck, kind: int, nal: bytes) -> SliceCheck:
    bits = Bits(nal[2:])
    try:
        if kind == _SPS:
            number, sps = _read_sps(bits)
            return replace(state, sequences={**state.sequences, number: sps})
        number, pps = _read_pps(bits)
    except IndexError:
        return state
    return replace(state, pictures={**state.pictures, number: pps})


def _after_first(state: SliceCheck, kind: int, nal: bytes) -> tuple[SliceCheck, bool]:
    """Return the state after a picture's first slice, and whether its order tells of a loss."""
    if kind in _IDR:
        return replace(state, order=Order(0)), False
    bits = Bits(nal[2:_HEAD_BYTES])
    try:
        bits.skip(2 if kind in _KEYS else 1)
        pps = state.pictures.get(bits.exp_golomb())
        sps = state.sequences.get(pps.sps_id) if pps else None
        if pps is None or sps is None:
            return state, False  # libavcodec refuses it
        bits.skip(pps.extra_bits)
        bits.exp_golomb()  # slice_type
        bits.skip(pps.output_flag + 2 * sps.separate_planes)
        lowest = bits.take(sps.order_bits)
    except IndexError:
        return state, True
    order, is_back = state.order.after(state.order.unwrapped(lowest, sps.order_bits))
    return replace(state, order=order), is_back


def _read_pps(bits: Bits) -> tuple[int, Pps]:
    """Return its number and the set (7.3.2.3.1)."""
    number, sps_id = bits.exp_golomb(), bits.exp_golomb()
    bits.skip(1)  # dependent_slice_segments_enabled_flag
    return number, Pps(sps_id, bits.take(1) == 1, bits.take(3))


def _read_sps(bits: Bits) -> tuple[int, Sps]:
    """Return its number and the set, read as far as log2_max_pic_order_cnt_lsb (7.3.2.2.1, 7.3.3)."""
    bits.skip(4)
    layers = bits.take(3)
    bits.skip(1 + _PROFILE_BITS + _LEVEL_BITS)
    told = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    bits.skip(2 * (8 - layers) if layers else 0)
    for has_profile, has_level in told:
        bits.skip(_PROFILE_BITS * has_profile + _LEVEL_BITS * has_level)
    number = bits.exp_golomb()
    separate = bits.exp_golomb() == 3 and bits.take(1) == 1
    bits.exp_golomb()  # width, height
    bits.exp_golomb()
    for _ in range(4 * bits.take(1) + 2):  # the window, bit depths
        bits.exp_golomb()
    return number, Sps(bits.exp_golomb() + 4, separate)
