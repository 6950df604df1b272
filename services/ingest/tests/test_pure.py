"""Times, addresses, texts and bytes: the small pure parts."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import ingest_media as media
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lamplight_ingest import bitstream, doors, http_times, mp4
from lamplight_ingest.doors import Doors
from lamplight_ingest.model import NS_PER_S, Picture
from lamplight_ingest.scrub import scrub
from lamplight_ingest.timing import OwnTime, stamp

NOW_NS = 1_700_000_000 * NS_PER_S


@pytest.mark.parametrize(
    ("told_s", "expected_s", "is_receipt"),
    [(None, 0, True), (-3, -3, False), (5, 5, False), (-5.1, 0, True), (3600, 0, True)],
)
def test_a_source_is_believed_within_five_seconds(told_s: float | None, expected_s: float, is_receipt: bool) -> None:
    """Else the receipt counts, and says so."""
    told_ns = None if told_s is None else NOW_NS + round(told_s * NS_PER_S)
    picture = Picture("mjpeg", b"", is_key=True, received_ns=NOW_NS, source_at_ns=told_ns)
    assert stamp(picture) == (NOW_NS + round(expected_s * NS_PER_S), is_receipt)


def test_a_picture_that_stands_alone_was_taken_after_the_one_before() -> None:
    """A date in whole seconds that says otherwise is not believed; of pictures stored out of order it is."""
    for codec, expected in (("mjpeg", (NOW_NS, True)), ("h264", (NOW_NS - NS_PER_S, False))):
        picture = Picture(codec, b"", is_key=True, received_ns=NOW_NS, source_at_ns=NOW_NS - NS_PER_S)
        assert stamp(picture, before_ns=NOW_NS - NS_PER_S // 2) == expected
        assert stamp(picture, before_ns=NOW_NS - 2 * NS_PER_S) == (NOW_NS - NS_PER_S, False)


@given(
    st.fractions(Fraction(1, 10**9), 10),
    st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    st.one_of(st.none(), st.floats(0, 1e6)),
    st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=30),
)
def test_own_time_is_bounded_whatever_a_container_says(
    base: Fraction, start: int | None, rate_hz: float | None, stamps: list[int | None]
) -> None:
    """No stamp makes a time below 0, or one more than an hour and a picture after the last."""
    own_time, last_s = OwnTime(base, start, rate_hz), 0.0
    for pts in stamps:
        own_s = own_time.seconds(pts, None)
        assert 0 <= own_s <= last_s + 3600 + 101
        last_s = own_s


def test_own_time_goes_on_where_stamps_start_anew() -> None:
    """A recording whose clock was set anew, or that lost its stamps, keeps its pace."""
    own_time = OwnTime(Fraction(1, 1000), None, 10)
    stamps = [500, 600, None, 50_000_000, 50_000_100]
    assert [own_time.seconds(pts, None) for pts in stamps] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert OwnTime(Fraction(1, 1000), 0, None).seconds(None, 250) == 0.25


@pytest.mark.parametrize(
    ("source", "scheme", "host", "port"),
    [
        ("rtsp://cam.example/stream2", "rtsp", "cam.example", 554),
        ("RTSPS://cam.example:9/x", "rtsps", "cam.example", 9),
        ("https://[2001:db8::1]/a.jpg", "https", "2001:db8::1", 443),
        ("file:///media/quay.mp4", "file", "", 0),
        ("/media/quay.mp4", "file", "", 0),
        ("gopher://old.example/", "gopher", "old.example", 0),
    ],
)
def test_sources_are_taken_apart(source: str, scheme: str, host: str, port: int) -> None:
    """Scheme, host and port, with the scheme's own port where none is said."""
    address = doors.parse(source)
    assert (address.scheme, address.host, address.port) == (scheme, host, port)


@pytest.mark.parametrize(
    "source", ["", "rtsp://", "http://host:99999/", "http://[::1/", "a\nb", "file://other/host.mp4", "http://h:x/"]
)
def test_what_is_no_source_is_told(source: str) -> None:
    """The text tells what was expected and repeats nothing."""
    with pytest.raises(ValueError, match="expected"):
        doors.parse(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("rtsp://admin:secret@cam/1", True),
        ("rtsp://admin@cam/1", True),
        ("http://[::1@/x", True),
        ("http://cam/a@b.jpg", False),
        ("/media/a@b.mp4", False),
    ],
)
def test_a_user_in_an_address_is_seen(source: str, expected: bool) -> None:
    """Also where the address is broken, but not in a path."""
    assert doors.has_user(source) is expected


@pytest.mark.parametrize(
    ("source", "loopback", "closed"),
    [
        ("rtsp://192.168.1.20/x", False, None),
        ("rtsp://127.0.0.1/x", False, "this machine"),
        ("rtsp://127.0.0.1/x", True, None),
        ("http://[::1]/", False, "this machine"),
        ("http://[::ffff:127.0.0.1]/", False, "this machine"),
        ("http://cam.localhost./", False, "this machine"),
        ("http://169.254.169.254/latest", True, "link-local"),
        ("http://[fe80::1%25eth0]/", True, "link-local"),
        ("http://100.100.100.200/", True, "metadata"),
        ("http://224.0.0.1/", True, "multicast"),
        ("http://0.0.0.0/", True, "unspecified"),
        ("ftp://cam.example/", True, "scheme ftp found"),
        ("https://cam.example/", True, "scheme https found"),
        ("/media/quay.mp4", False, None),
        ("/media/../etc/passwd", False, "outside"),
        ("media/quay.mp4", False, "outside"),
        ("/mediaquay.mp4", False, "outside"),
    ],
)
def test_doors(source: str, loopback: bool, closed: str | None) -> None:
    """What is not open is closed, with the reason."""
    open_doors = Doors(frozenset({"rtsp", "http", "file"}), (Path("/media"),), allow_loopback=loopback)
    found = open_doors.why_closed(doors.parse(source))
    assert (found is None) if closed is None else (closed in (found or ""))


def test_a_link_out_of_a_root_leads_nowhere(tmp_path: Path) -> None:
    """What a path resolves to counts, not how it looks."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "link").symlink_to("/etc")
    text = str(tmp_path / "open" / "link" / "passwd")
    assert "outside" in (Doors(roots=(tmp_path / "open",)).why_closed(doors.parse(text)) or "")


PASSWORDS = st.text(min_size=3, max_size=20).filter(lambda text: "*" not in text and text.strip() == text)


@given(PASSWORDS, st.text(max_size=50), st.text(max_size=50))
def test_no_password_survives_the_scrubber(password: str, before: str, after: str) -> None:
    """Plain, percent-encoded, or in a URL."""
    from urllib.parse import quote

    encoded = quote(password, safe="")
    url = f"rtsp://user:{encoded}@host/x"
    told = scrub(f"{before} {url} {password} {encoded} {after}", [password])
    if password not in before + after + "rtsp://***@host/x … ***" and len(encoded) > 3:
        assert password not in told
        assert encoded not in told
    assert len(told) <= 300
    assert "\n" not in told


def test_the_scrubber_needs_no_secret_for_urls() -> None:
    """A user in a URL goes even where nobody said what the password is."""
    assert scrub("cannot open rtsp://root:pass/w:rd@10.0.0.1/x here") == "cannot open rtsp://***@10.0.0.1/x here"


H264_SETS = b"\x00\x00\x00\x01\x67sps\x00\x00\x00\x01\x68pps"
HEVC_SETS = b"\x00\x00\x01\x40\x01v\x00\x00\x01\x42\x01s\x00\x00\x01\x44\x01p"


@pytest.mark.parametrize(
    ("codec", "sets", "slice_nal"),
    [("h264", H264_SETS, b"\x00\x00\x00\x01\x65idr"), ("hevc", HEVC_SETS, b"\x00\x00\x01\x26\x01idr")],
)
def test_a_keyframe_gets_its_parameter_sets_once(codec: str, sets: bytes, slice_nal: bytes) -> None:
    """They are put before a key access unit that lacks them, and never twice."""
    whole = bitstream.with_parameter_sets(codec, slice_nal, sets)
    assert whole == sets + slice_nal
    assert bitstream.with_parameter_sets(codec, whole, sets) == whole
    assert bitstream.with_parameter_sets(codec, slice_nal, b"") == slice_nal


@given(st.binary(max_size=200), st.sampled_from(["h264", "hevc"]))
def test_any_bytes_have_nal_types(data: bytes, codec: str) -> None:
    """Nothing that comes over a wire makes it stumble."""
    assert all(0 <= kind < 64 for kind in bitstream.nal_types(codec, data))


def test_stills_are_told_by_their_first_bytes() -> None:
    """JPEG, PNG, nothing else."""
    found = [bitstream.still_codec(data) for data in (media.jpeg(), media.png(), b"GIF89a", b"", b"\xff\xd8")]
    assert found == ["mjpeg", "png", None, None, None]


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_the_turn_of_an_mp4_is_read(tmp_path: Path, degrees: int) -> None:
    """As the container writes it, clockwise."""
    import av

    path = tmp_path / "turned.mp4"
    with av.open(str(media.video(tmp_path / "plain.mp4"))) as given_in, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(given_in.streams.video[0])
        stream.set_display_rotation(degrees)
        for packet in given_in.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    with av.open(str(path)) as played:
        expected = -next(played.decode(video=0)).rotation % 360
    with path.open("rb") as file:
        assert mp4.rotation_deg(file) == expected


@given(st.binary(max_size=400))
def test_any_file_has_some_turn(data: bytes) -> None:
    """A broken MP4 asks for none, and ends."""
    import io

    assert mp4.rotation_deg(io.BytesIO(b"\x00\x00\x01\x90moov" + data)) in (0, 90, 180, 270)


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        (None, None),
        ("7", 7.0),
        ("999999999", 3600.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2000 22:13:50 GMT", 0.0),
        ("soon", None),
        ("-5", None),
    ],
)
def test_waits_are_read_as_http_writes_them(text: str | None, expected_s: float | None) -> None:
    """Seconds or a date, an hour at most."""
    assert http_times.retry_after_s(text, NOW_NS) == expected_s


@given(st.text(max_size=40))
def test_any_date_is_a_time_or_none(text: str) -> None:
    """No header makes it stumble."""
    found = http_times.date_ns(text)
    assert found is None or isinstance(found, int)
