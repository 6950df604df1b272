"""The parameter sets in force: the last of each kind and id, from the description or in band."""

from __future__ import annotations

from lamplight_ingest.rtsp.bits import Bits, unescaped
from lamplight_ingest.rtsp.nal import START, Codec

MAX_SET_BYTES = 8 << 10
MAX_SETS = 64
MAX_BYTES = 32 << 10
"""Of all sets together: they go before every key picture, however small it is."""
_HEAD_BYTES = 160  # an id lies within the first bytes of a set
_H264_SPS, _H264_PPS = 7, 8
_HEVC_SPS, _HEVC_PPS = 33, 34


class ParameterSets:
    """Keeps sets in the order in which a decoder wants them; `annex_b` is what goes before a key picture."""

    def __init__(self, codec: Codec, nals: tuple[bytes, ...] = ()) -> None:
        """Begin with `nals`, without start codes."""
        self._codec = codec
        self._sets: dict[tuple[int, int], bytes] = {}
        self.annex_b = b""
        for nal in nals:
            self.put(nal)

    def put(self, nal: bytes) -> None:
        """Take a set in place of the one with its kind and id; what is no set, or absurd, is passed over."""
        if not self._codec.header_bytes < len(nal) <= MAX_SET_BYTES:
            return
        kind = self._codec.type_of(nal[0])
        if kind not in self._codec.parameter_sets:
            return
        key = (kind, set_id(self._codec, nal))
        if self._sets.get(key) == nal or (key not in self._sets and len(self._sets) >= MAX_SETS):
            return
        others = sum(map(len, self._sets.values())) - len(self._sets.get(key, b""))
        if others + len(nal) > MAX_BYTES:
            return
        self._sets[key] = nal
        self.annex_b = b"".join(START + self._sets[each] for each in sorted(self._sets))


def set_id(codec: Codec, nal: bytes) -> int:
    """Return a parameter set's id (H.264 7.3.2.1, 7.3.2.2; H.265 7.3.2.1 to 7.3.2.3); 0 where it cannot be read."""
    bits = Bits(unescaped(nal[:_HEAD_BYTES]))
    kind = codec.type_of(nal[0])
    bits.skip(8 * codec.header_bytes)
    if codec.header_bytes == 1:
        bits.skip(24 if kind == _H264_SPS else 0)  # profile, constraints, level
        return bits.exp_golomb()
    if kind == _HEVC_PPS:
        return bits.exp_golomb()
    vps_id = bits.read(4)
    if kind != _HEVC_SPS:
        return vps_id
    _skip_profile_tier_level(bits, bits.read(3))
    return bits.exp_golomb()


def _skip_profile_tier_level(bits: Bits, sub_layers: int) -> None:
    """Step over H.265 7.3.3: 96 bits in all, then what each sub-layer says for itself."""
    bits.skip(1 + 96)
    flags = [(bits.read(1), bits.read(1)) for _ in range(8 if sub_layers else 0)]
    bits.skip(sum(88 * profile + 8 * level for profile, level in flags[:sub_layers]))
