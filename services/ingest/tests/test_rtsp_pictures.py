"""Packets become whole pictures or none, key ones with the parameter sets in force."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from lamplight_ingest.rtsp.client import Options
from lamplight_ingest.rtsp.events import AccessUnit, Activity, Limits, Playing
from rtsp_wire import (
    PPS,
    SPS,
    SSRC,
    Fed,
    aggregate,
    annex_b,
    description,
    fragments,
    framed,
    greeting,
    packets,
    report,
    rtp,
)

ALL = Options(keys_only=False)
KEY = b"\x65\x88" + bytes(range(1, 200))  # first_mb_in_slice 0
KEY_SECOND = b"\x65\x40" + bytes(range(1, 60))  # a later slice of the same picture
PLAIN = b"\x41\x9a" + bytes(range(1, 90))
SEI, AUD = b"\x06\x05\x01\x00", b"\x09\xf0"
SPS_2 = bytes.fromhex("6742c01eda01e0089f97011000000300100000030320f162ea")
VPS_5, SPS_5, PPS_5 = (
    bytes.fromhex("40010c01ffff01600000030090000003000003001ebaa024"),
    bytes.fromhex("42010101600000030090000003000003001ea0088045a5eeb2ba"),
    bytes.fromhex("4401c172b46240"),
)
KEY_5 = b"\x26\x01\xaf" + bytes(range(1, 200))
PLAIN_5 = b"\x02\x01\xd0" + bytes(range(1, 80))


def _playing(options: Options | None = None, sdp: bytes | None = None) -> Fed:
    fed = Fed(options).feed(greeting(sdp=sdp))
    assert isinstance(fed.events[0], Playing)
    return fed


def _stream(*pictures: Sequence[bytes], seq: int = 0, time: int = 0) -> bytes:
    """Return pictures of one payload list each, a tenth of a second apart."""
    data = b""
    for payloads in pictures:
        data += packets(payloads, seq, time)
        seq, time = seq + len(payloads), time + 9000
    return data


@pytest.mark.parametrize(
    ("payloads", "expected"),
    [
        ([KEY], annex_b(SPS, PPS, KEY)),
        ([*fragments(KEY, 50)], annex_b(SPS, PPS, KEY)),
        ([SPS, PPS, KEY], annex_b(SPS, PPS, KEY)),
        ([AUD, SPS, PPS, SEI, KEY], annex_b(SPS, PPS, KEY)),
        ([aggregate([AUD, SPS, PPS]), *fragments(KEY, 70)], annex_b(SPS, PPS, KEY)),
        ([aggregate([SPS, PPS, SEI, KEY])], annex_b(SPS, PPS, KEY)),
        ([KEY, KEY_SECOND], annex_b(SPS, PPS, KEY, KEY_SECOND)),
        ([*fragments(KEY, 50), *fragments(KEY_SECOND, 50)], annex_b(SPS, PPS, KEY, KEY_SECOND)),
        ([SPS_2, PPS, KEY], annex_b(SPS_2, PPS, KEY)),
    ],
)
def test_a_key_picture_of_h264_is_whole_in_every_packing(payloads: list[bytes], expected: bytes) -> None:
    """Single units, aggregates and fragments give the same Annex B, with sets from the description or in band."""
    fed = _playing().feed(_stream(payloads, [PLAIN], payloads))
    assert [unit.data for unit in fed.units] == [expected, expected]
    assert all(unit.is_key and not unit.after_gap and unit.codec == "h264" for unit in fed.units)


@pytest.mark.parametrize(
    "payloads",
    [
        [KEY_5],
        [*fragments(KEY_5, 50, 2)],
        [VPS_5, SPS_5, PPS_5, *fragments(KEY_5, 50, 2)],
        [aggregate([VPS_5, SPS_5, PPS_5, KEY_5], b"\x60\x01")],
    ],
)
def test_a_key_picture_of_h265_is_whole_in_every_packing(payloads: list[bytes]) -> None:
    """As H.264, with two bytes of header and three kinds of sets."""
    fed = _playing(sdp=description("H265", (VPS_5, SPS_5, PPS_5))).feed(_stream(payloads, [PLAIN_5], payloads))
    assert [unit.data for unit in fed.units] == [annex_b(VPS_5, SPS_5, PPS_5, KEY_5)] * 2
    assert {unit.codec for unit in fed.units} == {"hevc"}


def test_all_pictures_come_where_all_are_wanted() -> None:
    """Between the key pictures come the others, without parameter sets."""
    fed = _playing(ALL).feed(_stream([KEY], [PLAIN], [*fragments(PLAIN, 20)], [KEY], [PLAIN]))
    key, plain = annex_b(SPS, PPS, KEY), annex_b(PLAIN)
    assert [unit.data for unit in fed.units] == [key, plain, plain, key, plain]
    assert [unit.is_key for unit in fed.units] == [True, False, False, True, False]
    assert not any(unit.after_gap for unit in fed.units)


def test_a_change_of_parameter_sets_in_mid_stream_goes_with_the_next_key_picture() -> None:
    """A set replaces the one with its id, and stays in force."""
    fed = _playing().feed(_stream([SPS, PPS, KEY], [PLAIN], [SPS_2, PPS, KEY], [PLAIN], [KEY], [PLAIN]))
    assert [unit.data for unit in fed.units] == [
        annex_b(SPS, PPS, KEY),
        annex_b(SPS_2, PPS, KEY),
        annex_b(SPS_2, PPS, KEY),
    ]


@pytest.mark.parametrize("options", [None, ALL])
@pytest.mark.parametrize("lost", range(8))
def test_a_picture_that_misses_a_packet_is_never_sent_on(options: Options | None, lost: int) -> None:
    """Whichever packet of a key picture of several slices is lost, the picture is; the next one comes after a gap."""
    one = [*fragments(KEY, 60), *fragments(KEY_SECOND, 20)]
    whole = packets([KEY], 10, 0) + packets([PLAIN], 11, 4500)
    parts = [framed(rtp(payload, 12 + index, 9000, marker=index == 6)) for index, payload in enumerate(one)]
    assert len(parts) == 7
    after = packets([PLAIN], 19, 18000) + packets([KEY], 20, 27000) + packets([PLAIN], 21, 36000)
    fed = _playing(options).feed(whole + b"".join(parts[:lost] + parts[lost + 1 :]) + after)
    keys = [unit for unit in fed.units if unit.is_key]
    if lost == 7:
        assert [unit.after_gap for unit in keys] == [False, False, False]
    else:
        assert [unit.data for unit in keys] == [annex_b(SPS, PPS, KEY)] * 2
        assert any(unit.after_gap for unit in fed.units)
        if options is None:
            assert [unit.after_gap for unit in keys] == [False, True]


def test_a_picture_that_begins_right_after_a_gap_is_whole() -> None:
    """A server that skips pictures for us loses no more than those."""
    fed = _playing().feed(_stream([KEY], [PLAIN]) + _stream([*fragments(KEY, 50)], [PLAIN], seq=700, time=90000))
    assert [unit.after_gap for unit in fed.units] == [False, True]


def test_sequence_numbers_and_time_stamps_go_on_past_their_ends() -> None:
    """16 bits of sequence and 32 of time wrap without a gap, and the time told only rises."""
    fed = _playing(ALL).feed(_stream([KEY], [PLAIN], [PLAIN], [PLAIN], seq=65534, time=(1 << 32) - 9000))
    assert [unit.after_gap for unit in fed.units] == [False] * 4
    assert [unit.rtp_time - fed.units[0].rtp_time for unit in fed.units] == [0, 9000, 18000, 27000]


@pytest.mark.parametrize("marks", ["never", "always"])
def test_markers_that_lie_cut_no_picture(marks: str) -> None:
    """A camera that marks no packet, or every one, still has its pictures whole: the time stamp ends them."""
    data, seq = b"", 0
    for picture in range(6):
        for payload in [KEY, KEY_SECOND] if picture % 2 == 0 else [PLAIN, PLAIN]:
            data += framed(rtp(payload, seq, picture * 9000, marker=marks == "always"))
            seq += 1
    fed = _playing().feed(data)
    assert [unit.data for unit in fed.units] == [annex_b(SPS, PPS, KEY, KEY_SECOND)] * 3


def test_contributors_extensions_and_padding_are_no_part_of_a_picture() -> None:
    """RTP's extras are stepped over (RFC 3550, 5.1 and 5.3.1)."""
    head = rtp(b"", 5, 0, marker=True)
    extras = bytes([0x80 | 0x30 | 2]) + head[1:] + b"c" * 8 + b"\xbe\xde\x00\x01eeee" + KEY + b"\x00\x00\x03"
    fed = _playing().feed(framed(extras) + packets([PLAIN], 6, 9000))
    assert [unit.data for unit in fed.units] == [annex_b(SPS, PPS, KEY)]


def test_packets_that_come_twice_or_late_change_nothing() -> None:
    """A packet behind the sequence is passed over."""
    first, second = packets([*fragments(KEY, 150)], 8, 0), packets([PLAIN], 10, 9000)
    fed = _playing().feed(first + first + second + second + packets([KEY], 11, 18000) + packets([PLAIN], 12, 27000))
    assert [unit.after_gap for unit in fed.units] == [False, False]


def test_a_sender_that_starts_anew_is_followed() -> None:
    """Another source on the video's channel is a gap, not an end."""
    again = framed(rtp(KEY, 9, 77, marker=True, ssrc=99)) + framed(rtp(PLAIN, 10, 9077, marker=True, ssrc=99))
    fed = _playing().feed(_stream([KEY], [PLAIN]) + again)
    assert [unit.after_gap for unit in fed.units] == [False, True]


def test_other_channels_and_payload_types_are_stepped_over() -> None:
    """Sound, metadata and what was never asked for leave the video alone."""
    sound = framed(b"\x80" * 50, 2) + framed(rtp(KEY, 1, 1, ssrc=7, kind=97)) + framed(b"", 9)
    fed = _playing().feed(sound + packets([KEY], 0, 0) + sound + packets([PLAIN], 1, 9000) + sound)
    assert [unit.data for unit in fed.units] == [annex_b(SPS, PPS, KEY)]


def test_garbage_between_packets_is_stepped_over_and_told() -> None:
    """The stream is found again at the next packet that can be one; what lay between counts as lost."""
    garbage = b"\x00$garb$\x07\xff\xffage RTSPX $" * 20
    fed = _playing().feed(_stream([KEY], [PLAIN]) + garbage + _stream([KEY], [PLAIN], seq=2, time=18000))
    assert [unit.after_gap for unit in fed.units] == [False, True]


def test_the_senders_report_gives_absolute_time() -> None:
    """A picture's time is the report's plus what its clock has counted since; before the first, there is none."""
    at_s = 1_700_000_000
    told = framed(report(at_s + 2_208_988_800, 1 << 31, 9000), 1)
    fed = _playing().feed(_stream([KEY], [PLAIN]) + told + _stream([KEY], [PLAIN], seq=2, time=18000))
    assert [unit.at_ns for unit in fed.units] == [None, at_s * 10**9 + 600_000_000]


def test_a_report_on_the_videos_own_channel_counts_too() -> None:
    """RTCP multiplexed with RTP (RFC 5761) is told apart by its type."""
    told = framed(report(1_700_000_000 + 2_208_988_800, 0, 0))
    fed = _playing().feed(told + _stream([KEY], [PLAIN]))
    assert [unit.at_ns for unit in fed.units] == [1_700_000_000 * 10**9]
    assert not fed.units[0].after_gap


def test_activity_between_key_pictures_is_counted() -> None:
    """Packets, bytes and pictures since the last key picture, without those of the key pictures themselves."""
    fed = _playing().feed(_stream([KEY], [PLAIN], [*fragments(PLAIN, 40)], [KEY], [PLAIN], [KEY], [PLAIN]))
    sizes = [len(rtp(part, 0, 0)) for part in (PLAIN, *fragments(PLAIN, 40))]
    assert [unit.before for unit in fed.units] == [
        Activity(),
        Activity(len(sizes), sum(sizes), 2),
        Activity(1, sizes[0], 1),
    ]
    assert fed.client.activity == Activity(1, sizes[0], 1)


@pytest.mark.parametrize("options", [None, ALL])
def test_a_picture_beyond_the_bound_is_given_up(options: Options | None) -> None:
    """The bound holds for fragments and slices alike, and the next picture comes after a gap."""
    limits = Limits(picture_bytes=600)
    bounded = Options(keys_only=options is None, limits=limits)
    huge = [*fragments(b"\x65\x88" + b"\x07" * 5000, 100)]
    slices = [KEY, *[KEY_SECOND] * 20]
    fed = _playing(bounded).feed(_stream([KEY], [PLAIN], huge, [PLAIN], slices, [PLAIN], [KEY], [PLAIN]))
    keys = [unit for unit in fed.units if unit.is_key]
    assert [unit.data for unit in keys] == [annex_b(SPS, PPS, KEY)] * 2
    assert any(unit.after_gap for unit in fed.units)


@pytest.mark.parametrize(
    "broken",
    [
        [b"\x78\x00\x09\x65"],  # an aggregate whose length leads beyond its end
        [b"\x78\x00"],
        [b"\x7c\x05" + b"x" * 20],  # a fragment without a beginning
        [b"\x7c\x85" + b"x" * 20],  # ... without an end
        [b"\x7c\x85" + b"x" * 20, b"\x7c\x85" + b"x" * 20],
        [b"\x7c\x85" + b"x" * 20, KEY],
        [b"\x7c\x85", b"\x65"],
        [b"\x79\x00\x01" + b"x" * 9],  # interleaved forms
    ],
)
def test_payloads_that_make_no_sense_give_no_picture(broken: list[bytes]) -> None:
    """Nothing is made of them, and what comes next is whole."""
    fed = _playing(ALL).feed(_stream([KEY], [PLAIN], broken, [KEY], [PLAIN]))
    data = [unit.data for unit in fed.units]
    assert data == [annex_b(SPS, PPS, KEY), annex_b(PLAIN)] * 2
    assert all(isinstance(unit, AccessUnit) for unit in fed.units)
    assert SSRC
