"""Closed doors: no source of any kind reaches an address that was not checked, whatever DNS, servers and links say."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ingest_media as media
import pytest
from lamplight.camera.v1 import camera_pb2
from lamplight_ingest import doors as addresses
from lamplight_ingest.adapters.disk import open_file
from lamplight_ingest.adapters.folder import FolderSource
from lamplight_ingest.adapters.pace import AsFastAsItGoes, RealTime
from lamplight_ingest.adapters.rtsp import RtspSource, RtspUdpSource
from lamplight_ingest.adapters.secrets import Secrets
from lamplight_ingest.adapters.sources import Sources
from lamplight_ingest.adapters.waited import Waited
from lamplight_ingest.bootstrap import probe
from lamplight_ingest.doors import Doors
from lamplight_ingest.model import SourceAway, SourceError, SourceRefused
from lamplight_ingest.rtsp.relayed import MAX_HEAD_BYTES, Heard, Unfit
from lamplight_kit.clock import SystemClock

CLOCK = SystemClock()
OPEN_IP, CLOSED_IP = "127.0.0.2", "127.0.0.3"
NAME = "camera.example"
ONE_OPEN = Doors(networks=(ipaddress.ip_network(f"{OPEN_IP}/32"),))


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe",
        "::ffff:0:a9fe:a9fe", "64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:a9:fe:a9fe::", "2001:0:a9fe:a9fe::1",
        "2002:a9fe:a9fe::", "2002:a9fe:a9fe::1",
        "::a9fe:a9fe", "fe80::5efe:a9fe:a9fe", "2001:db8::200:5efe:a9fe:a9fe", "fd00:ec2::254",
        "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42", "fec0::1",
        "2001:0:a9fe:a9fe:0:0:0:0", "168.63.129.16", "192.0.0.192", "100.100.100.200", "0.1.2.3", "::",
        "224.0.0.1", "ff02::1", "::ffff:224.0.0.1", "255.255.255.255", "240.0.0.1", "fe80::1%eth0",
    ],
)  # fmt: skip
def test_no_setting_opens_addresses_that_are_no_cameras(host: str) -> None:
    """However they are written: link-local, metadata, multicast, unspecified, reserved."""
    everything = tuple(ipaddress.ip_network(text) for text in ("0.0.0.0/0", "::/0"))
    assert Doors(allow_loopback=True).why_host_closed(host)
    assert Doors(allow_loopback=True, networks=everything).why_host_closed(host)


@pytest.mark.parametrize(
    "host", ["::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::1", "127.9.9.9", "::7f00:1"]
)
def test_this_machine_is_opened_by_a_setting_alone(host: str) -> None:
    """In every form."""
    assert Doors().why_host_closed(host)
    assert Doors(allow_loopback=True).why_host_closed(host) is None


def test_networks_that_are_listed_are_the_only_ones() -> None:
    """Mapped forms count as what they mean; loopback goes by its own setting, or by its own network."""
    listed = Doors(networks=(ipaddress.ip_network("10.20.0.0/16"), ipaddress.ip_network("2001:db8:1::/48")))
    opened = [ip for ip in ("10.20.3.4", "::ffff:10.20.3.4", "2001:db8:1::5") if listed.why_host_closed(ip) is None]
    assert opened == ["10.20.3.4", "::ffff:10.20.3.4", "2001:db8:1::5"]
    assert "LAMPLIGHT_ALLOWED_NETWORKS" in str(listed.why_host_closed("10.21.0.1"))
    assert listed.why_host_closed("127.0.0.1")
    assert Doors(allow_loopback=True, networks=listed.networks).why_host_closed("127.0.0.1") is None
    assert ONE_OPEN.why_host_closed(OPEN_IP) is None
    assert ONE_OPEN.why_host_closed(CLOSED_IP)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "017700000001", "127.1", "0x7f000001"])
def test_odd_forms_of_an_address_are_checked_as_what_they_reach(host: str) -> None:
    """The resolver takes them for this machine, and so do we."""
    with pytest.raises(SourceRefused, match="this machine"):
        next(source(f"http://{host}:9/now.jpg", Doors()).pictures())


@dataclass
class Listener:
    """Counts who connects, and answers each with `answer`."""

    ip: str
    port: int = 0
    answer: Callable[[bytes], bytes] = lambda _asked: b""
    asked: list[bytes] = field(default_factory=list)
    connected: int = 0


@contextlib.contextmanager
def listening(ip: str, port: int = 0, answer: Callable[[bytes], bytes] = lambda _: b"") -> Iterator[Listener]:
    """Listen until the block ends."""
    made, stopping = Listener(ip, port, answer), threading.Event()
    with socket.create_server((ip, port)) as server:
        made.port = server.getsockname()[1]
        server.settimeout(0.05)

        def serve() -> None:
            while not stopping.is_set():
                with contextlib.suppress(OSError):
                    connection, _ = server.accept()
                    made.connected += 1
                    with connection:
                        connection.settimeout(1)
                        while asked := connection.recv(65536):
                            made.asked.append(asked)
                            connection.sendall(made.answer(asked))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield made
        stopping.set()
        thread.join(10)


@pytest.fixture
def rebinding(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A resolver that tells the open address first, and the closed one whenever it is asked again in the same breath.

    The list holds what it told of `NAME`, and is emptied by a test for a fresh start.
    """
    told: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host != NAME:
            return real(host, port, *rest, **more)
        told.append(CLOSED_IP if told else OPEN_IP)
        return real(told[-1], port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return told


def sources(doors: Doors, timeout_s: float = 1.0) -> Sources:
    """Return what makes sources behind these doors."""
    return Sources(
        doors=doors,
        secrets=Secrets(None, {}),
        clock=CLOCK,
        pace=lambda: RealTime(CLOCK),
        timeout_s=timeout_s,
        max_picture_bytes=10_000,
    )


def source(url: str, doors: Doors, timeout_s: float = 1.0) -> Any:
    """Return the source that a camera of this address has, for a caller that waits."""
    return sources(doors, timeout_s).of(camera_pb2.Camera(id="quay", source=url))


def read(found: Any) -> None:
    """Open a source and take all that it gives."""
    found.open()
    list(found.pictures())


def _libavformat(kind: type[RtspSource]) -> Callable[[str], Any]:
    def make(url: str) -> Any:
        return kind(addresses.parse(url), None, ONE_OPEN, CLOCK, keys_only=True, timeout_s=1.0, max_bytes=10_000)

    return make


def _ours(url: str) -> Any:
    return source(url, ONE_OPEN)


def _live(url: str) -> Any:
    """Return the source as a worker watches it."""
    return Waited(sources(ONE_OPEN).live(camera_pb2.Camera(id="quay", source=url)))


@pytest.mark.parametrize(
    ("scheme", "make"),
    [
        ("http", _ours),
        ("http", _live),
        ("rtsp", _live),
        ("rtsp", _libavformat(RtspSource)),
        ("rtsp", _libavformat(RtspUdpSource)),
    ],
    ids=["http", "http-live", "rtsp", "libavformat-tcp", "libavformat-udp"],
)
def test_a_name_that_changes_its_address_leads_nowhere(
    scheme: str, make: Callable[[str], Any], rebinding: list[str]
) -> None:
    """What is connected to is what was checked; asked again, the name's new address is found closed."""
    with listening(OPEN_IP) as camera, listening(CLOSED_IP, camera.port) as inside:
        url = f"{scheme}://{NAME}:{camera.port}/x"
        for _ in range(2):
            with contextlib.suppress(SourceError):
                read(make(url))
        assert camera.connected == 1
        assert inside.connected == 0
        assert CLOSED_IP in rebinding


@pytest.mark.parametrize(
    "asked",
    [
        lambda port: f"http://{OPEN_IP}:{port}/live.m3u8",
        lambda port: f"http://{OPEN_IP}:{port}/moved.jpg",
        lambda port: f"http://{NAME}:{port}/live.m3u8",
        lambda port: f"onvif://{NAME}:{port}",
    ],
    ids=["segment", "redirect", "playlist", "onvif"],
)
def test_what_a_server_names_is_checked_where_it_is_connected_to(
    asked: Callable[[int], str], rebinding: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments, redirects and devices, by the command that looks at them, though the name changes its address."""
    monkeypatch.setenv("LAMPLIGHT_ALLOWED_NETWORKS", f"{OPEN_IP}/32")
    monkeypatch.setenv("LAMPLIGHT_SOURCE_TIMEOUT_S", "1")
    rebinding.append(OPEN_IP) if NAME not in asked(0) else None  # its first answer is spent: it is closed by now
    with listening(CLOSED_IP) as inside:

        def answer(request: bytes) -> bytes:
            place = f"http://{NAME}:{inside.port}/x"
            if b"moved.jpg" in request:
                return f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode()
            text = f"#EXTM3U\n#EXTINF:1,\n{place}\n"
            return f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()

        with listening(OPEN_IP, answer=answer) as camera:
            report = probe(asked(camera.port), for_s=2).report
        assert camera.connected == 1
        assert report.error
        assert inside.connected == 0


def test_a_name_with_one_closed_address_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever among its addresses it stands."""
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host != NAME:
            return real(host, port, *rest, **more)
        return [*real(OPEN_IP, port, *rest, **more), *real("169.254.169.254", port, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with listening(OPEN_IP) as camera:
        for scheme in ("http", "rtsp"):
            with pytest.raises(SourceRefused, match="metadata"):
                read(source(f"{scheme}://{NAME}:{camera.port}/x", ONE_OPEN))
        assert camera.connected == 0


@pytest.mark.parametrize("kind", [RtspSource, RtspUdpSource])
def test_libavformat_follows_no_redirect(kind: type[RtspSource]) -> None:
    """It would, unasked; the relay tells what the server tried, and the other server is never reached."""
    with listening(CLOSED_IP) as inside:
        place = f"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: rtsp://{CLOSED_IP}:{inside.port}/x\r\n\r\n"
        with listening(OPEN_IP, answer=lambda _: place.encode()) as camera:
            found = _libavformat(kind)(f"rtsp://{OPEN_IP}:{camera.port}/x")
            with pytest.raises(SourceRefused, match="redirect"):
                found.open()
        assert camera.connected == 1
        assert inside.connected == 0


def test_what_libavformat_hears_keeps_its_udp_with_the_server() -> None:
    """However the bytes fall: a source told by the server is replaced, interleaved data goes through untouched."""
    setup = (
        b"RTSP/1.0 200 OK\r\nTransport: RTP/AVP;unicast;source=10.0.0.1;server_port=5-6;destination=10.0.0.9\r\n\r\n"
    )
    data = b"$\x00\x00\x05RTSP/"
    body = b"RTSP/1.0 200 OK\r\nContent-Length: 6\r\n\r\n$\x00\xff\xffab"
    expected = b"RTSP/1.0 200 OK\r\nTransport: RTP/AVP;unicast;server_port=5-6;source=192.0.2.7\r\n\r\n" + data + body
    for size in (1, 7, 1000):
        heard, whole = Heard("192.0.2.7"), setup + data + body
        assert b"".join(heard.feed(whole[at : at + size]) for at in range(0, len(whole), size)) == expected
    for bad in (b"RTSP/1.0 301 x\r\n\r\n", b"REDIRECT rtsp://h RTSP/1.0\r\n\r\n", b"x" * (MAX_HEAD_BYTES + 1)):
        with pytest.raises(Unfit):
            Heard("192.0.2.7").feed(bad)


def test_files_behind_links_are_where_the_links_lead(tmp_path: Path) -> None:
    """A link out of the allowed folders is closed, one within is open; a folder's pictures are looked at one by one."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(media.jpeg(b"secret"))
    (inside / "a.jpg").write_bytes(media.jpeg(b"own"))
    (inside / "b.jpg").symlink_to(outside / "secret.jpg")
    (inside / "c.jpg").symlink_to(inside / "a.jpg")
    (inside / "way-out").symlink_to(outside)
    doors = Doors(roots=(inside,))
    found = FolderSource(inside, AsFastAsItGoes(0), doors, max_bytes=1000)
    found.open()
    assert [picture.data for picture in found.pictures()] == [media.jpeg(b"own")] * 2
    for path in (inside / "b.jpg", inside / "way-out" / "secret.jpg", inside / ".." / "outside" / "secret.jpg"):
        with pytest.raises(SourceRefused, match="outside the allowed folders"):
            source(str(path), doors)
        with pytest.raises(SourceRefused, match="outside the allowed folders"):
            open_file(path, doors)
    os.mkfifo(inside / "pipe.jpg")
    with pytest.raises(SourceRefused, match="no ordinary file"):
        open_file(inside / "pipe.jpg", doors)
    with pytest.raises(SourceAway, match="none"):
        open_file(inside / "none.jpg", doors)
