"""Stills: what is decoded, what is refused, and that a refusal says why."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lamplight_detect.decode import Unreadable, decode_still
from lamplight_detect.decode.exif import orientation_of, turned, upright
from numpy.typing import NDArray

JPEG, PNG = ".jpg", ".png"


def scene(channels: int = 3, depth: type = np.uint8) -> NDArray[np.uint8]:
    """Return a picture 48x64 whose four corners differ: dark, red, green, blue (top left first)."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, 32:] = (0, 0, 250)
    picture[24:, :32] = (0, 250, 0)
    picture[24:, 32:] = (250, 0, 0)
    if channels == 1:
        return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    if channels == 4:
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA)
    return picture.astype(depth) * (257 if depth is np.uint16 else 1)


def encoded(picture: NDArray[np.uint8], kind: str = JPEG, *options: int) -> bytes:
    """Return the file."""
    return cv2.imencode(kind, picture, list(options))[1].tobytes()


def with_exif(jpeg: bytes, orientation: int, order: str = ">") -> bytes:
    """Return the JPEG with an EXIF segment that names an orientation."""
    mark = b"MM\x00*" if order == ">" else b"II*\x00"
    tiff = mark + struct.pack(f"{order}IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize(
    "data",
    [
        encoded(scene()),
        encoded(scene(), JPEG, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encoded(scene(), JPEG, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
        encoded(scene(), PNG),
        encoded(scene(4), PNG),
        encoded(scene(3, np.uint16), PNG),
    ],
    ids=["jpeg", "progressive", "restarts", "png", "alpha", "16 bits"],
)
def test_ordinary_pictures_come_out_blue_first(data: bytes) -> None:
    """Whatever the kind, the corners come out with their colours, three channels of 8 bits."""
    found = decode_still(data)
    assert (found.shape, found.dtype) == ((48, 64, 3), np.uint8)
    assert np.abs(found.astype(int) - scene()).mean() < 6


@pytest.mark.parametrize("kind", [JPEG, PNG])
def test_grey_becomes_three_equal_channels(kind: str) -> None:
    """A grey picture has the same value in all channels."""
    found = decode_still(encoded(scene(1), kind))
    assert found.shape == (48, 64, 3)
    assert (found[..., 0] == found[..., 2]).all()


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_is_turned_upright_as_opencv_does(orientation: int, order: str) -> None:
    """All eight orientations come out as OpenCV's own reader shows them."""
    data = with_exif(encoded(scene()), orientation, order)
    theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert (decode_still(data) == theirs).all()


def test_turning_is_clockwise() -> None:
    """A quarter turn brings the left edge to the top."""
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert turned(picture, 90).tolist() == [[3, 0], [4, 1], [5, 2]]
    assert upright(picture, 6).tolist() == turned(picture, 90).tolist()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"\n", "no known format"),
        (encoded(scene())[:-2], "no end marker"),
        (encoded(scene())[:300], "segment|end marker"),
        (encoded(scene(), PNG)[:-5], "cut off"),
        (encoded(scene(), PNG).replace(b"IDAT", b"IDOT"), "checksum"),
        (encoded(np.zeros((1, 1, 3), np.uint8)), "1x1"),
        (encoded(np.zeros((8, 400, 3), np.uint8), PNG), "400x8"),
        (encoded(scene()).replace(b"\xff\xc0", b"\xff\xc9"), "0xc9"),
        (b"GIF89a" + bytes(40), "GIF"),
        (b"BM" + bytes(60), "BMP"),
        (b"II*\x00" + bytes(60), "TIFF"),
        (b"RIFF\x00\x00\x00\x00WEBP", "WebP"),
        (b"\x00\x00\x00\x1cftypavif" + bytes(30), "AVIF"),
        (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)), "60000x"),
        (b"\x89PNG\r\n\x1a\n" + png_chunk(b"tEXt", b"x"), "IHDR expected"),
        (b"\xff\xd8\xff\xda\x00\x02\xff\xd9", "before the frame header"),
        (b"\xff\xd8\xff\xd9", "no picture"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(data: bytes, why: str) -> None:
    """Damaged, tiny, huge and foreign pictures raise, and the text says which it is."""
    with pytest.raises(Unreadable, match=why):
        decode_still(data)


def test_a_header_that_promises_too_much_is_refused_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A JPEG of 65,000 pixels a side never reaches a decoder."""
    data = bytearray(encoded(scene()))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 65_000, 65_000)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("a decoder was called"))
    with pytest.raises(Unreadable, match="65000x65000"):
        decode_still(bytes(data))


def test_many_scans_of_a_large_picture_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file of many scans cannot cost minutes."""
    data = encoded(scene(), JPEG, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    monkeypatch.setattr("lamplight_detect.decode.jpeg.MAX_SCAN_PX", 2 * 48 * 64)
    with pytest.raises(Unreadable, match="scans"):
        decode_still(data)


def test_nothing_of_the_source_but_its_pixels_reaches_the_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metadata, comments and whatever follows the end marker are cut away before decoding."""
    seen = []
    real = cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda data, flags: (seen.append(bytes(data)), real(data, flags))[1])
    comment = b"\xff\xfe\x00\x09MARKER!"
    data = encoded(scene())
    decode_still(with_exif(data[:2] + comment + data[2:], 1) + b"MARKER!")
    png = encoded(scene(), PNG)
    decode_still(png[:33] + png_chunk(b"tEXt", b"MARKER!") + png[33:] + b"MARKER!")
    assert len(seen) == 2
    assert not any(b"MARKER!" in one or b"Exif" in one for one in seen)


def test_an_orientation_that_is_none_is_ignored() -> None:
    """EXIF that is cut off, endless or out of range leaves the picture as it is."""
    assert orientation_of(b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff") == 0
    assert orientation_of(b"Exif\x00\x00XX") == 0
    assert orientation_of(b"other") == 0
    assert decode_still(with_exif(encoded(scene()), 77)).shape == (48, 64, 3)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([JPEG, PNG]), st.data())
def test_any_damage_ends_in_a_picture_or_a_refusal(kind: str, data: st.DataObject) -> None:
    """Bytes changed, cut or added anywhere never raise anything but Unreadable."""
    whole = bytearray(encoded(scene(), kind))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        found = decode_still(cut)
    except Unreadable:
        return
    assert found.ndim == 3
