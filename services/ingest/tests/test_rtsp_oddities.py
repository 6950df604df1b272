"""Cameras that are lawful and rare: no IDR pictures, leading pictures, clocks that lie; what `at` becomes of each."""

from __future__ import annotations

import base64
import struct

import pytest
from lamplight_ingest.model import NS_PER_S, Picture
from lamplight_ingest.rtsp.client import Options
from lamplight_ingest.rtsp.events import Limits
from lamplight_ingest.rtsp.parameter_sets import MAX_BYTES
from lamplight_ingest.rtsp.sei import RECOVERY_NOW, recovery_frames
from lamplight_ingest.sampler import Choice, Plan, Sampler
from lamplight_ingest.timing import stamp
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
KEY, KEY_LATER = b"\x65\x88" + bytes(range(1, 90)), b"\x65\x40" + bytes(range(1, 60))
PLAIN, PLAIN_LATER = b"\x41\x9a" + bytes(range(1, 90)), b"\x41\x40" + bytes(range(1, 60))
SECRET = b"\x06\x05\x0bmaker's own\x80"
NOW = b"\x06\x05\x03abc\x06\x01\xc4\x80"  # something of the maker's, then a recovery point of no further pictures
LATER = b"\x06\x06\x02\x0a\xc4\x80"  # ... of twenty
VPS_5, SPS_5, PPS_5 = b"\x40\x01\x0c\x01", b"\x42\x01\x01\x01\x60", b"\x44\x01\xc1\x72"
NTP_S = 2_208_988_800
AT_S = 1_700_000_000


def _fed(options: Options | None = None, sdp: bytes | None = None) -> Fed:
    return Fed(options).feed(greeting(sdp=sdp))


@pytest.mark.parametrize(
    ("nal", "expected"),
    [
        (RECOVERY_NOW, 0),
        (NOW, 0),
        (LATER, 20),
        (SECRET, None),
        (b"\x06" + b"\xff" * 300 + b"\x05", None),
        (b"\x06\x06", None),
        (b"\x06\x06\x09\x80", None),
        (b"\x06", None),
    ],
)
def test_a_recovery_point_is_found_amid_whatever_else_is_said(nal: bytes, expected: int | None) -> None:
    """ITU-T H.264, D.1.8; what is cut or absurd tells nothing."""
    assert recovery_frames(nal) == expected


@pytest.mark.parametrize(
    "payloads",
    [
        [NOW, PLAIN, PLAIN_LATER],
        [SPS, PPS, SECRET, NOW, *fragments(PLAIN, 30), *fragments(PLAIN_LATER, 30)],
        [aggregate([SPS, PPS, NOW]), PLAIN, PLAIN_LATER],
    ],
)
def test_an_open_gop_is_entered_at_its_intra_pictures(payloads: list[bytes]) -> None:
    """They go on with a recovery point of our own, which decoders want, and with nothing that the maker said."""
    data = packets(payloads, 0, 0) + packets([PLAIN], len(payloads), 9000)
    data += packets(payloads, len(payloads) + 1, 18000) + packets([PLAIN], 2 * len(payloads) + 1, 27000)
    fed = _fed().feed(data)
    assert [unit.data for unit in fed.units] == [annex_b(SPS, PPS, RECOVERY_NOW, PLAIN, PLAIN_LATER)] * 2
    assert all(unit.is_key and not unit.after_gap for unit in fed.units)
    everything = _fed(ALL).feed(data).units
    assert [unit.is_key for unit in everything] == [True, False, True, False]


def test_a_lost_packet_of_an_intra_picture_costs_it() -> None:
    """As of any key picture."""
    parts = [framed(rtp(payload, seq, 0, marker=seq == 2)) for seq, payload in enumerate([NOW, PLAIN, PLAIN_LATER])]
    after = packets([PLAIN], 3, 9000) + packets([NOW, PLAIN], 4, 18000) + packets([PLAIN], 6, 27000)
    for lost in range(3):
        fed = _fed().feed(b"".join(parts[:lost] + parts[lost + 1 :]) + after)
        assert [unit.data for unit in fed.units] == [annex_b(SPS, PPS, RECOVERY_NOW, PLAIN)]


def test_a_refresh_by_and_by_gives_no_key_picture_alone() -> None:
    """Where all pictures are wanted the stream can be entered at its recovery point; else nothing of it goes on."""
    data = packets([LATER, PLAIN], 0, 0) + packets([PLAIN], 2, 9000) + packets([LATER, PLAIN], 3, 18000)
    data += packets([PLAIN], 5, 27000)
    assert _fed().feed(data).units == []
    assert [unit.is_key for unit in _fed(ALL).feed(data).units][:3] == [True, False, True]


def test_slices_of_h265_make_one_picture() -> None:
    """Each in units of its own, or in fragments."""
    first, later = b"\x26\x01\xaf" + bytes(range(1, 80)), b"\x26\x01\x2f" + bytes(range(1, 70))
    sdp = description("H265", (VPS_5, SPS_5, PPS_5))
    for payloads in ([first, later], [*fragments(first, 30, 2), *fragments(later, 30, 2)]):
        data = packets(payloads, 0, 0) + packets([b"\x02\x01\xd0xxx"], len(payloads), 9000)
        assert [unit.data for unit in _fed(sdp=sdp).feed(data).units] == [
            annex_b(VPS_5, SPS_5, PPS_5, first, later),
        ]


def test_leading_pictures_are_known_by_their_time() -> None:
    """Those shown before the key picture that they follow are of no use to whoever begins there; later ones are."""
    times = [90_000, 81_000, 85_000, 99_000]
    data = b"".join(packets([KEY if seq == 0 else PLAIN], seq, time) for seq, time in enumerate(times))
    fed = _fed(ALL).feed(data + packets([PLAIN], 4, 108_000))
    assert [unit.leads for unit in fed.units][:4] == [False, True, True, False]


def test_the_sampler_leaves_leading_pictures_out_only_where_it_begins() -> None:
    """At the start and after a loss; in the midst of a stream they can be decoded."""
    sampler, kept = Sampler(Plan(wants_all=True, min_gap_s=0, max_gap_s=30)), []
    for step, (is_key, leads) in enumerate([(True, False), (False, True), (False, False)] * 3):
        if step == 6:
            sampler = sampler.after_loss()
        choice, sampler = sampler.choose(step * NS_PER_S, is_key=is_key, stands_alone=False, leads=leads)
        kept.append(choice is not Choice.SKIP)
    assert kept == [True, False, True, True, True, True, True, False, True]


def _at(reports: list[bytes], *, received_s: float, rtp_time: int = 90_000) -> tuple[float, bool]:
    """Return when a picture at one second of the sender's clock was taken, and whether that is only its receipt."""
    told = b"".join(framed(one, 1) for one in reports)
    unit = _fed(ALL).feed(told + packets([KEY], 0, rtp_time) + packets([PLAIN], 1, rtp_time + 9000)).units[0]
    picture = Picture("h264", b"", is_key=True, received_ns=round(received_s * NS_PER_S), source_at_ns=unit.at_ns)
    at_ns, is_receipt = stamp(picture)
    return at_ns / NS_PER_S, is_receipt


@pytest.mark.parametrize(
    ("reports", "received_s", "rtp_time", "expected"),
    [
        ([], AT_S, 90_000, (AT_S, True)),  # none
        ([report(AT_S + NTP_S, 0, 0)], AT_S + 1.2, 90_000, (AT_S + 1, False)),
        ([report(AT_S + NTP_S, 0, 0)], AT_S + 5.9, 90_000, (AT_S + 1, False)),  # 4.9 s late
        ([report(AT_S + NTP_S, 0, 0)], AT_S + 6.1, 90_000, (AT_S + 6.1, True)),
        ([report(AT_S, 0, 0)], AT_S, 90_000, (AT_S, True)),  # Unix seconds where NTP's belong
        ([report(3600, 0, 0)], AT_S, 90_000, (AT_S, True)),  # a clock that begins when the camera does
        ([report(0, 0, 0)], AT_S, 90_000, (AT_S, True)),  # no clock
        ([report(AT_S + NTP_S - 3600, 0, 0)], AT_S, 90_000, (AT_S, True)),  # a wrong time zone
        ([report(AT_S + NTP_S - 99, 0, 0), report(AT_S + NTP_S, 0, 0)], AT_S + 1, 90_000, (AT_S + 1, False)),  # jumps
        ([report(AT_S + NTP_S, 0, (1 << 32) - 90_000)], AT_S + 2, 90_000, (AT_S + 2, False)),  # RTP time wraps between
        ([report(AT_S + NTP_S, 0, 90_000 + 9 * 3600 * 90_000)], AT_S, 90_000, (AT_S, True)),  # a report of long ago
    ],
)
def test_at_is_the_sources_within_five_seconds_else_the_receipt_and_flagged(
    reports: list[bytes], received_s: float, rtp_time: int, expected: tuple[float, bool]
) -> None:
    """Whatever the sender's reports say."""
    assert _at(reports, received_s=received_s, rtp_time=rtp_time) == pytest.approx(expected, abs=1e-3)


def test_a_sender_that_starts_anew_is_believed_from_its_own_report_on() -> None:
    """The report of the one before says nothing of its clock; its own may come ahead of its first packet."""
    before = framed(report(AT_S + NTP_S, 0, 0), 1) + packets([KEY], 0, 90_000) + packets([PLAIN], 1, 99_000)

    def again(seq: int, time: int, payload: bytes) -> bytes:
        return framed(rtp(payload, seq, time, marker=True, ssrc=99))

    stream = again(7, 5000, KEY) + again(8, 14_000, PLAIN)
    assert [unit.at_ns is None for unit in _fed().feed(before + stream).units] == [False, True]
    told = framed(report(AT_S + NTP_S + 50, 0, 5000, ssrc=99), 1)
    assert _fed().feed(before + told + stream).units[1].at_ns == (AT_S + 50) * NS_PER_S


def test_a_wrong_marker_on_a_later_slice_ends_nothing() -> None:
    """Every unit marked, also the parameter sets: the time stamp ends the picture."""
    data, seq = b"", 0
    for picture in range(4):
        for payload in [SPS, PPS, KEY, KEY_LATER]:
            data += framed(rtp(payload, seq, picture * 9000, marker=True))
            seq += 1
    assert [unit.data for unit in _fed().feed(data).units] == [annex_b(SPS, PPS, KEY, KEY_LATER)] * 3


def test_a_flood_of_small_key_pictures_behind_large_sets_is_held_within_bounds() -> None:
    """Sets go before every key picture: what a read tells is bounded, and the newest of it is kept, after a gap."""
    limits = Limits(events_bytes=100_000)
    ids = [format(number + 1, "b") for number in range(60)]
    large = [int(("0" * (len(one) - 1) + one).ljust(16, "1"), 2).to_bytes(2, "big") for one in ids]
    data = b"".join(framed(rtp(b"\x68" + one + b"p" * 4000, seq, 0)) for seq, one in enumerate(large))
    data += b"".join(packets([KEY], 60 + number, 9000 * (number + 1)) for number in range(500))
    fed = _fed(Options(limits=limits)).feed(data)
    assert max(len(unit.data) for unit in fed.units) <= MAX_BYTES + len(KEY) + 4 * 65
    assert sum(len(unit.data) for unit in fed.units) <= limits.events_bytes
    assert fed.units[0].after_gap
    assert fed.units[-1].rtp_time == 9000 * 500


@pytest.mark.parametrize("stray", [b"\x1e" + b"x" * 20, b"\x1fyy", b"\x00zz", b"\x17zz"])
@pytest.mark.parametrize("options", [Options(), ALL])
def test_units_without_a_meaning_are_passed_over(stray: bytes, options: Options) -> None:
    """RFC 6184, 5.2: undefined types are ignored, amid a key picture's fragments, in aggregates, anywhere."""
    parts = [*fragments(KEY, 30)]
    for payloads in ([*parts[:-1], stray, parts[-1]], [aggregate([stray, KEY])], [stray, KEY]):
        fed = _fed(options).feed(packets(payloads, 0, 0) + packets([PLAIN], len(payloads), 9000))
        assert [unit.data for unit in fed.units][:1] == [annex_b(SPS, PPS, KEY)]
        assert not fed.units[0].after_gap


@pytest.mark.parametrize("kind", [11, 23, 30, 41, 51, 63])
def test_units_without_a_meaning_are_passed_over_in_h265_too(kind: int) -> None:
    """Reserved and unspecified types (H.265, table 7-1)."""
    first, stray = b"\x26\x01\xaf" + bytes(range(1, 80)), bytes([kind << 1, 1]) + b"x" * 20
    parts = [*fragments(first, 30, 2)]
    data = packets([*parts[:-1], stray, parts[-1]], 0, 0) + packets([b"\x02\x01\xd0xxx"], len(parts) + 1, 9000)
    fed = _fed(sdp=description("H265", (VPS_5, SPS_5, PPS_5))).feed(data)
    assert [unit.data for unit in fed.units] == [annex_b(VPS_5, SPS_5, PPS_5, first)]


def test_parameters_on_several_lines_hold_together() -> None:
    """The sets of the first line are not lost to the second's, nor those of one line to the other's."""
    told = [base64.b64encode(nal).decode() for nal in (SPS, PPS)]
    plain = description()
    line = plain.split(b"a=fmtp:")[1].split(b"\r\n")[0]
    for lines in (
        [f"96 sprop-parameter-sets={told[0]},{told[1]}", "96 packetization-mode=1"],
        [f"96 packetization-mode=1;sprop-parameter-sets={told[0]}", f"96 sprop-parameter-sets={told[1]}"],
    ):
        fed = _fed(sdp=plain.replace(line, "\r\na=fmtp:".join(lines).encode()))
        fed.feed(packets([KEY], 0, 0) + packets([PLAIN], 1, 9000))
        assert [unit.data for unit in fed.units] == [annex_b(SPS, PPS, KEY)]


def _goodbye(*ssrcs: int) -> bytes:
    return framed(struct.pack(f">BBH{len(ssrcs)}I", 0x80 | len(ssrcs), 203, len(ssrcs), *ssrcs), 1)


@pytest.mark.parametrize(
    ("ssrcs", "is_over"),
    [((0xDEADBEEF,), False), ((1, 2, 3), False), ((SSRC,), True), ((1, SSRC), True), ((), True)],
)
def test_only_the_streams_own_goodbye_ends_it(ssrcs: tuple[int, ...], is_over: bool) -> None:
    """One of a sender that was never heard says nothing of this one."""
    fed = _fed().feed(packets([KEY], 0, 0) + _goodbye(*ssrcs) + packets([PLAIN], 1, 9000))
    assert fed.client.is_over is is_over


def test_a_goodbye_that_lies_about_its_length_is_passed_over() -> None:
    """It names three, and has room for one."""
    fed = _fed().feed(packets([KEY], 0, 0) + framed(struct.pack(">BBHI", 0x83, 203, 1, 7), 1))
    assert not fed.client.is_over


@pytest.mark.parametrize(
    "payloads", [[SPS, PPS, KEY], [KEY, KEY_LATER], [*fragments(KEY, 30)], [aggregate([SPS, KEY])]]
)
@pytest.mark.parametrize("options", [Options(), ALL])
def test_a_time_stamp_that_never_changes_ends_no_picture_and_its_marker_does(
    payloads: list[bytes], options: Options
) -> None:
    """From the third picture on; what is told of its time is the receipt's."""
    data, seq = framed(report(AT_S + NTP_S, 0, 0), 1), 0
    for number in range(12):
        picture = payloads if number % 4 == 0 else [PLAIN, PLAIN_LATER]
        data += packets(picture, seq, 77)
        seq += len(picture)
    fed = _fed(options).feed(data)
    keys = [unit for unit in fed.units if unit.is_key]
    whole = annex_b(SPS, PPS, *([KEY, KEY_LATER] if payloads[-1] == KEY_LATER else [KEY]))
    assert [unit.data.replace(annex_b(SPS, SPS, PPS), annex_b(SPS, PPS)) for unit in keys] == [whole] * 2
    assert all(unit.at_ns is None for unit in keys)
    assert len(fed.units) >= (9 if options is ALL else 2) - 1


def test_a_loss_under_a_time_stamp_that_never_changes_costs_its_picture_alone() -> None:
    """The next one is whole again."""
    parts = [*fragments(KEY, 30)]
    stream, seq = [], 0
    for number in range(20):
        for index, part in enumerate(parts if number % 4 == 0 else [PLAIN]):
            last = index == len(parts) - 1 or number % 4 != 0
            stream.append((number, index, framed(rtp(part, seq, 5, marker=last))))
            seq += 1
    for lost in range(len(parts)):
        fed = _fed().feed(b"".join(data for number, index, data in stream if (number, index) != (8, lost)))
        assert [unit.data for unit in fed.units] == [annex_b(SPS, PPS, KEY)] * 3
        assert [unit.after_gap for unit in fed.units] == [True, True, False]


def test_the_fields_of_a_picture_may_share_a_time_stamp() -> None:
    """Two pictures of one time stamp, each with its marker, are one, as interlaced cameras send them."""
    data, field = b"", b"\x41\x9b" + bytes(range(1, 60))
    for number in range(3):
        data += packets([KEY], 2 * number, 9000 * number) + packets([field], 2 * number + 1, 9000 * number)
    fed = _fed().feed(data + packets([PLAIN], 6, 27_000))
    assert [unit.data for unit in fed.units] == [annex_b(SPS, PPS, KEY, field)] * 3


def test_what_was_discarded_is_told_apart_from_what_never_came() -> None:
    """Key pictures that lack something, or are too large; no others."""
    parts = [*fragments(KEY, 30)]
    fed = _fed().feed(packets(parts[:-1], 0, 0) + packets([PLAIN], 9, 9000) + packets(parts[1:], 20, 18_000))
    fed.feed(packets([PLAIN], 40, 27_000))
    assert fed.client.activity.discarded == 2
    large = _fed(Options(limits=Limits(picture_bytes=50))).feed(packets([KEY], 0, 0) + packets([PLAIN], 1, 9000))
    assert large.client.activity.discarded == 1
    assert _fed().feed(packets([PLAIN], 0, 0) + packets([PLAIN], 5, 9000)).client.activity.discarded == 0


def test_breaks_between_messages_are_passed_over_at_once() -> None:
    """However many: some servers send them to keep the connection open."""
    fed = _fed().feed(b"\r\n" * 100_000 + packets([KEY], 0, 0) + b"\r\n" * 10 + packets([PLAIN], 1, 9000))
    assert len(fed.units) == 1
    assert fed.most_held == 0
