"""The video of a session: stepped over packet by packet, copied only where it is wanted.

What is plain — the video's channel and sender, RTP without extras, the sequence unbroken, nothing that is wanted — is
stepped over in one short loop, about a microsecond a packet. Everything else takes the long way, `packet`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

from lamplight_ingest.rtsp import rtcp
from lamplight_ingest.rtsp.assembler import Assembler
from lamplight_ingest.rtsp.events import AccessUnit, Activity, Fault, SessionError
from lamplight_ingest.rtsp.nal import Interest
from lamplight_ingest.rtsp.parameter_sets import ParameterSets
from lamplight_ingest.rtsp.sdp import VideoFormat

_FRAME_BYTES, _RTP_BYTES = 4, 12
_RTP = struct.Struct(">BBHII")  # RFC 3550, 5.1: flags, marker and type, sequence number, time stamp, source
_LATE = 64
"""A packet this little behind the sequence comes twice or late, and is passed over; further behind, it starts anew."""


class Track:
    """Receives one video on its two channels, (RTP, RTCP), and gives its pictures to `emit`."""

    def __init__(
        self,
        video: VideoFormat,
        channels: tuple[int, int],
        emit: Callable[[AccessUnit], None],
        *,
        keys_only: bool,
        max_bytes: int,
    ) -> None:
        """Expect what `video` says; `keys_only` copies key pictures of at most `max_bytes` and nothing else."""
        self.video = video
        self.channels = channels
        codec = video.codec
        self._emit = emit
        self._assembler = Assembler(
            codec, ParameterSets(codec, video.parameter_sets), self._whole, keys_only=keys_only, max_bytes=max_bytes
        )
        self._interests, self._fragments = codec.interests(keys_only=keys_only)
        # $, channel | length | flags, marker, type | sequence number | time stamp | source | payload | fragment header
        self._head = struct.Struct(">HHHHIIBB" if codec.header_bytes == 1 else ">HHHHIIBxB")
        self._least = codec.header_bytes + 1
        self._ssrc = -1
        self._expected = 0
        self._report: rtcp.SenderReport | None = None
        self._rtp_time = self._key_time = 0
        self._packets = self._bytes = self._pictures = 0
        self._now = self._base = self._since = (0, 0, 0)
        self._is_first = True
        self._discarded = 0

    @property
    def activity(self) -> Activity:
        """What came since the last key picture."""
        came = _between(self._since, (self._packets, self._bytes, self._pictures))
        return replace(came, discarded=self._assembler.discarded - self._discarded)

    def step(self, buffer: bytearray, at: int, end: int) -> int:
        """Step over plain packets from `at` on; return where something else begins, or what is not yet whole."""
        head, assembler = self._head, self._assembler
        unpack, size = head.unpack_from, head.size
        lead, least = 0x2400 | self.channels[0], _RTP_BYTES + self._least
        plain = 0x8000 | self.video.payload_type
        marked = plain | 0x80
        interests, fragments, sure = self._interests, self._fragments, Interest.SURE
        expected, ssrc = self._expected, self._ssrc
        packets = octets = pictures = 0
        while at + size <= end:
            begins, length, flags, seq, rtp_time, source, first, fragment = unpack(buffer, at)
            stop = at + _FRAME_BYTES + length
            if begins != lead or seq != expected or source != ssrc or length < least or stop > end:
                break
            if flags != plain and flags != marked:  # noqa: PLR1714 - twice as fast as a tuple's look-up
                break
            interest = interests[first]
            if assembler.busy or interest == sure or (interest and fragments[fragment]):
                self._count(packets, octets, pictures)
                packets = octets = pictures = 0
                self._take(buffer, at + 16, stop, rtp_time, marker=flags == marked, lost=False)
            packets += 1
            octets += length
            if flags == marked:
                pictures += 1
            expected = expected + 1 & 0xFFFF
            at = stop
        self._expected = expected
        self._count(packets, octets, pictures)
        return at

    def packet(self, buffer: bytearray, start: int, stop: int) -> None:
        """Take an RTP packet of any kind; what makes no sense is passed over."""
        if stop - start < _RTP_BYTES or buffer[start] >> 6 != 2:
            return
        flags, kind, seq, rtp_time, ssrc = _RTP.unpack_from(buffer, start)
        if rtcp.SENDER_REPORT <= kind <= rtcp.SENDER_REPORT + 4:  # on one channel with RTP (RFC 5761)
            self.control(bytes(buffer[start:stop]))
            return
        is_video = kind & 0x7F == self.video.payload_type
        if not is_video and ssrc != self._ssrc:
            return
        lost = self._lost_before(ssrc, seq)
        if lost is None:
            return
        self._assembler.gap = self._assembler.gap or lost
        length, marker = stop - start, bool(kind & 0x80)
        body, stop = _payload(buffer, start, stop, flags)
        if is_video and stop - body >= self._least:
            self._wanted(buffer, body, stop, rtp_time, marker=marker, lost=lost)
        elif lost:
            self._assembler.break_off()
        self._count(1, length, int(marker))

    def control(self, data: bytes) -> None:
        """Take an RTCP packet; raises `SessionError` where it is the video's sender that says goodbye."""
        for told in rtcp.read(data):
            if isinstance(told, rtcp.SenderReport):
                self._report = told
            elif not told.ssrcs or self._ssrc in told.ssrcs:
                raise SessionError(Fault.AWAY, "the server ended the stream")

    def lose(self) -> None:
        """Packets may be missing from here on back: the bytes between made no sense."""
        self._assembler.break_off()

    def _wanted(self, buffer: bytearray, start: int, stop: int, rtp_time: int, *, marker: bool, lost: bool) -> None:
        interest = self._interests[buffer[start]]
        fragment = self._fragments[buffer[start + self._least - 1]]
        if self._assembler.busy or interest == Interest.SURE or (interest and fragment):
            self._take(buffer, start, stop, rtp_time, marker=marker, lost=lost)

    def _take(self, buffer: bytearray, start: int, stop: int, rtp_time: int, *, marker: bool, lost: bool) -> None:
        assembler = self._assembler
        seen = (self._packets, self._bytes, self._pictures)
        self._now = seen
        if rtp_time != assembler.rtp_time or assembler.begins_anew(buffer, start, stop, lost=lost):
            assembler.begin(rtp_time, lost=lost, opens=not lost or assembler.opens_picture(buffer, start, stop))
            self._base = seen
        elif lost:
            assembler.break_off()
        self._now = (seen[0] + 1, seen[1] + stop - start + _RTP_BYTES, seen[2] + marker)
        assembler.add(buffer, start, stop, marker=marker)

    def _whole(self, data: bytes, is_key: bool, rtp_time: int) -> None:  # noqa: FBT001 - the assembler's callback
        self._rtp_time += rtcp.signed(rtp_time - self._rtp_time) if not self._is_first else rtp_time
        report = None if self._assembler.stands else self._report
        at_ns = report.time_of(rtp_time, self.video.clock_hz) if report else None
        before = _between(self._since, self._base)
        gap, self._assembler.gap, self._is_first = self._assembler.gap, False, False
        if is_key:
            self._since, self._key_time = self._now, self._rtp_time
            self._discarded = self._assembler.discarded
        leads = self._rtp_time < self._key_time
        self._emit(AccessUnit(self.video.codec.name, data, is_key, gap, self._rtp_time, at_ns, before, leads))

    def _lost_before(self, ssrc: int, seq: int) -> bool | None:
        """Return whether packets are missing before this one; None for one that comes late or twice."""
        if ssrc != self._ssrc:
            lost = self._ssrc >= 0
            self._report = self._report if not lost or (self._report and self._report.ssrc == ssrc) else None
            self._ssrc = ssrc
        else:
            behind = self._expected - seq & 0xFFFF
            if 0 < behind <= _LATE:
                return None
            lost = behind != 0
        self._expected = seq + 1 & 0xFFFF
        return lost

    def _count(self, packets: int, octets: int, pictures: int) -> None:
        self._packets += packets
        self._bytes += octets
        self._pictures += pictures


def _payload(buffer: bytearray, start: int, stop: int, flags: int) -> tuple[int, int]:
    """Return where the payload of an RTP packet begins and ends, behind contributors and extension, before padding."""
    body = start + _RTP_BYTES + 4 * (flags & 0x0F)
    if flags & 0x10:
        body += 4 + 4 * (buffer[body + 2] << 8 | buffer[body + 3]) if body + 4 <= stop else stop
    padding = buffer[stop - 1] if flags & 0x20 else 0
    return body, stop - padding


def _between(since: tuple[int, int, int], until: tuple[int, int, int]) -> Activity:
    return Activity(*(max(0, b - a) for a, b in zip(since, until, strict=True)))
