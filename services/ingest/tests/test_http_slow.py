"""HTTP servers that never come to an end: each costs a bounded wait, ends when it is let go, and starves nobody."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpcore
import ingest_media as media
import pytest
from lamplight_ingest.adapters import http_async, http_hosts, http_live
from lamplight_ingest.adapters.http import HttpSource
from lamplight_ingest.adapters.http_async import AsyncHosts
from lamplight_ingest.adapters.http_exchange import MOST_BYTES_BEFORE
from lamplight_ingest.adapters.http_hosts import HttpHosts
from lamplight_ingest.adapters.http_live import HttpLive
from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.adapters.threads import InThread, Threads
from lamplight_ingest.bootstrap import probe
from lamplight_ingest.doors import Doors, parse
from lamplight_ingest.model import Picture, SourceAway, SourceSilent
from lamplight_kit.clock import SystemClock

OPEN = Doors(allow_loopback=True)
SOON_S = 2.0
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: 9000\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"


@dataclass
class Server:
    """Answers each request by `answer`, which is told the path; counts who is being answered."""

    answer: Callable[[socket.socket, str], None]
    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    now: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, connection: socket.socket) -> None:
        """Answer one connection's requests until it ends."""
        with connection, contextlib.suppress(OSError):
            while request := connection.recv(65536):
                path = request.split(b" ", 2)[1].decode()
                with self.lock:
                    self.asked[path] += 1
                    self.now += 1
                if self.now > self.most:
                    time.sleep(0.2)  # within which the end of a connection that was let go before is seen here
                    with self.lock:
                        self.most = max(self.most, self.now)
                try:
                    self.answer(connection, path)
                finally:
                    with self.lock:
                        self.now -= 1


@contextlib.contextmanager
def serving(answer: Callable[[socket.socket, str], None]) -> Iterator[Server]:
    """Serve on loopback until the block ends."""
    made = Server(answer)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=made.serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)


def trickle(connection: socket.socket, data: bytes = b"") -> None:
    """Send `data`, and then a byte now and then, for as long as anybody listens."""
    connection.sendall(data)
    connection.settimeout(0.05)
    while True:
        connection.sendall(b"x")
        with contextlib.suppress(TimeoutError):
            if not connection.recv(1):
                return


def endless_head(connection: socket.socket, _path: str) -> None:
    """Send a head that never ends."""
    trickle(connection, b"HTTP/1.1 200 OK\r\nX-Long: ")


def endless_playlist(connection: socket.socket, _path: str) -> None:
    """Send a playlist that never ends."""
    trickle(connection, HEAD % b"application/vnd.apple.mpegurl")


def endless_chunk(connection: socket.socket, _path: str) -> None:
    """Send a chunk's size that never ends: no byte of a body ever comes of it."""
    trickle(connection, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;")


def until(is_so: Callable[[], bool], within_s: float) -> None:
    """Wait for something to be so."""
    until_s = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < until_s, "it did not come to be in time"
        threading.Event().wait(0.01)


def is_reading() -> bool:
    """Tell whether a thread waits for a server's bytes."""
    return any(
        frame.f_code.co_name == "read" and frame.f_code.co_filename == httpcore._backends.sync.__file__
        for frame in sys._current_frames().values()
    )


class Taker:
    """Counts what a source gives."""

    def __init__(self) -> None:
        """Count from none."""
        self.pictures = 0

    def opened(self) -> None:
        """Take note of nothing."""

    def took(self, picture: Picture) -> None:
        """Count."""
        self.pictures += bool(picture.data)


def waiting(server: Server, path: str, hosts: HttpHosts) -> HttpSource:
    """Return a source that waits."""
    return HttpSource(parse(server.url + path), None, hosts, SystemClock(), gap_s=0.0, max_bytes=10_000)


@pytest.mark.parametrize("answer", [endless_head, endless_playlist, endless_chunk])
def test_a_camera_that_is_removed_leaves_nothing_behind(answer: Callable[[socket.socket, str], None]) -> None:
    """Its connection, its thread and its place at the host are free at once, whatever its server still sends."""
    hosts, threads = HttpHosts(OPEN, 30.0), Threads()
    with serving(answer) as server:

        async def removed() -> None:
            source = InThread(waiting(server, "/live.m3u8", hosts), threads)
            watching = asyncio.create_task(source.watch(Taker()))
            await asyncio.to_thread(until, lambda: server.now == 1, 5.0)
            await asyncio.to_thread(until, is_reading, 5.0)
            watching.cancel()
            await asyncio.wait([watching])

        asyncio.run(removed())
        until(lambda: threads.count == 0 and server.now == 0, SOON_S)
        host = hosts.of(("http", "127.0.0.1", parse(server.url).port))
        with host.turn(0.1, threading.Event()):
            pass


@pytest.mark.parametrize("answer", [endless_head, endless_playlist, endless_chunk])
def test_a_whole_answer_has_its_time(answer: Callable[[socket.socket, str], None]) -> None:
    """However often a byte comes, and whatever it is of."""
    with serving(answer) as server:
        began_s = time.monotonic()
        with pytest.raises(SourceAway, match=r"no whole answer within 0\.9 s"):
            next(waiting(server, "/now.jpg", HttpHosts(OPEN, 0.3)).pictures())
        assert 0.8 < time.monotonic() - began_s < 0.9 + SOON_S


def test_a_refusal_without_end_is_bounded() -> None:
    """What comes before the answer itself is not kept: its bytes have a bound."""

    def flood(connection: socket.socket, _path: str) -> None:
        connection.sendall(b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 99999999\r\n\r\n')
        connection.sendall(bytes(4 * MOST_BYTES_BEFORE))
        trickle(connection)

    with serving(flood) as server:
        source = HttpSource(
            parse(server.url + "/a"), Credentials("u", "p"), HttpHosts(OPEN, 9.0), SystemClock(), gap_s=0, max_bytes=99
        )
        with pytest.raises(SourceAway, match="bytes before a picture"):
            next(source.pictures())


@pytest.mark.parametrize("path", ["/now.jpg", "/live.m3u8", "/onvif/device_service"])
def test_a_probe_of_an_endless_answer_tells_so_in_time(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture, a stream and a device: the report says that nothing whole came, and after how long."""
    monkeypatch.setenv("LAMPLIGHT_SOURCE_TIMEOUT_S", "0.5")
    with serving(endless_head) as server:
        began_s = time.monotonic()
        found = probe(server.url + path, for_s=1.0, allow_loopback=True)
        assert time.monotonic() - began_s < 1.5 + SOON_S
        assert "no whole answer" in str(found.report.error)
        until(lambda: server.now == 0, SOON_S)


def live(url: str, hosts: AsyncHosts, gap_s: float) -> HttpLive:
    """Return a source on the loop."""
    return HttpLive(
        parse(url),
        None,
        hosts,
        SystemClock(),
        gap_s=gap_s,
        max_bytes=10_000,
        by_hls=lambda: pytest.fail("no HLS here"),
    )


@pytest.mark.parametrize("size", [200, 9000])
def test_a_stream_as_fast_as_it_can_be_sent_has_a_part_of_a_core(size: int) -> None:
    """It is left alone for many times what it took; what is sent too fast waits at its sender."""
    picture = media.jpeg(bytes(size))
    many = b"--cam\r\n\r\n%s\r\n" % picture * max(1, 100_000 // size)

    def flood(connection: socket.socket, _path: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=cam\r\n\r\n")
        while True:
            connection.sendall(many)

    async def watched(url: str, taker: Taker) -> None:
        hosts = AsyncHosts(OPEN, 5.0)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(live(url, hosts, 0.0).watch(taker), 2.0)
        await hosts.close()

    with serving(flood) as server:
        taker, busy_s, began_s = Taker(), time.thread_time(), time.monotonic()
        asyncio.run(watched(server.url + "/live", taker))
        share = (time.thread_time() - busy_s) / (time.monotonic() - began_s)
    assert taker.pictures > 10
    assert share < 0.2


def test_playlists_that_trickle_keep_no_other_camera_of_their_host_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source that waits: they have a place of their own, and never more than one at a time has it."""
    monkeypatch.setattr(http_hosts, "SLOW_S", 0.3)

    def answer(connection: socket.socket, path: str) -> None:
        if path == "/good.jpg":
            connection.sendall(WHOLE % (len(media.jpeg()), media.jpeg()))
        else:
            endless_playlist(connection, path)

    hosts, came = HttpHosts(OPEN, 10.0), Counter[str]()
    with serving(answer) as server:
        slow = waiting(server, "/slow.m3u8", hosts)
        good = waiting(server, "/good.jpg", hosts)

        def read(name: str, source: HttpSource) -> None:
            with contextlib.suppress(SourceAway):
                for _ in source.pictures():
                    came[name] += 1

        threads = [threading.Thread(target=read, args=("slow", slow))]
        threads[0].start()
        until(lambda: server.now == 1, 5.0)
        threads.append(threading.Thread(target=read, args=("good", good)))
        threads[1].start()
        until(lambda: came["good"] > 10, 5.0)
        assert server.most == 2
        slow.close()
        threads[0].join(5)
        again = waiting(server, "/slow.m3u8", hosts)
        threads[0] = threading.Thread(target=read, args=("slow", again))
        threads[0].start()
        until(lambda: server.asked["/slow.m3u8"] == 2, 5.0)
        before = came["good"]
        until(lambda: came["good"] > before + 10, SOON_S)
        for source in (again, good):
            source.close()
        for thread in threads:
            thread.join(5)


def test_a_stream_that_babbles_without_a_picture_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often a byte comes."""
    monkeypatch.setattr(http_live, "BABBLE_S", 0.3)

    async def watched(url: str) -> None:
        hosts = AsyncHosts(OPEN, 5.0)
        try:
            await asyncio.wait_for(live(url, hosts, 0.0).watch(Taker()), 5.0)
        finally:
            await hosts.close()

    head = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=cam\r\n\r\n--cam\r\n\r\n\xff\xd8"
    stream = serving(lambda connection, _: trickle(connection, head))
    with stream as server, pytest.raises(SourceSilent, match="no whole picture of a stream"):
        asyncio.run(watched(server.url + "/live"))


def test_slow_pictures_keep_no_other_camera_of_their_host_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """They wait for each other, at a place of their own; never are more than that and the usual one asked for."""
    monkeypatch.setattr(http_async, "SLOW_S", 0.3)

    def answer(connection: socket.socket, path: str) -> None:
        if path == "/good.jpg":
            connection.sendall(WHOLE % (len(media.jpeg()), media.jpeg()))
        else:
            trickle(connection, HEAD % b"image/jpeg")

    async def watched(server: Server, taker: Taker) -> None:
        hosts = AsyncHosts(OPEN, 10.0)

        async def again(path: str, to: Taker) -> None:
            while True:
                with contextlib.suppress(SourceAway):
                    await live(server.url + path, hosts, 0.1).watch(to)
                await asyncio.sleep(0.1)  # a camera's gap between two pictures

        slow = [asyncio.create_task(again(f"/slow{number}.jpg", Taker())) for number in range(3)]
        await asyncio.to_thread(until, lambda: server.now > 0, 5.0)  # a slow one has the place
        good = asyncio.create_task(again("/good.jpg", taker))
        await asyncio.wait([good], timeout=3.0)
        for task in (good, *slow):
            task.cancel()
        await asyncio.wait([good, *slow])
        await hosts.close()

    with serving(answer) as server:
        taker = Taker()
        asyncio.run(watched(server, taker))
        assert taker.pictures > 10
        assert server.most <= 2
        assert all(server.asked[f"/slow{number}.jpg"] <= 2 for number in range(3))
