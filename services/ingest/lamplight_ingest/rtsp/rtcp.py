"""RTCP as it is needed: the sender's clock and its goodbye (RFC 3550, 6.4.1 and 6.6)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

SENDER_REPORT, GOODBYE = 200, 203
_NTP_MINUS_UNIX_S = 2_208_988_800
_REPORT = struct.Struct(">IIII")  # of whom, NTP seconds, NTP fraction, RTP time
_HEAD = struct.Struct(">BBH")
_MODULUS, _HALF = 1 << 32, 1 << 31


@dataclass(frozen=True, slots=True)
class SenderReport:
    """At `at_ns` (Unix ns) the sender's RTP clock showed `rtp_time` (32 bits)."""

    ssrc: int
    at_ns: int
    rtp_time: int

    def time_of(self, rtp_time: int, clock_hz: int) -> int:
        """Return the Unix ns of an RTP time stamp within half its range (6.6 h at 90 kHz) of the report."""
        return self.at_ns + signed(rtp_time - self.rtp_time) * 1_000_000_000 // clock_hz


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The streams of these senders are over; of none named, whoever's the channel is."""

    ssrcs: tuple[int, ...] = ()


def read(packet: bytes) -> list[SenderReport | Goodbye]:
    """Return what a compound packet holds of interest; stops where it makes no sense."""
    found: list[SenderReport | Goodbye] = []
    at = 0
    while at + _HEAD.size <= len(packet):
        flags, kind, words = _HEAD.unpack_from(packet, at)
        stop = at + 4 * (words + 1)
        if flags >> 6 != 2 or stop > len(packet):
            break
        if kind == SENDER_REPORT and stop - at >= _HEAD.size + _REPORT.size:
            found += _report(*_REPORT.unpack_from(packet, at + _HEAD.size))
        elif kind == GOODBYE:
            count = min(flags & 0x1F, (stop - at) // 4 - 1)
            found.append(Goodbye(struct.unpack_from(f">{count}I", packet, at + _HEAD.size)))
        at = stop
    return found


def signed(difference: int) -> int:
    """Return a difference of 32-bit time stamps as the nearest number of ticks, back or forth."""
    return (difference + _HALF) % _MODULUS - _HALF


def _report(ssrc: int, seconds: int, fraction: int, rtp_time: int) -> list[SenderReport | Goodbye]:
    """Return a report, or nothing for a sender without a clock (NTP 0); after 2036 the seconds start anew."""
    if not seconds:
        return []
    era = 0 if seconds & 0x80000000 else 1 << 32
    at_ns = (seconds + era - _NTP_MINUS_UNIX_S) * 1_000_000_000 + (fraction * 1_000_000_000 >> 32)
    return [SenderReport(ssrc, at_ns, rtp_time)]
