"""NAL units come out of RTP payloads as they went in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lamplight_demo.cameras.h264 import FU_A, FU_END, FU_START, nal_type, payloads, split_annexb

nals = st.tuples(
    st.integers(0x01, 0x77).filter(lambda b: 0 < b & 0x1F < FU_A), st.binary(min_size=1, max_size=200)
).map(lambda pair: bytes((pair[0],)) + pair[1] + b"\x80")


def rebuilt(parts: list[bytes]) -> bytes:
    """Join FU-A payloads as a receiver does (RFC 6184, 5.8)."""
    if len(parts) == 1:
        return parts[0]
    assert parts[0][1] & FU_START
    assert parts[-1][1] & FU_END
    assert all(nal_type(part) == FU_A for part in parts)
    return bytes(((parts[0][0] & 0xE0) | (parts[0][1] & 0x1F),)) + b"".join(part[2:] for part in parts)


@given(nals, st.integers(3, 64))
def test_a_receiver_rebuilds_every_unit(nal: bytes, max_bytes: int) -> None:
    """Whatever its size, a unit comes back whole and no payload is larger than asked."""
    parts = payloads(nal, max_bytes)
    assert rebuilt(parts) == nal
    assert all(len(part) <= max_bytes for part in parts)


@given(st.lists(nals.filter(lambda nal: b"\x00\x00" not in nal), max_size=5))
def test_start_codes_of_both_lengths_split_a_stream(units: list[bytes]) -> None:
    """Three and four byte start codes both end a unit, and none is lost or empty."""
    codes = (b"\x00\x00\x01", b"\x00\x00\x00\x01")
    stream = b"".join(codes[i % 2] + unit for i, unit in enumerate(units))
    assert split_annexb(stream) == tuple(units)
