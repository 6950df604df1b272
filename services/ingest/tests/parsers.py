"""Every parser of ingest as a function of bytes: takes anything, raises nothing, holds no more than it may."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Callable, Mapping

from lamplight_ingest import bitstream, doors, hls, http_times, mp4, multipart, picture_size
from lamplight_ingest.onvif import messages, xml
from lamplight_ingest.rtsp import relayed, rtcp, sdp, sei
from lamplight_ingest.rtsp.address import base_url, control_url, control_urls, resolved, target_of
from lamplight_ingest.rtsp.auth import Authenticator, Login, challenges
from lamplight_ingest.rtsp.client import Options
from lamplight_ingest.rtsp.events import AccessUnit, Limits, SessionError
from lamplight_ingest.rtsp.message import read_message
from lamplight_ingest.rtsp.nal import H264, H265
from lamplight_ingest.rtsp.parameter_sets import MAX_BYTES, MAX_SETS, ParameterSets, set_id
from lamplight_ingest.rtsp.sdp import VideoFormat
from lamplight_ingest.rtsp.track import Track
from rtsp_wire import PPS, SPS, Fed, aggregate, answer, description, fragments, framed, greeting, report, rtp

BOUNDS = Limits(head_bytes=2048, headers=20, body_bytes=2048, garbage_bytes=20_000, picture_bytes=8000)
KEY, PLAIN = b"\x65\x88" + bytes(range(256)) * 2, b"\x41\x9a" + bytes(range(200))
KEY_5 = b"\x26\x01\xaf" + bytes(range(200))
MOST_PART_BYTES = 3000


def session(data: bytes, sizes: tuple[int, ...] = (1500,), *, keys_only: bool = True) -> Fed:
    """Feed a client what a server says, cut by `sizes` over and over."""
    fed = Fed(Options(keys_only=keys_only, limits=BOUNDS), login=Login("u", "p"))
    at, turn = 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        fed.feed(data[at : at + size], float(turn))
        at, turn = at + size, turn + 1
    fed.tick(float(turn))
    assert fed.most_held <= BOUNDS.item_bytes
    assert all(len(unit.data) <= BOUNDS.picture_bytes for unit in fed.units)
    return fed


def _session(data: bytes) -> None:
    session(data[1:], ((1, 7, 100, 1500)[data[0] & 3] if data else 1,), keys_only=bool(data[:1] and data[0] & 4))


def _after_greeting(data: bytes) -> None:
    session(greeting() + data, keys_only=len(data) % 2 == 0)


def _message(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        message, stop = read_message(bytearray(data), 0, len(data), BOUNDS)
        assert 0 <= stop <= len(data)
        assert message is None or len(message.body) <= BOUNDS.body_bytes


def _sdp(data: bytes) -> None:
    described = sdp.parse(data)
    assert len(described.media) <= sdp.MAX_MEDIA
    with contextlib.suppress(SessionError):
        sdp.video_of(described)


def _rtcp(data: bytes) -> None:
    with contextlib.suppress(SessionError):
        assert len(rtcp.read(data)) <= len(data) // 4 + 1


def _challenges(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    challenges([text])
    who = Authenticator(Login("wärter", 'a"b\\'), lambda: "x")
    who.challenged([text])
    for tries in range(3):
        who.may_answer([text], tries)
    assert len(who.why_refused([text])) < 400
    answered = who.header("DESCRIBE", "rtsp://c/")
    assert answered is None or len(answered) <= 4 * len(text) + 600


def _addresses(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for parse in (target_of, doors.parse):
        with contextlib.suppress(ValueError):
            parse(text)
    assert control_url("rtsp://c/x", text).isascii()
    base_url("rtsp://c/x", text, text)
    assert all(url.isascii() for url in control_urls("rtsp://c/x/", text))
    assert len(resolved("rtsp://c/x?y", text)) <= len(text) + 20
    with contextlib.suppress(ValueError):
        resolved(target_of(text).url, "/x")


def _track(data: bytes) -> None:
    """Packets by their lengths: codec and mode from the first byte, then length (1 byte), flags (1), payload."""
    if not data:
        return
    codec = H265 if data[0] & 1 else H264
    units: list[AccessUnit] = []
    video = VideoFormat(None, 96, codec, 90_000, ())
    track = Track(video, (0, 1), units.append, keys_only=bool(data[0] & 2), max_bytes=BOUNDS.picture_bytes)
    at, seq, time = 1, 0, 0
    while at + 2 <= len(data):
        length, flags = data[at], data[at + 1]
        seq, time = seq + 1 + (flags & 1), time + (9000 if flags & 2 else 0)
        packet = rtp(data[at + 2 : at + 2 + length], seq, time, marker=bool(flags & 4), kind=96)
        packet = bytes([packet[0] | flags & 0x38]) + packet[1:]
        with contextlib.suppress(SessionError):
            track.packet(bytearray(packet), 0, len(packet))
        at += 2 + length
    assembler = track._assembler
    held = sum(map(len, assembler._parts)) + sum(map(len, assembler._pieces))
    assert held <= BOUNDS.picture_bytes + 0xFFFF
    assert all(len(unit.data) <= BOUNDS.picture_bytes for unit in units)


def _sets(data: bytes) -> None:
    for codec in (H264, H265):
        sets = ParameterSets(codec)
        for nal in data.split(b"\x00\x00\x01"):
            sets.put(nal)
            if len(nal) > codec.header_bytes:
                set_id(codec, nal)
        assert len(sets.annex_b) <= MAX_BYTES + 4 * MAX_SETS
    frames = sei.recovery_frames(data)
    assert frames is None or frames >= 0


def _multipart(data: bytes) -> None:
    parts, step = multipart.Parts(b"--x", MOST_PART_BYTES), 1 + (data[0] if data else 0)
    with contextlib.suppress(multipart.TooLarge):
        for at in range(0, len(data), step):
            assert all(len(part.body) <= MOST_PART_BYTES + 20 for part in parts.feed(data[at : at + step]))
            assert len(parts._held) <= MOST_PART_BYTES + multipart.MAX_HEADER_BYTES + step + 10
    unnamed = multipart.Pictures(b"", MOST_PART_BYTES)
    with contextlib.suppress(multipart.TooLarge, multipart.NoBoundary, multipart.NoPictures):
        for at in range(0, len(data), step):
            assert all(len(part.body) <= MOST_PART_BYTES + 210 for _, part in unnamed.feed(data[at : at + step]))
            assert len(unnamed._parts._held) <= MOST_PART_BYTES + multipart.MAX_HEADER_BYTES + step + 210
        unnamed.end()
    boundary = multipart.boundary_of(data.decode("latin-1"))
    assert boundary is None or len(boundary) <= 202


def _mp4(data: bytes) -> None:
    assert mp4.rotation_deg(io.BytesIO(data)) in {0, 90, 180, 270}


def _dates(data: bytes) -> None:
    text = data.decode("latin-1")
    http_times.date_ns(text)
    wait_s = http_times.retry_after_s(text, 1_700_000_000 * 10**9)
    assert wait_s is None or 0 <= wait_s <= http_times.LONGEST_WAIT_S


def _playlist(data: bytes) -> None:
    with contextlib.suppress(hls.NoPlaylist):
        found = hls.parse(data.decode("utf-8", "replace"), "http://c/live/index.m3u8")
        assert len(found.segments) <= hls.MAX_SEGMENTS
        if found.variants:
            hls.choose(found.variants)


def _relayed(data: bytes) -> None:
    ear = relayed.Heard("127.0.0.1")
    with contextlib.suppress(relayed.Unfit):
        for at in range(0, len(data), 100):
            ear.feed(data[at : at + 100])
            assert len(ear._held) <= relayed.MAX_HEAD_BYTES + 100


def _bitstream(data: bytes) -> None:
    bitstream.still_codec(data)
    for codec in ("h264", "hevc"):
        bitstream.with_parameter_sets(codec, data, b"\x00\x00\x01\x67")


def _sizes(data: bytes) -> None:
    for codec in ("h264", "hevc", "mjpeg", "png"):
        size = picture_size.frame_hw(codec, data)
        assert size is None or len(size) == 2


def _onvif(data: bytes) -> None:
    with contextlib.suppress(xml.Unreadable):
        answer = xml.read(data)
        assert len(messages.profiles_of(answer)) <= messages.MAX_PROFILES
        messages.services_of(answer)
        messages.date_of(answer)
        messages.fault_of(answer)


PARSERS: Mapping[str, Callable[[bytes], None]] = {
    "session": _session,
    "stream": _after_greeting,
    "message": _message,
    "description": _sdp,
    "rtcp": _rtcp,
    "challenges": _challenges,
    "addresses": _addresses,
    "packets": _track,
    "parameter sets": _sets,
    "multipart": _multipart,
    "mp4": _mp4,
    "dates": _dates,
    "bitstream": _bitstream,
    "playlist": _playlist,
    "relayed": _relayed,
    "sizes": _sizes,
    "onvif": _onvif,
}


def _video(codec: str = "H264") -> bytes:
    nals = [SPS, PPS, *fragments(KEY, 180), aggregate([b"\x06\x05\x00", PLAIN]), b"\x06\x06\x01\xc4\x80", PLAIN]
    if codec == "H265":
        nals = [b"\x40\x01\x0c", b"\x42\x01\x01\x60", b"\x44\x01\xc1", *fragments(KEY_5, 90, 2), b"\x02\x01\xd0xx"]
    return b"".join(
        framed(rtp(payload, seq, seq // 5 * 9000, marker=seq % 5 == 4)) for seq, payload in enumerate(nals * 3)
    )


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


_CHALLENGE = 'Digest realm="r, x", nonce="n", qop="auth,auth-int", algorithm=SHA-256, stale=true, Basic realm=y'
_SOF = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08\x00\x10\x00\x20\x01\x01\x11\x00"
_CLOCK = b"<a:UTCDateTime xmlns:a='u'><a:Time><Hour>1</Hour><Minute>2</Minute></a:Time><Date/></a:UTCDateTime>"
_PROFILES = (
    b"<r><Service><Namespace>n</Namespace><XAddr>http://c/x</XAddr></Service><Profiles token='p'><Name>n</Name>"
    b"<VideoEncoderConfiguration><Encoding>H264</Encoding><Resolution><Width>64</Width><Height>48</Height></Resolution>"
    b"<RateControl><FrameRateLimit>25</FrameRateLimit></RateControl></VideoEncoderConfiguration></Profiles></r>"
)
_PLAYLIST = b"""#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="init.mp4",BYTERANGE="100@0"
#EXT-X-KEY:METHOD=AES-128,URI="k"
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.5Z
#EXTINF:4.0,
#EXT-X-BYTERANGE:75@0
a.ts
#EXT-X-ENDLIST
"""
_VARIANTS = b'#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=640x360,CODECS="avc1,mp4a"\nlow.m3u8\n'
_PACKETS = b"".join(bytes([len(part), flags]) + part for part in fragments(PLAIN, 60) for flags in (0, 4, 2, 0x28))
SEEDS: Mapping[str, list[bytes]] = {
    "session": [
        b"\x01" + greeting() + _video() + framed(report(3_900_000_000, 1, 1), 1) + _video(),
        b"\x06" + greeting(sdp=description("H265", ())) + _video("H265"),
        b"\x02" + answer(1) + answer(2, f"WWW-Authenticate: {_CHALLENGE}", status="401 Unauthorized"),
        b"\x03" + answer(1, "Location: rtsp://other.example/", status="302 Found"),
    ],
    "stream": [_video()],
    "message": [answer(3, "Session: S;timeout=60", "Transport: RTP/AVP/TCP;interleaved=0-1", body=b"x" * 40)],
    "description": [description(), description("H265"), b"m=audio 0 RTP/AVP 0\r\na=control:x\r\n" + description()],
    "rtcp": [report(3_900_000_000, 7, 90) + b"\x82\xcb\x00\x02abcdefgh"],
    "challenges": [_CHALLENGE.encode(), b'Basic realm="a\\"b"'],
    "addresses": [b"rtsps://user:pass@[::1]:554/a?b#c", b"http://10.0.0.1/\xc3\xa4.jpg", b"file:///srv/x.mp4"],
    "packets": [bytes([kind]) + _PACKETS for kind in range(4)],
    "parameter sets": [b"\x00\x00\x01".join([SPS, PPS, b"\x42\x01\x01\x60\x00\x00\x03\x00", b"\x06\x06\x01\xc4\x80"])],
    "multipart": [b"\x05--x\r\nContent-Length: 6\r\n\r\n\xff\xd8ab\xff\xd9\r\n--x\r\n\r\n\xff\xd8cd\xff\xd9\r\n--x--"],
    "mp4": [_box(b"ftyp", b"isom") + _box(b"moov", _box(b"trak", _box(b"tkhd", bytes(92))) + _box(b"udta", b""))],
    "dates": [
        b"12\x1c",
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"120",
        b"Sun Nov  6 08:49:37 1994",
    ],
    "playlist": [_PLAYLIST, _VARIANTS],
    "relayed": [greeting() + _video()],
    "sizes": [
        b"\x00\x00\x01" + SPS,
        b"\x00\x00\x01\x42\x01\x01\x60" + bytes(range(40)),
        _SOF,
        b"\x89PNG\r\n\x1a\n" + bytes(16),
    ],
    "onvif": [_PROFILES, _CLOCK, b"<e><Fault><Value>a:b</Value><Reason><Text>t</Text></Reason></Fault></e>"],
    "bitstream": [b"\x00\x00\x01" + SPS + b"\x00\x00\x00\x01" + KEY, b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"],
}
