"""Our RTSP client against live555, the server that most cameras are built on: every picture is the one encoded."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import itertools
import subprocess
import time
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lamplight_ingest.adapters.rtsp_link import Dialer
from lamplight_ingest.adapters.rtsp_sockets import RtspReader, RtspSocketSource
from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.adapters.waited import Waited
from lamplight_ingest.doors import Doors, parse
from lamplight_ingest.model import Picture, Source, SourceAway, SourceRefused
from lamplight_kit.clock import SystemClock

BUILD = Path(__file__).parents[2] / "deploy" / "live555.sh"
FPS, KEY_EVERY, PICTURES, HW = 20, 5, 70, (96, 128)
CLOCK = SystemClock()
Gray = npt.NDArray[np.uint8]


def _program() -> tuple[str, str]:
    """Return the server's path, or nothing and why there is none."""
    asked = subprocess.run([BUILD, "--only-cached"], capture_output=True, text=True, check=False)
    return asked.stdout.strip(), asked.stderr.strip()


PROGRAM, ABSENT = _program()
pytestmark = pytest.mark.skipif(not PROGRAM, reason=ABSENT or "no live555")


def _encoded(codec: str, count: int = PICTURES, hw: tuple[int, int] = HW) -> Iterator[bytes]:
    """Yield pictures of noise, a key one every five, with the frame rate in their parameter sets."""
    context = av.CodecContext.create("libx264" if codec == "h264" else "libx265", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.height, context.width = hw
    context.pix_fmt = "yuv420p"
    context.framerate, context.time_base = Fraction(FPS), Fraction(1, FPS)
    told = f"keyint={KEY_EVERY}:min-keyint={KEY_EVERY}:scenecut=0:bframes=0:repeat-headers=1:aud=1"
    context.options = {
        "preset": "ultrafast",
        "x264-params": f"{told}:threads=1:slices=3",
        "x265-params": f"{told}:log-level=none:pools=none",
    }
    rng = np.random.default_rng(4)
    for index in range(count):
        picture = rng.integers(0, 60 + 2 * index, (*hw, 3), np.uint8)
        yield from map(bytes, context.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
    yield from map(bytes, context.encode(None))


def _decoded(codec: str, units: list[bytes]) -> list[Gray]:
    context = av.CodecContext.create(codec, "r")
    packets = [av.Packet(unit) for unit in units]
    return [frame.to_ndarray(format="gray") for packet in [*packets, None] for frame in context.decode(packet)]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, list[Gray]]]:
    """Encoded pictures in a file, and what they are decoded, by codec."""
    folder = tmp_path_factory.mktemp("live555")
    made = {}
    for codec, name in (("h264", "h264"), ("h265", "hevc")):
        units = list(_encoded(codec))
        path = folder / f"clip.{codec}"
        path.write_bytes(b"".join(units))
        made[codec] = (path, _decoded(name, units))
    return made


@contextlib.contextmanager
def _serving(codec: str, clip: Path, *more: str | Path) -> Iterator[int]:
    """Run the server; give its port."""
    with subprocess.Popen([PROGRAM, codec, clip, *more], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _source(
    url: str, login: tuple[str, str] | None = None, *, keys_only: bool = True, ca_file: Path | None = None
) -> Source:
    dialer = Dialer(Doors(allow_loopback=True), CLOCK, 5.0, ca_file=ca_file)
    reader = RtspReader(CLOCK, 5.0, dialer.limits)
    credentials = Credentials(*login) if login else None
    return Waited(RtspSocketSource(parse(url), credentials, dialer, reader, keys_only=keys_only))


def _pictures(source: Source, count: int) -> list[Picture]:
    source.open()
    pictures = source.pictures()
    try:
        return list(itertools.islice(pictures, count))
    finally:
        source.close()
        next(pictures, None)


def _sound(path: Path) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(2 * 8000 * PICTURES // FPS))
    return path


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("keys_only", [True, False])
def test_every_picture_is_the_one_that_was_encoded(
    clips: dict[str, tuple[Path, list[Gray]]], tmp_path: Path, codec: str, keys_only: bool
) -> None:
    """Single NAL units, fragments, several slices; with sound set up by nobody before it; at the server's own time."""
    path, whole = clips[codec]
    with _serving(codec, path, "--wav", _sound(tmp_path / "sound.wav")) as port:
        got = _pictures(_source(f"rtsp://127.0.0.1:{port}/live", keys_only=keys_only), 3 if keys_only else 12)
    assert not any(picture.lost_before for picture in got)
    units = [picture.data for picture in got]
    if keys_only:
        ours = [_decoded(got[0].codec, [unit])[0] for unit in units]
        expected = whole[: KEY_EVERY * len(got) : KEY_EVERY]
    else:
        ours, expected = _decoded(got[0].codec, units), whole[: len(got)]
    assert len(ours) == len(expected)
    for mine, other in zip(ours, expected, strict=True):
        np.testing.assert_array_equal(mine, other)
    told = [picture.source_at_ns for picture in got]
    assert None not in told
    assert all(abs(picture.received_ns - (picture.source_at_ns or 0)) < 2e9 for picture in got)


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_pictures_that_change_their_size_in_mid_stream_go_with_their_own_parameter_sets(
    tmp_path: Path, codec: str
) -> None:
    """The new ones come in band, after a description of the old ones."""
    sizes, path = ((96, 128), (144, 192), (96, 128)), tmp_path / "clip"
    path.write_bytes(b"".join(unit for hw in sizes for unit in _encoded(codec, KEY_EVERY, hw)))
    with _serving(codec, path) as port:
        got = _pictures(_source(f"rtsp://127.0.0.1:{port}/live"), 2)
        more = _pictures(_source(f"rtsp://127.0.0.1:{port}/live"), 3)
    shapes = [_decoded(picture.codec, [picture.data])[0].shape for picture in (*got, *more)]
    assert shapes == [*sizes[:2], *sizes]


@pytest.mark.parametrize("login", [("ops", "p@ss:w/ort %20#?&"), ("wärter", 'a"b\\c:日本')])
def test_a_password_of_any_characters_opens_it_over_tls(
    clips: dict[str, tuple[Path, list[Gray]]], tmp_path: Path, login: tuple[str, str]
) -> None:
    """By Digest; a wrong one is refused and shown nowhere, and a certificate nobody vouches for is not believed."""
    pem = _certificate(tmp_path)
    with _serving("h264", clips["h264"][0], "--user", *login, "--tls", pem) as port:
        url = f"rtsps://127.0.0.1:{port}/live"
        got = _pictures(_source(url, login, ca_file=pem), 2)
        assert [len(_decoded("h264", [picture.data])) for picture in got] == [1, 1]
        with pytest.raises(SourceRefused, match="401") as refused:
            _source(url, (login[0], login[1] + "x"), ca_file=pem).open()
        assert login[1] not in str(refused.value)
        with pytest.raises(SourceAway, match="LAMPLIGHT_TLS_CA_FILE"):
            _source(url, login).open()


def test_a_session_outlives_the_servers_time_out_and_ends_with_the_stream(
    clips: dict[str, tuple[Path, list[Gray]]],
) -> None:
    """Kept alive as this server asks, every second here; its goodbye at the clip's end is told as such."""
    with _serving("h264", clips["h264"][0], "--timeout", "2") as port:
        source = _source(f"rtsp://127.0.0.1:{port}/live")
        source.open()
        began_s = time.monotonic()
        with pytest.raises(SourceAway, match="ended the stream"):
            list(source.pictures())
        assert time.monotonic() - began_s > 2.5


def test_what_is_not_there_is_refused(clips: dict[str, tuple[Path, list[Gray]]]) -> None:
    """With the server's own words."""
    with _serving("h264", clips["h264"][0]) as port, pytest.raises(SourceRefused, match="404"):
        _source(f"rtsp://127.0.0.1:{port}/nothing").open()


def _certificate(folder: Path) -> Path:
    """Return a PEM file with a key and a certificate for 127.0.0.1 that signs itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camera")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "camera.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path
