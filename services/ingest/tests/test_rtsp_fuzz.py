"""However the bytes are cut, the same is told; whatever they are, nothing breaks and nothing grows past its bound."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lamplight_ingest.rtsp import rtcp, sdp
from lamplight_ingest.rtsp.address import target_of
from lamplight_ingest.rtsp.auth import Authenticator, Login, challenges
from lamplight_ingest.rtsp.client import Options, RtspClient
from lamplight_ingest.rtsp.events import Limits, SessionError
from mutations import mutated
from rtsp_wire import PPS, SPS, URL, Fed, aggregate, answer, description, fragments, framed, greeting, report, rtp

BOUNDS = Limits(head_bytes=2048, headers=20, body_bytes=2048, garbage_bytes=20_000, picture_bytes=8000)
KEY, PLAIN = b"\x65\x88" + bytes(range(256)) * 2, b"\x41\x9a" + bytes(range(200))

_payloads = st.one_of(
    st.sampled_from([KEY, PLAIN, SPS, PPS, b"\x06\x01\x00", b"\x09\xf0", b"\x65\x40later", aggregate([SPS, PPS, KEY])]),
    st.sampled_from([part for nal in (KEY, PLAIN) for part in fragments(nal, 150)]),
    st.binary(max_size=40),
)
_packets = st.builds(
    lambda payload, skip, step, marker, kind: (payload, skip, step, marker, kind),
    _payloads,
    st.sampled_from([0] * 12 + [1, 300, 65530]),
    st.sampled_from([0, 0, 9000]),
    st.booleans(),
    st.sampled_from([96] * 12 + [97, 72]),
)
_others = st.one_of(
    st.just(framed(report(3_900_000_000, 7, 90), 1)),
    st.builds(framed, st.binary(max_size=60), st.sampled_from([0, 1, 2, 36])),
    st.just(f"GET_PARAMETER {URL} RTSP/1.0\r\nCSeq: 3\r\n\r\n".encode()),
    st.just(answer(90)),
    st.binary(max_size=30),
    st.sampled_from([b"\r\n", b"$", b"RTSP/1.0 ", b"OPTIONS", b"$\x00\x00\x20\x80"]),
)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """A session's bytes: the greeting, then packets in sequence with losses, amid everything else."""
    data, seq, time = greeting(), draw(st.integers(0, 0xFFFF)), draw(st.integers(0, 0xFFFFFFFF))
    for item in draw(st.lists(st.one_of(_packets, _packets, _packets, _others), max_size=25)):
        if isinstance(item, bytes):
            data += item
            continue
        payload, skip, step, marker, kind = item
        seq, time = seq + 1 + skip, time + step
        data += framed(rtp(payload, seq, time, marker=marker, kind=kind))
    return data


@settings(max_examples=150, deadline=None)
@given(streams(), st.lists(st.integers(0, 20_000), max_size=12), st.booleans())
def test_every_cut_of_the_stream_tells_the_same(data: bytes, cuts: list[int], keys_only: bool) -> None:
    """Read at once, byte by byte, or cut anywhere: the same events, the same words, the same activity."""
    options = Options(keys_only=keys_only, limits=BOUNDS)
    whole = Fed(options).feed(data)
    ends = sorted({cut % (len(data) + 1) for cut in cuts} | {len(data)})
    for stops in (ends, range(1, len(data) + 1)):
        parts, at = Fed(options), 0
        for stop in stops:
            parts.feed(data[at:stop])
            at = stop
        assert parts.events == whole.events
        assert parts.said == whole.said
        assert parts.client.activity == whole.client.activity


def _seed_streams() -> list[bytes]:
    video = b"".join(
        framed(rtp(payload, seq, seq // 5 * 9000, marker=seq % 5 == 4))
        for seq, payload in enumerate([SPS, PPS, *fragments(KEY, 180), aggregate([b"\x06\x05\x00", PLAIN]), PLAIN] * 3)
    )
    challenge = 'WWW-Authenticate: Digest realm="r, x", nonce="n", qop="auth"'
    refused = answer(1) + answer(2, challenge, "WWW-Authenticate: Basic realm=y", status="401 Unauthorized")
    moved = answer(1, "Location: rtsp://other.example/", status="302 Found")
    return [
        greeting() + video + framed(report(3_900_000_000, 1, 1), 1) + video,
        refused + answer(3, body=description()),
        moved,
    ]


def _survives(rng: random.Random, seed: bytes) -> None:
    data = mutated(rng, seed)
    fed = Fed(Options(keys_only=rng.random() < 0.5, limits=BOUNDS), login=Login("u", "p"))
    at, now_s = 0, 0.0
    while at < len(data):
        size = rng.choice([1, 7, 100, 1500, 100_000])
        fed.feed(data[at : at + size], now_s)
        at, now_s = at + size, now_s + 1.0
    fed.tick(now_s)
    assert fed.most_held <= BOUNDS.item_bytes
    assert all(len(unit.data) <= BOUNDS.picture_bytes for unit in fed.units)


def test_mutated_sessions_break_nothing() -> None:
    """Twenty thousand: no exception, and never more held than the bounds say."""
    rng, seeds = random.Random(5), _seed_streams()
    for number in range(20_000):
        _survives(rng, seeds[0] if number % 20 == 0 else seeds[1 + number % 2])


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_million_mutated_sessions_break_nothing() -> None:
    """As above, for longer."""
    rng, seeds = random.Random(6), _seed_streams()
    for number in range(1_000_000):
        _survives(rng, seeds[number % len(seeds)])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.text(max_size=200))
def test_the_small_readers_take_anything(data: bytes, text: str) -> None:
    """Descriptions, challenges and RTCP of any bytes give something, or a word of what is wrong."""
    rtcp.read(data)
    challenges([text, data.decode("latin-1")])
    Authenticator(Login("u", "p"), lambda: "x").challenged([text])
    with contextlib.suppress(SessionError):
        sdp.video_of(sdp.parse(description().replace(b"96", data[:40]) + data))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=3000))
def test_a_client_takes_any_bytes_at_all(data: bytes) -> None:
    """Before anything is agreed, too."""
    client = RtspClient(target_of(URL), None, Options(limits=BOUNDS))
    client.begin(0.0)
    assert 0 <= client.receive(bytearray(data), len(data), 0.0) <= len(data)
