"""H.264 and H.265 as RTP carries them: NAL unit types and their parts (RFC 6184, RFC 7798; ITU-T H.264, H.265 7-1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

START = b"\x00\x00\x00\x01"


class Interest(IntEnum):
    """What the first byte of a packet's payload tells of our interest in it."""

    NONE = 0
    SURE = 1
    IN_FRAGMENT = 2  # the fragment's own header tells


@dataclass(frozen=True)
class Codec:
    """The numbers of one codec; `name` is FFmpeg's, `header_bytes` the length of a NAL unit's header."""

    name: str
    header_bytes: int
    shift: int
    mask: int
    aggregate: int
    fragment: int
    last_single: int
    keys: frozenset[int]
    pictures: frozenset[int]
    parameter_sets: frozenset[int]
    openers: frozenset[int]  # may stand only before a picture's first slice
    ballast: frozenset[int]  # delimiters, ends and filler: a picture is decoded as well without
    recovery: frozenset[int]  # may tell that a picture which is no IDR can be entered at
    undefined: frozenset[int]  # reserved or of no meaning to us: to be ignored, wherever they stand

    def type_of(self, first: int) -> int:
        """Return a NAL unit's type by the first byte of its header."""
        return first >> self.shift & self.mask

    def fragment_type(self, header: int) -> int:
        """Return the type of a fragmented NAL unit by its fragment header."""
        return header & self.mask

    def fragment_nal_header(self, payload: bytes, header: int) -> bytes:
        """Return the header of the NAL unit whose fragment begins with `payload`."""
        kind = self.fragment_type(header)
        if self.header_bytes == 1:
            return bytes((payload[0] & 0xE0 | kind,))
        return bytes((payload[0] & 0x81 | kind << 1, payload[1]))

    def interests(self, *, keys_only: bool) -> tuple[bytes, bytes]:
        """Return two tables of `Interest`: by a payload's first byte, and by a fragment's header."""
        if not keys_only:
            return bytes([Interest.SURE]) * 256, bytes([Interest.SURE]) * 256
        wanted = self.keys | self.parameter_sets | self.recovery
        of = {self.aggregate: Interest.SURE, self.fragment: Interest.IN_FRAGMENT}
        by_type = [Interest.SURE if kind in wanted else of.get(kind, Interest.NONE) for kind in range(64)]
        return (
            bytes(by_type[self.type_of(first)] for first in range(256)),
            bytes(Interest.SURE if self.fragment_type(header) in wanted else Interest.NONE for header in range(256)),
        )


H264 = Codec(
    name="h264",
    header_bytes=1,
    shift=0,
    mask=0x1F,
    aggregate=24,  # STAP-A
    fragment=28,  # FU-A
    last_single=23,
    keys=frozenset({5}),
    pictures=frozenset({1, 2, 3, 4, 5}),
    parameter_sets=frozenset({7, 8}),
    openers=frozenset({6, 7, 8, 9}),
    ballast=frozenset({9, 10, 11, 12}),
    recovery=frozenset({6}),
    undefined=frozenset({0, 17, 18, 22, 23, 30, 31}),  # RFC 6184, table 1; H.264, table 7-1
)
H265 = Codec(
    name="hevc",
    header_bytes=2,
    shift=1,
    mask=0x3F,
    aggregate=48,  # AP
    fragment=49,  # FU
    last_single=47,
    keys=frozenset(range(16, 22)),  # intra random access points
    pictures=frozenset({*range(10), *range(16, 22)}),
    parameter_sets=frozenset({32, 33, 34}),
    openers=frozenset({32, 33, 34, 35, 39}),
    ballast=frozenset({35, 36, 37, 38}),
    recovery=frozenset(),
    undefined=frozenset({*range(10, 16), *range(22, 32), *range(41, 48), *range(51, 64)}),  # H.265, table 7-1
)
CODECS = {"H264": H264, "H265": H265, "HEVC": H265}
"""By the encoding's name in a session description."""
