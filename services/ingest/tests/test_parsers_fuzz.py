"""All parsers under generated and mutated bytes: no crash, no buffer without a bound, no time beyond a line."""

from __future__ import annotations

import importlib.util
import random
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import mutated
from parsers import PARSERS, SEEDS
from rtsp_wire import URL, answer, framed, greeting, rtp

ATHERIS = Path(__file__).with_name("atheris_parsers.py")
NAMES = list(PARSERS)


def _mutate_all(rng: random.Random, count: int) -> None:
    for number in range(count):
        name = NAMES[number % len(NAMES)]
        seeds = SEEDS[name]
        PARSERS[name](mutated(rng, seeds[number // len(NAMES) % len(seeds)]))


def test_mutated_inputs_break_no_parser() -> None:
    """Fifteen thousand, a thousand each; sessions have twenty thousand of their own."""
    _mutate_all(random.Random(7), 15_000)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_million_mutated_inputs_break_no_parser() -> None:
    """As above, for longer."""
    _mutate_all(random.Random(8), 1_000_000)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(data=st.binary(max_size=600))
def test_generated_inputs_break_no_parser(name: str, data: bytes) -> None:
    """Any bytes at all."""
    PARSERS[name](data)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
def test_inputs_that_look_for_new_paths_break_no_parser(name: str, tmp_path: Path) -> None:
    """Atheris mutates by what the parser's code was seen to do."""
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("no atheris for this Python; `make soak` installs it where there is one")
    for number, seed in enumerate(SEEDS[name]):
        (tmp_path / f"seed-{number}").write_bytes(seed)
    command = [sys.executable, str(ATHERIS), name, str(tmp_path), "-runs=20000", "-max_len=4096", "-seed=9"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr[-3000:]


def _stream(payload: Callable[[int], bytes], count: int, *, step: int = 9000) -> bytes:
    return b"\x03" + greeting() + b"".join(framed(rtp(payload(seq), seq, seq * step)) for seq in range(count))


GROWING: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "breaks": ("session", lambda n: b"\x03" + greeting() + b"\r\n" * (300 * n)),
    "empty packets": ("session", lambda n: b"\x03" + greeting() + b"$\x07\x00\x00" * (20 * n)),
    "key pictures": ("session", lambda n: _stream(lambda _: b"\x65\x88key", n)),
    "parameter sets": ("session", lambda n: _stream(lambda seq: b"\x68" + bytes([seq & 0xFF | 1]) + b"p" * 99, n)),
    "endless fragments": (
        "session",
        lambda n: _stream(lambda seq: b"\x7c\x85x" if seq == 0 else b"\x7c\x05x", n, step=0),
    ),
    "information": ("session", lambda n: _stream(lambda _: b"\x06\x05\x03abc\x80", n)),
    "aggregates": ("packets", lambda n: b"\x00" + b"\xf0\x06\x78" + b"\x00\x02\x41\x9a" * 59 + b"\x00\x02\x41" * n),
    "requests": ("session", lambda n: b"\x03" + greeting() + f"OPTIONS {URL} RTSP/1.0\r\nCSeq: 7\r\n\r\n".encode() * n),
    "challenge of words": ("challenges", lambda n: b"a " * (20 * n)),
    "challenge of quotes": ("challenges", lambda n: b'a b="' + b'\\"' * (20 * n)),
    "challenge of spaces": ("challenges", lambda n: b"a" + b" " * (40 * n) + b"b" + b" " * (40 * n)),
    "challenge of commas": ("challenges", lambda n: b"," * (30 * n)),
    "description's lines": ("description", lambda n: b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n" * (2 * n)),
    "description's numbers": ("description", lambda n: b"m=video 0 RTP/AVP" + b" 96" * (20 * n)),
    "description's sets": (
        "description",
        lambda n: (
            b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 sprop-parameter-sets=" + b"Z0LA," * (9 * n)
        ),
    ),
    "description's parameters": (
        "description",
        lambda n: b"m=video 0 RTP/AVP 96\r\n" + b"a=fmtp:96 sprop-parameter-sets=Z0LA\r\n" * n,
    ),
    "goodbyes": ("rtcp", lambda n: (b"\x9f\xcb\x00\x1f" + bytes(124)) * n),
    "a key picture without time": ("session", lambda n: _stream(lambda _: b"\x65\x88key", n, step=0)),
    "reports": ("rtcp", lambda n: b"\x80\xc9\x00\x00" * (20 * n)),
    "addresses": ("addresses", lambda n: b"rtsp://" + b"a@" * (30 * n)),
    "messages": ("message", lambda n: b"RTSP/1.0 200 OK\r\n" + b" x\r\n" * n),
    "parts": ("multipart", lambda n: b"\xff" + b"--x\r\n\r\nab" * (5 * n)),
    "blank lines before a boundary": ("multipart", lambda n: b"\x00" + b"\r\n" * (60 * n) + b"--x\r\n\r\n"),
    "a part without end": ("multipart", lambda n: b"\x00--x\r\n\r\n" + b"-" * min(2900, 9 * n)),
    "boxes": ("mp4", lambda n: b"\x00\x00\x00\x08free" * (3 * n)),
    "boxes in boxes": ("mp4", lambda n: b"".join(struct.pack(">I4s", 8 * (3 * n - i), b"moov") for i in range(3 * n))),
    "start codes": ("bitstream", lambda n: b"\x00\x00\x01" * (60 * n)),
    "emulation": ("parameter sets", lambda n: b"\x67" + b"\x00\x00\x03" * (60 * n)),
    "segments": ("playlist", lambda n: b"#EXTM3U\n" + b"#EXTINF:4,\na.ts\n" * (4 * n)),
    "attributes": ("playlist", lambda n: b"#EXTM3U\n#EXT-X-KEY:" + b'A="' * (9 * n)),
    "variants": ("playlist", lambda n: b"#EXTM3U\n" + b"#EXT-X-STREAM-INF:A=1\nx\n" * (4 * n)),
    "heads": ("relayed", lambda n: b"a:\r\n\r\n" * (20 * n)),
    "a head's parameters": ("relayed", lambda n: b"Transport:" + b";source=" * (3 * min(n, 2500)) + b"\r\n\r\n"),
    "a date's digits": ("dates", lambda n: b"Sun, 06 Nov " + b"1" * min(4000, 4 * n)),
    "a date's brackets": ("dates", lambda n: b"Sun, " + b"(" * (4 * n)),
}


def _cpu_s(act: Callable[[bytes], None], data: bytes) -> float:
    """Return the processor's time of one call, the least of several: others share the machine."""
    best_s = 1e9
    for _ in range(4):
        began_s = time.process_time()
        act(data)
        best_s = min(best_s, time.process_time() - began_s)
    return best_s


@pytest.mark.parametrize("case", GROWING)
def test_twice_the_bytes_take_twice_the_time(case: str) -> None:
    """And not four times: the processor's time between n and 2n, measured again where it was disturbed."""
    name, make = GROWING[case]
    act = PARSERS[name]
    size = 250
    while size < 16_000 and _cpu_s(act, make(size)) < 0.004:
        size *= 2
    ratios = []
    for _ in range(4):
        ratios.append(_cpu_s(act, make(2 * size)) / max(_cpu_s(act, make(size)), 1e-5))
        if ratios[-1] < 2.8:
            return
    pytest.fail(f"{case}: {ratios} times the processor's time for twice {size}, about 2 expected")


def test_a_message_may_be_answered_after_all() -> None:
    """The seeds are what they should be: unmutated, each is taken."""
    for name, seeds in SEEDS.items():
        for seed in seeds:
            PARSERS[name](seed)
    assert answer(1).startswith(b"RTSP/1.0")
