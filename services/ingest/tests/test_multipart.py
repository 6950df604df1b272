"""MJPEG over HTTP: however the bytes fall, the pictures come out whole, and nothing grows without bound."""

from __future__ import annotations

import contextlib
from itertools import pairwise

import ingest_media as media
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lamplight_ingest.multipart import (
    MAX_HEADER_BYTES,
    MOST_OTHERS,
    NoBoundary,
    NoPictures,
    Parts,
    Pictures,
    TooLarge,
    boundary_of,
)

PICTURES = [media.jpeg(b"one"), media.jpeg(b"\r\n two \r\n\r\n"), media.png(), media.jpeg(b"four")]


def body(pictures: list[bytes], *, length: str = "right", delimiter: bytes = b"--cam", lead: bytes = b"") -> bytes:
    """Return a multipart body as cameras write it."""
    parts = [lead]
    for picture in pictures:
        told = {"right": len(picture), "long": len(picture) + 50, "short": 3}.get(length)
        header = b"Content-Type: image/jpeg\r\n" + (b"Content-Length: %d\r\n" % told if told else b"")
        parts.append(delimiter + b"\r\n" + header + b"\r\n" + picture + b"\r\n")
    return b"".join(parts) + delimiter


@given(st.lists(st.integers(0, 2000), max_size=12), st.sampled_from(["right", "long", "short", "none"]))
def test_pictures_come_out_whole_however_the_bytes_fall(cuts: list[int], length: str) -> None:
    """With a length that is right, wrong or absent, in any pieces."""
    whole = body(PICTURES, length=length, lead=b"\r\n")
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    parts = Parts(b"--cam", 10_000)
    found = [part.body for start, end in pairwise(places) for part in parts.feed(whole[start:end])]
    assert found == PICTURES


def test_a_whole_jpeg_is_given_before_the_next_one_begins() -> None:
    """A camera of one picture a minute is not a minute late."""
    parts = Parts(b"--cam", 10_000)
    (part,) = parts.feed(body(PICTURES[:1]).removesuffix(b"\r\n--cam"))
    assert (part.body, part.headers["content-type"]) == (PICTURES[0], "image/jpeg")


@pytest.mark.parametrize("delimiter", [b"--cam", b"cam", b"----cam"])
@pytest.mark.parametrize("is_lf", [True, False])
@pytest.mark.parametrize("length", ["right", "none"])
def test_careless_delimiters_are_found(delimiter: bytes, is_lf: bool, length: str) -> None:
    """Without their dashes or with more, lines of LF alone, and the word itself inside a picture."""
    pictures = [media.jpeg(b"a cam b"), media.jpeg(b"--other"), media.jpeg(b"three")]
    whole = body(pictures, length=length, delimiter=delimiter)
    if is_lf:
        whole = whole.replace(b"\r\n", b"\n")
    parts = Parts(b"--cam", 10_000)
    assert [part.body for at in range(0, len(whole), 5) for part in parts.feed(whole[at : at + 5])] == pictures


@pytest.mark.parametrize(
    "endless",
    [
        b"x" * 50_000,
        b"--cam\r\n" + b"X-More: y\r\n" * 5_000,
        b"--cam\r\n\r\n" + b"\xff\xd8" * 10_000,
        b"--cam\r\nContent-Length: 2000000000\r\n\r\n",
    ],
)
def test_what_never_ends_is_refused(endless: bytes) -> None:
    """Garbage, headers, pictures: each has a bound, and what is told past it is not waited for."""
    parts = Parts(b"--cam", 10_000)
    most = 0
    with contextlib.suppress(TooLarge):
        for at in range(0, len(endless), 1000):
            most = max(most, len(parts._held))
            parts.feed(endless[at : at + 1000])
        pytest.fail("was not refused")
    assert most <= 10_000 + MAX_HEADER_BYTES
    with pytest.raises(TooLarge):
        Parts(b"--cam", 10_000).feed(endless)


@given(st.lists(st.binary(max_size=300), max_size=30))
def test_any_bytes_are_cut_or_refused(pieces: list[bytes]) -> None:
    """Whatever comes: bounded parts, or a refusal."""
    parts = Parts(b"--", 500)
    for piece in pieces:
        try:
            assert all(len(part.body) <= 500 + 300 for part in parts.feed(piece))
        except TooLarge:
            return


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("multipart/x-mixed-replace; boundary=cam", b"--cam"),
        ("multipart/x-mixed-replace;boundary=--cam", b"--cam"),
        ('Multipart/X-Mixed-Replace; charset=x; boundary="a b"', b"--a b"),
        ("multipart/x-mixed-replace", b""),
        ('multipart/x-mixed-replace; boundary=""', b""),
        ("image/jpeg", None),
        ("", None),
    ],
)
def test_boundaries(content_type: str, expected: bytes | None) -> None:
    """As cameras write them."""
    assert boundary_of(content_type) == expected


@pytest.mark.parametrize("lead", [b"", b"\r\n", b"\n \r\n\n"])
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_a_boundary_that_only_the_body_names_is_learnt(lead: bytes, step: int) -> None:
    """From its first line, however the bytes fall."""
    whole = body(PICTURES, length="none", delimiter=b"--my cam", lead=lead)
    parts = Parts(b"", 10_000)
    found = [part.body for at in range(0, len(whole), step) for part in parts.feed(whole[at : at + step])]
    assert found == PICTURES


@pytest.mark.parametrize("start", [PICTURES[0], b"Hello\r\n--cam\r\n\r\n", b"-x", b"--" + b"x" * 9000])
def test_a_body_without_a_boundary_is_refused_with_the_cure(start: bytes) -> None:
    """As soon as that is clear."""
    with pytest.raises(NoBoundary, match="ask for the camera's single picture"):
        Parts(b"", 10_000).feed(start)


def _others(count: int) -> bytes:
    return b"--cam\r\nContent-Type: text/plain\r\n\r\nmotion=1\r\n" * count


def test_parts_that_are_no_pictures_are_passed_over() -> None:
    """Events between pictures, and a picture that is broken at its beginning."""
    whole = _others(MOST_OTHERS) + body(PICTURES[:2]) + b"\r\n" + _others(MOST_OTHERS - 1) + body([b"\0" + PICTURES[0]])
    pictures = Pictures(b"--cam", 10_000)
    found = [
        (codec, part.body) for at in range(0, len(whole), 50) for codec, part in pictures.feed(whole[at : at + 50])
    ]
    assert found == [("mjpeg", PICTURES[0]), ("mjpeg", PICTURES[1])]
    with pytest.raises(NoPictures, match="JPEG or PNG expected"):
        pictures.end()


def test_parts_without_a_picture_among_them_have_an_end() -> None:
    """It is told what they were."""
    pictures = Pictures(b"--cam", 10_000)
    with pytest.raises(NoPictures, match=rf"{MOST_OTHERS + 1} parts in a row found, the last 8 bytes of text,"):
        pictures.feed(_others(MOST_OTHERS + 2))
    Pictures(b"--cam", 10_000).end()
    again = Pictures(b"--cam", 10_000)
    assert again.feed(b"--cam\r\nContent-Type: its-own/word\r\n\r\nabcd\r\n--cam") == []
    with pytest.raises(NoPictures, match="a part found, the last 4 bytes of something else, JPEG"):
        again.end()
