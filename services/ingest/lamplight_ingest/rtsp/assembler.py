"""Packets become pictures: whole ones, or none (RFC 6184, 5.6 to 5.8; RFC 7798, 4.4).

A picture ends with the packet whose marker is set. Some cameras set it on every slice, or never: it is believed once a
key picture has been seen to carry exactly one, at its end, and until then a picture ends where the time stamp changes.
Some cameras' time stamps never change: once a third picture has begun behind a marker without one, a marker ends each.

A key picture is an IDR or IRAP one. In H.264 it is also one at a recovery point: where only key pictures are wanted,
one that is whole by itself; where all are, also the first of those that together refresh the scene.
"""

from __future__ import annotations

from collections.abc import Callable

from lamplight_ingest.rtsp.nal import START, Codec
from lamplight_ingest.rtsp.parameter_sets import ParameterSets
from lamplight_ingest.rtsp.sei import RECOVERY_NOW, recovery_frames

Emit = Callable[[bytes, bool, int], None]
"""Takes a whole picture as Annex B, whether it is key, and its RTP time."""

_FIELDS = 2
"""So many pictures of one time stamp are lawful: the fields of an interlaced one."""


class Assembler:
    """Puts one picture together at a time; `busy` while packets of any kind must be shown to it.

    `gap` is set when something was lost, by whoever notices, and taken back by whoever tells of it. `discarded` counts
    the wanted pictures of which something was missing or made no sense. `stands` is whether time stamps never change.
    """

    def __init__(self, codec: Codec, sets: ParameterSets, emit: Emit, *, keys_only: bool, max_bytes: int) -> None:
        """Give pictures of at most `max_bytes` to `emit`; `keys_only` keeps nothing of the others."""
        self._codec = codec
        self._sets = sets
        self._emit = emit
        self._keys_only = keys_only
        self._max_bytes = max_bytes
        self._trusts_marker = False
        self._marker_lies = False
        self.rtp_time = -1
        self.gap = False
        self.discarded = 0
        self.stands = False
        self._begun, self._begun_markers = 1, 0  # pictures of one time stamp, and the markers at the last one
        self._markers = 0
        self.busy = self._ends_with_marker = self._has_picture = False
        self._parts: list[bytes] = []
        self._pieces: list[bytes] = []  # of the fragmented NAL unit that is open
        self._open_kind: int | None = None
        self._reset(-1)

    def begin(self, rtp_time: int, *, lost: bool, opens: bool) -> None:
        """Finish the picture at hand and begin that of `rtp_time`.

        `lost`: packets are missing in between; then the picture before may lack its end, and the new one, unless this
        packet `opens` it, its beginning.
        """
        self._learn()
        self._finish(is_sure=not lost)
        self._reset(rtp_time)
        if lost and not opens:
            self.break_off()
            self.discarded += 1

    def begins_anew(self, buffer: bytearray, start: int, stop: int, *, lost: bool) -> bool:
        """Tell whether a payload with the time stamp of the picture at hand begins another, since time stands still."""
        may_begin = self._ends_with_marker or (self.stands and (lost or self._broken))
        if not may_begin or self._open_kind is not None or not self.opens_picture(buffer, start, stop):
            return False
        if not self.stands and self._markers > self._begun_markers:
            self._begun, self._begun_markers = self._begun + 1, self._markers
            if self._begun > _FIELDS:
                self.stands, self._marker_lies = True, False
                self.break_off()
        return self.stands

    def break_off(self) -> None:
        """Give up the picture at hand: something of it is missing or makes no sense."""
        self.discarded += self.busy
        self._broken = self.gap = True
        self.busy = False
        self._parts, self._pieces, self._open_kind = [], [], None

    def add(self, buffer: bytearray, start: int, stop: int, *, marker: bool) -> None:
        """Take the payload of one packet (longer than a NAL unit's header) of the picture at hand."""
        if self._broken:
            self._markers += marker
            self._ends_with_marker = self._ends_with_marker or marker
            return
        had = len(self._parts)
        self._payload(buffer, start, stop)
        if len(self._parts) > had:
            self._ends_with_marker = False
        if marker and self._has_picture and not self._broken:
            self._markers += 1
            self._ends_with_marker = True
            if self._trusts_marker:
                self._finish(is_sure=True)

    def opens_picture(self, buffer: bytearray, start: int, stop: int) -> bool:
        """Tell whether a payload can only stand at the beginning of a picture: what precedes slices, or the first."""
        codec, size = self._codec, self._codec.header_bytes
        kind = codec.type_of(buffer[start])
        if kind == codec.aggregate:
            return start + size + 3 < stop and self.opens_picture(buffer, start + size + 2, stop)
        slice_at = start + size
        if kind == codec.fragment:
            header = buffer[slice_at]
            kind, slice_at = codec.fragment_type(header), slice_at + 1
            if not header & 0x80:
                return False
        is_first_slice = slice_at < stop and bool(buffer[slice_at] & 0x80)  # first_mb_in_slice 0, first_slice_segment
        return kind in codec.openers or (kind in codec.pictures and is_first_slice)

    def _reset(self, rtp_time: int) -> None:
        self.rtp_time = rtp_time
        self.busy = False
        self._begun, self._begun_markers = 1, 0
        self._parts, self._pieces, self._open_kind = [], [], None
        self._bytes = 0
        self._markers = 0
        self._ends_with_marker = False
        self._has_picture = self._has_sets = self._is_key = self._broken = self._done = self._recovers = False

    def _learn(self) -> None:
        if not self._has_picture or self._broken or self._done or not self._is_key:
            return
        self._marker_lies = self._marker_lies or self._markers > 1
        self._trusts_marker = self._markers == 1 and self._ends_with_marker and not self._marker_lies

    def _finish(self, *, is_sure: bool) -> None:
        if self._done or not self.busy:
            return
        is_whole = self._has_picture and self._open_kind is None and is_sure
        data = b"".join(self._parts)
        if self._is_key or self._has_sets:
            data = self._sets.annex_b + data
        is_lost = self._has_picture or self._open_kind is not None
        self._done, self.busy = True, False
        self._parts, self._pieces, self._open_kind = [], [], None
        if is_whole and len(data) <= self._max_bytes:
            self._emit(data, self._is_key, self.rtp_time)
        elif is_lost:
            self.gap = True
            self.discarded += 1

    def _payload(self, buffer: bytearray, start: int, stop: int) -> None:
        codec = self._codec
        kind = codec.type_of(buffer[start])
        if kind in codec.undefined:
            return
        if kind == codec.fragment:
            self._fragment(buffer, start, stop)
        elif self._open_kind is not None:
            self.break_off()  # a fragment's end is missing
        elif kind == codec.aggregate:
            self._aggregate(buffer, start + codec.header_bytes, stop)
        elif kind <= codec.last_single:
            self._nal(kind, [bytes(buffer[start:stop])])
        else:
            self.break_off()  # interleaved forms, which are not set up

    def _aggregate(self, buffer: bytearray, at: int, stop: int) -> None:
        while at < stop and not self._broken:
            end = at + 2 + (buffer[at] << 8 | buffer[at + 1]) if at + 2 <= stop else stop + 1
            if end > stop:
                self.break_off()
            elif end > at + 2 + self._codec.header_bytes:
                self._nal(self._codec.type_of(buffer[at + 2]), [bytes(buffer[at + 2 : end])])
            at = end

    def _fragment(self, buffer: bytearray, start: int, stop: int) -> None:
        header_at = start + self._codec.header_bytes
        header = buffer[header_at]
        kind = self._codec.fragment_type(header)
        is_start = bool(header & 0x80)
        if (self._open_kind is not None) if is_start else (self._open_kind != kind):
            self.break_off()
            return
        if is_start:
            self._open_kind, self.busy = kind, True
            self._pieces = [self._codec.fragment_nal_header(bytes(buffer[start:header_at]), header)]
        self._pieces.append(bytes(buffer[header_at + 1 : stop]))
        self._grow(stop - header_at)
        if header & 0x40 and not self._broken:
            pieces, self._pieces, self._open_kind = self._pieces, [], None
            self._nal(kind, pieces)

    def _nal(self, kind: int, pieces: list[bytes]) -> None:
        codec = self._codec
        is_picture = kind in codec.pictures
        if kind in codec.undefined:
            return
        if kind in codec.parameter_sets:
            self._sets.put(b"".join(pieces))
            self._has_sets = True
        elif self._done:
            self._marker_lies = self._marker_lies or is_picture
            self._trusts_marker = not self._marker_lies
        elif kind in codec.recovery and self._is_entry(b"".join(pieces)) and self._keys_only:
            self.busy = True
            self._parts = [START, RECOVERY_NOW]
        elif self._is_wanted(kind, is_picture=is_picture):
            self._parts += [START, *pieces]
            self._has_picture = self._has_picture or is_picture
            self._is_key = self._is_key or kind in codec.keys or (self._recovers and is_picture)
            self.busy = True
            self._grow(len(START) + len(pieces[0]) if len(pieces) == 1 else len(START))

    def _is_entry(self, nal: bytes) -> bool:
        """Note whether supplemental information tells that the stream can be entered at this picture."""
        frames = None if self._has_picture else recovery_frames(nal)
        is_entry = frames is not None and not (frames and self._keys_only)
        self._recovers = self._recovers or is_entry
        return is_entry

    def _is_wanted(self, kind: int, *, is_picture: bool) -> bool:
        if self._keys_only:
            return kind in self._codec.keys or (is_picture and (self._is_key or self._recovers))
        return kind not in self._codec.ballast

    def _grow(self, count: int) -> None:
        self._bytes += count
        if self._bytes > self._max_bytes:
            self.break_off()
