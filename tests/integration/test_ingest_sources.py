"""Ingest's own readers against the cameras of the demo: RTSP and snapshots over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight_demo.cameras import http, rtsp
from lamplight_demo.media.encode import jpeg, write_mp4
from lamplight_ingest.adapters.pace import RealTime
from lamplight_ingest.adapters.secrets import Secrets
from lamplight_ingest.adapters.sources import Sources
from lamplight_ingest.doors import Doors
from lamplight_ingest.life import State
from lamplight_ingest.plan import plan_of
from lamplight_ingest.watch import Watch
from lamplight_kit.clock import SystemClock

PASSWORD = "pass-word-never-shown"
FPS = 20
CLOCK = SystemClock()
ALL = camera_pb2.Sampling(pictures=camera_pb2.Sampling.PICTURES_ALL)
KEYS = camera_pb2.Sampling(pictures=camera_pb2.Sampling.PICTURES_KEYFRAMES, min_gap_s=0.1)


def sources(timeout_s: float = 2.0, max_picture_bytes: int = 1 << 20, ca_file: Path | None = None) -> Sources:
    """Return what makes sources, with loopback open and a secret for the locked camera."""
    return Sources(
        doors=Doors(allow_loopback=True),
        secrets=Secrets(None, {"LAMPLIGHT_SECRET_LOCKED": f"root:{PASSWORD}"}),
        clock=CLOCK,
        pace=lambda: RealTime(CLOCK),
        timeout_s=timeout_s,
        max_picture_bytes=max_picture_bytes,
        ca_file=ca_file,
    )


def watched(
    source: str,
    count: int,
    sampling: camera_pb2.Sampling = ALL,
    secret: str = "",
    made: Sources | None = None,
) -> tuple[list[frame_pb2.Frame], Watch]:
    """Return the first frames of a camera, or fewer where it fails, and its watch."""
    camera = camera_pb2.Camera(id="quay", source=source, sampling=sampling, credentials_secret=secret)
    watch = Watch("quay", 1, plan_of(sampling), CLOCK)
    chosen = made or sources()
    with contextlib.closing(watch.frames(lambda: chosen.of(camera))) as frames:
        return list(itertools.islice(frames, count)), watch


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of video with a keyframe every half second."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_mp4((np.full((48, 64, 3), 40 + 8 * i, np.uint8) for i in range(FPS)), path, fps=FPS, key_every_s=0.5)
    return path


@pytest.fixture(scope="module")
def server(clip: Path) -> Iterator[rtsp.RtspServer]:
    """The demo's RTSP server."""
    with rtsp.serve(clip) as running:
        yield running


def test_rtsp_gives_every_picture_with_the_sources_time(server: rtsp.RtspServer) -> None:
    """Its sender reports tell when each was taken; key units carry parameter sets; nothing is missing."""
    frames, watch = watched(server.url(), FPS)
    assert (watch.life.state, watch.transport) == (State.LIVE, "rtsp")
    assert [frame.is_key for frame in frames] == [index % (FPS // 2) == 0 for index in range(FPS)]
    assert not any(frame.at_is_receipt for frame in frames[1:])
    gaps_s = np.diff([frame.at_ns for frame in frames[1:]]) / 1e9
    assert gaps_s == pytest.approx(1 / FPS, abs=0.01)
    assert abs(frames[-1].at_ns / 1e9 - time.time()) < 2
    decoder = av.CodecContext.create("h264", "r")
    assert len(decoder.decode(av.Packet(frames[0].data)) + decoder.decode(None)) == 1


def test_rtsp_at_keyframes_gives_nothing_else(server: rtsp.RtspServer) -> None:
    """And measures how often they come."""
    frames, watch = watched(server.url(), 4, KEYS)
    assert [(frame.is_key, frame.examine) for frame in frames] == [(True, True)] * 4
    assert watch.keyframe_interval_s == pytest.approx(0.5, abs=0.1)


def test_rtsp_says_why_it_gives_nothing(server: rtsp.RtspServer) -> None:
    """Not found is refused, nobody there is gone; neither tells a password."""
    _, missing = watched(server.url() + "-not-there", 1, secret="locked")
    assert missing.life.state is State.REFUSED
    assert "404" in missing.life.reason
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    _, nobody = watched(f"rtsp://127.0.0.1:{port}/x", 1, secret="locked")
    assert nobody.life.state is State.GONE
    assert PASSWORD not in missing.life.reason + nobody.life.reason


@contextlib.contextmanager
def lying(answer: bytes) -> Iterator[str]:
    """Serve an RTSP address that takes every request and says `answer`, or nothing, for ever."""
    stopping = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.05)

    def serve() -> None:
        while not stopping.is_set():
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(0.05)
                    while not stopping.is_set():
                        with contextlib.suppress(TimeoutError):
                            if not connection.recv(4096):
                                break
                        if answer:
                            connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"rtsp://127.0.0.1:{server.getsockname()[1]}/x"
    finally:
        stopping.set()
        thread.join(10)
        server.close()


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.0 200 OK\r\n\r\n", b"RTSP/1.0 200 OK\r\nX: " + b"y" * 60_000, b"\x00" * 50_000, b"$\x00\xff\xff"],
    ids=["silence", "http", "endless-header", "zeros", "interleaved"],
)
def test_an_rtsp_server_that_lies_costs_a_bounded_wait(answer: bytes) -> None:
    """Whatever it says, the camera is away or refused within a few time-outs."""
    with lying(answer) as url:
        began_s = time.monotonic()
        frames, watch = watched(url, 1, made=sources(timeout_s=0.7))
        assert frames == []
        assert watch.life.state in (State.GONE, State.REFUSED)
        assert time.monotonic() - began_s < 8


def test_a_picture_past_the_bound_is_never_sent_on(server: rtsp.RtspServer) -> None:
    """The stream goes on, its keyframes do not."""
    small, _ = watched(server.url(), 1, KEYS)
    bound = len(small[0].data) - 1
    camera = camera_pb2.Camera(id="quay", source=server.url(), sampling=KEYS)
    watch, made = Watch("quay", 1, plan_of(KEYS), CLOCK), sources(max_picture_bytes=bound)
    ended = threading.Event()

    def read() -> None:
        for frame in watch.frames(lambda: made.of(camera)):
            assert len(frame.data) <= bound
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    assert not ended.wait(2)
    watch.close()
    assert ended.wait(10)


def test_snapshots_tell_the_same_picture_from_a_new_one() -> None:
    """The demo's server answers 304 where nothing is new."""
    grey, black = (jpeg(np.full((32, 32, 3), shade, np.uint8)) for shade in (90, 0))
    steps = (http.Step(grey, 2.0), http.Step(black, 9))
    sampling = camera_pb2.Sampling(pictures=camera_pb2.Sampling.PICTURES_ALL, min_gap_s=0.2)
    with http.serve({"quay": http.Script(steps)}) as server:
        frames, watch = watched(server.url(), 16, sampling)
    assert watch.transport == "http-snapshot"
    assert not frames[0].same_as_before
    assert frames[1].same_as_before
    news = [index for index, frame in enumerate(frames) if not frame.same_as_before]
    assert len(news) == 2
    assert frames[news[1]].data != frames[0].data
    assert {frame.codec for frame in frames} == {"mjpeg"}
    assert all(frame.examine and frame.is_key for frame in frames)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camera")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    path = tmp_path_factory.mktemp("tls") / "camera.pem"
    path.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return path


@contextlib.contextmanager
def behind_tls(port: int, certificate: Path) -> Iterator[int]:
    """Put TLS before a server on loopback; give the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.new_event_loop()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    starting = asyncio.start_server(join, "127.0.0.1", 0, ssl=context)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result(10)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def test_rtsp_over_tls_is_read_where_its_authority_is_known(server: rtsp.RtspServer, certificate: Path) -> None:
    """And refused to be believed where it is not, with the cure."""
    with behind_tls(server.port, certificate) as port:
        url = f"rtsps://127.0.0.1:{port}/live"
        frames, _ = watched(url, 3, made=sources(ca_file=certificate))
        assert len(frames) == 3
        unknown, watch = watched(url, 1)
    assert unknown == []
    assert watch.life.state is State.GONE
    assert "LAMPLIGHT_TLS_CA_FILE" in watch.life.reason


def test_https_is_read_where_its_authority_is_known(certificate: Path) -> None:
    """As RTSP over TLS."""
    script = http.Script((http.Step(jpeg(np.zeros((32, 32, 3), np.uint8)), 5),))
    with http.serve({"quay": script}) as plain, behind_tls(plain.port, certificate) as port:
        url = f"https://127.0.0.1:{port}/quay.jpg"
        frames, _ = watched(url, 1, made=sources(ca_file=certificate))
        assert len(frames) == 1
        unknown, watch = watched(url, 1)
    assert unknown == []
    assert "CERTIFICATE_VERIFY_FAILED" in watch.life.reason
