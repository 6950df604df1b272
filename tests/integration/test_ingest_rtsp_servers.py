"""Our RTSP client against servers of other makes: every picture decodes, and is what libavformat's own client gets."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import av
import numpy as np
import numpy.typing as npt
import pytest
from lamplight.camera.v1 import camera_pb2
from lamplight_demo.cameras import rtsp
from lamplight_demo.media.encode import write_mp4
from lamplight_ingest.adapters.pace import RealTime
from lamplight_ingest.adapters.rtsp_link import Dialer
from lamplight_ingest.adapters.rtsp_sockets import RtspReader, RtspSocketSource
from lamplight_ingest.adapters.secrets import Credentials, Secrets
from lamplight_ingest.adapters.sources import Sources
from lamplight_ingest.adapters.waited import Waited
from lamplight_ingest.doors import Doors, parse
from lamplight_ingest.model import Picture, Source, SourceAway, SourceRefused
from lamplight_ingest.runtime import Runtime
from lamplight_kit.clock import SystemClock

FPS, PICTURES, HW = 20, 20, (144, 192)
SYSTEM_PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("ingest_rtsp_gstreamer_server.py")
Gray = npt.NDArray[np.uint8]
Watch = Callable[..., Source]


@pytest.fixture(scope="module")
def watch() -> Watch:
    """A maker of sources that are waited for."""
    return lambda url, login=None, *, keys_only=True: Waited(_source(url, login, keys_only=keys_only))


def _source(
    url: str, login: tuple[str, str] | None = None, *, keys_only: bool = True, ca_file: Path | None = None
) -> RtspSocketSource:
    clock = SystemClock()
    dialer = Dialer(Doors(allow_loopback=True), clock, 5.0, ca_file=ca_file)
    credentials = Credentials(*login) if login else None
    reader = RtspReader(clock, 5.0, dialer.limits)
    return RtspSocketSource(parse(url), credentials, dialer, reader, keys_only=keys_only)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of noise that brightens; large enough for pictures of many packets."""
    rng = np.random.default_rng(3)
    pictures = (rng.integers(0, 60 + 9 * index, (*HW, 3), np.uint8) for index in range(PICTURES))
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_mp4(pictures, path, fps=FPS, key_every_s=0.25)
    return path


def _pictures(source: Source, count: int) -> list[Picture]:
    source.open()
    pictures = source.pictures()
    try:
        return list(islice(pictures, count))
    finally:
        source.close()
        next(pictures, None)


def _decoded(codec: str, units: list[bytes]) -> list[Gray]:
    """Return the pictures of units that follow each other, in grey."""
    context = av.CodecContext.create(codec, "r")
    packets = [av.Packet(unit) for unit in units]
    return [frame.to_ndarray(format="gray") for packet in [*packets, None] for frame in context.decode(packet)]


def _by_libavformat(url: str, count: int, *, keys_only: bool) -> list[Gray]:
    """Return the first pictures as libavformat's client and FFmpeg's decoder give them."""
    with av.open(url, options={"rtsp_transport": "tcp"}, timeout=10) as camera:
        frames = (frame for frame in camera.decode(video=0) if frame.key_frame or not keys_only)
        return [frame.to_ndarray(format="gray") for frame in islice(frames, count)]


def _assert_the_same(url: str, source: RtspSocketSource, count: int, *, keys_only: bool) -> list[Picture]:
    pictures = _pictures(source, count)
    assert not any(picture.lost_before for picture in pictures)
    assert all(picture.is_key for picture in pictures) or not keys_only
    if keys_only:
        ours = [_decoded(picture.codec, [picture.data])[0] for picture in pictures]
    else:
        ours = _decoded(pictures[0].codec, [picture.data for picture in pictures])
    theirs = _by_libavformat(url, count, keys_only=keys_only)
    assert len(ours) == len(theirs) == count
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, other)
    return pictures


@pytest.mark.parametrize("keys_only", [True, False])
def test_the_demos_cameras_give_the_same_pictures_as_by_libavformat(clip: Path, watch: Watch, keys_only: bool) -> None:
    """Past the clip's end too; with the source's own time, which lies close to receipt."""
    with rtsp.serve(clip) as server:
        url = server.url()
        count = 6 if keys_only else PICTURES + 5
        pictures = _assert_the_same(url, watch(url, keys_only=keys_only), count, keys_only=keys_only)
    told = [picture.source_at_ns for picture in pictures]
    assert None not in told
    assert all(abs(picture.received_ns - (picture.source_at_ns or 0)) < 2e9 for picture in pictures)


class _Three:
    """Is told of one camera, until three pictures have come."""

    def __init__(self) -> None:
        self.pictures: list[Picture] = []
        self.done = threading.Event()

    def opened(self) -> None:
        """Nothing more."""

    def took(self, picture: Picture) -> None:
        """Keep."""
        self.pictures.append(picture)
        if len(self.pictures) == 3:
            self.done.set()


def test_many_streams_are_read_by_one_thread(clip: Path) -> None:
    """Each gives its own whole pictures, and none is lost."""
    clock = SystemClock()
    dialer = Dialer(Doors(allow_loopback=True), clock, 5.0)
    reader = RtspReader(clock, 5.0, dialer.limits)
    runtime = Runtime(clock)
    runtime.start()
    with rtsp.serve(clip) as server:
        told = [_Three() for _ in range(30)]
        for one in told:
            source = RtspSocketSource(parse(server.url()), None, dialer, reader, keys_only=True)
            runtime.spawn(source.watch(one))
        assert all(one.done.wait(20) for one in told)
        ours = [thread for thread in threading.enumerate() if thread.name == runtime.name]
        assert len(ours) == 1
        runtime.stop(5)
    assert all(picture.is_key and not picture.lost_before for one in told for picture in one.pictures)


def test_a_camera_over_tls_is_watched_where_its_certificate_is_trusted(
    clip: Path, watch: Watch, tmp_path: Path
) -> None:
    """And not, with the cure, where it is not."""
    certificate = _certificate(tmp_path)
    with rtsp.serve(clip) as server, _tls_before(server.port, certificate) as port:
        url = f"rtsps://localhost:{port}/live"
        with pytest.raises(SourceAway, match="certificate"):
            watch(url).open()
        source = Waited(_source(url, ca_file=certificate))
        pictures = _pictures(source, 6)
    assert all(len(_decoded("h264", [picture.data])) == 1 for picture in pictures)


@pytest.fixture(scope="module")
def gstreamer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """A maker of GStreamer servers; skipped where there is none."""
    if subprocess.run([SYSTEM_PYTHON, "-c", _PROBE], capture_output=True, check=False).returncode:
        pytest.skip("GStreamer's RTSP server is not installed")
    folder = tmp_path_factory.mktemp("gstreamer")
    running: list[subprocess.Popen[str]] = []

    def start(codec: str = "h264", **config: object) -> str:
        units = folder / f"{codec}.units"
        if not units.exists():
            units.write_bytes(b"".join(struct.pack(">I", len(unit)) + unit for unit in _encoded(codec)))
        usual = {"method": None, "sound": False, "udp": False, "aggregate": False}
        told = {"codec": codec, "units": str(units), "fps": FPS, **usual, **config}
        path = folder / f"{len(running)}.json"
        path.write_text(json.dumps(told))
        process = subprocess.Popen([SYSTEM_PYTHON, SERVER, path], stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        return f"rtsp://127.0.0.1:{int(process.stdout.readline())}/live"

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.gstreamer
@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("keys_only", [True, False])
def test_gstreamers_server_gives_the_same_pictures_as_by_libavformat(
    gstreamer: Callable[..., str], watch: Watch, codec: str, keys_only: bool
) -> None:
    """H.264 and H.265, single and in aggregates, with sound before the video, which is left alone."""
    url = gstreamer(codec, sound=True, aggregate=keys_only)
    count = 5 if keys_only else PICTURES + 5
    pictures = _assert_the_same(url, watch(url, keys_only=keys_only), count, keys_only=keys_only)
    assert {picture.codec for picture in pictures} == {"hevc" if codec == "h265" else "h264"}


@pytest.mark.gstreamer
@pytest.mark.parametrize(
    ("method", "user", "password"),
    [
        ("digest", "ops", "s3cret"),
        ("digest", "wärter", "p@ss:w/ort #?&"),
        ("basic", "ops", "pä:ss@/"),
    ],
)
def test_gstreamers_server_lets_us_in_by_password(
    gstreamer: Callable[..., str], watch: Watch, method: str, user: str, password: str
) -> None:
    """Digest and Basic; a wrong one is refused, and shown nowhere."""
    url = gstreamer(method=method, user=user, password=password)
    pictures = _pictures(watch(url, (user, password)), 3)
    assert all(len(_decoded("h264", [picture.data])) == 1 for picture in pictures)
    with pytest.raises(SourceRefused, match="401") as caught:
        watch(url, (user, password + "x")).open()
    assert password not in str(caught.value)
    assert quote(password) not in str(caught.value)
    with pytest.raises(SourceRefused, match="401"):
        watch(url).open()


@pytest.mark.gstreamer
def test_a_server_that_knows_udp_alone_is_left_to_libavformat(gstreamer: Callable[..., str]) -> None:
    """By itself, and the transport says so."""
    clock = SystemClock()
    sources = Sources(Doors(allow_loopback=True), Secrets(None, {}), clock, lambda: RealTime(clock), 5.0, 1 << 20)
    sampling = camera_pb2.Sampling(pictures=camera_pb2.Sampling.PICTURES_KEYFRAMES, min_gap_s=0.1)
    source = sources.of(camera_pb2.Camera(id="quay", source=gstreamer(udp=True), sampling=sampling))
    source.open()
    pictures = source.pictures()
    assert source.transport == "rtsp-libav-udp"
    assert len(_decoded("h264", [next(pictures).data])) == 1
    source.close()
    next(pictures, None)


_PROBE = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


def _encoded(codec: str) -> Iterator[bytes]:
    """Yield encoded pictures of noise, a key one every five."""
    name = "libx264" if codec == "h264" else "libx265"
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.height, context.width = HW
    context.pix_fmt = "yuv420p"
    context.framerate, context.time_base = Fraction(FPS), Fraction(1, FPS)
    context.options = {
        "preset": "ultrafast",
        "x264-params": "keyint=5:min-keyint=5:scenecut=0:bframes=0:repeat-headers=1:aud=1:threads=1",
        "x265-params": "keyint=5:min-keyint=5:scenecut=0:bframes=0:repeat-headers=1:aud=1:log-level=none:pools=none",
    }
    rng = np.random.default_rng(4)
    for index in range(PICTURES):
        picture = rng.integers(0, 60 + 9 * index, (*HW, 3), np.uint8)
        yield from map(bytes, context.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
    yield from map(bytes, context.encode(None))


def _certificate(folder: Path) -> Path:
    """Return a PEM file with a key and a certificate for localhost that proves itself."""
    path = folder / "camera.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, "-keyout", path, "-out", folder / "c.pem"], check=True, capture_output=True)
    path.write_text(path.read_text() + (folder / "c.pem").read_text())
    return path


@contextlib.contextmanager
def _tls_before(port: int, certificate: Path) -> Iterator[int]:
    """Speak TLS on a port of its own and pass on to `port`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))
    opened: queue.SimpleQueue[socket.socket] = queue.SimpleQueue()

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = listener.accept()
                opened.put(plain)
                with contextlib.suppress(OSError):
                    outer = context.wrap_socket(plain, server_side=True)
                    inner = socket.create_connection(("127.0.0.1", port))
                    opened.put(outer)
                    opened.put(inner)
                    for ends in ((outer, inner), (inner, outer)):
                        threading.Thread(target=pump, args=ends, daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)
    while not opened.empty():
        connection = opened.get()
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()
