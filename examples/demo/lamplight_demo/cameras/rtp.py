"""RTP and RTCP as bytes (RFC 3550), and their framing in an RTSP connection (RFC 2326, 10.12)."""

from __future__ import annotations

import struct

PAYLOAD_TYPE = 96
CLOCK_HZ = 90_000
NTP_MINUS_UNIX_S = 2_208_988_800
SENDER_REPORT = 200
SOURCE_DESCRIPTION = 202
CNAME = 1


def packet(payload: bytes, *, seq: int, timestamp: int, ssrc: int, marker: bool) -> bytes:
    """Return one RTP packet; `seq` and `timestamp` are taken modulo 2^16 and 2^32."""
    flags = PAYLOAD_TYPE | (0x80 if marker else 0)
    return struct.pack("!BBHII", 0x80, flags, seq & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


def sender_report(*, ssrc: int, unix_s: float, timestamp: int, packets: int, octets: int) -> bytes:
    """Return a compound RTCP packet that ties RTP `timestamp` to the wall clock's `unix_s` (RFC 3550, 6.4.1)."""
    ntp = int((unix_s + NTP_MINUS_UNIX_S) * 2**32)
    counts = (packets & 0xFFFFFFFF, octets & 0xFFFFFFFF)
    report = struct.pack("!BBHIQIII", 0x80, SENDER_REPORT, 6, ssrc, ntp, timestamp & 0xFFFFFFFF, *counts)
    name = b"lamplight-demo"
    item = struct.pack("!IBB", ssrc, CNAME, len(name)) + name
    item += b"\x00" * (4 - len(item) % 4)
    return report + struct.pack("!BBH", 0x81, SOURCE_DESCRIPTION, len(item) // 4) + item


def interleaved(channel: int, data: bytes) -> bytes:
    """Return `data` (at most 65,535 bytes) framed for `channel` of an RTSP connection."""
    return struct.pack("!cBH", b"$", channel, len(data)) + data
