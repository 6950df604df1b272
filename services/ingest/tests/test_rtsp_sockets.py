"""Over real sockets: servers that die, fall silent, send elsewhere or lie cost their own camera, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator

import pytest
import structlog
from lamplight_ingest.adapters import rtsp_sockets
from lamplight_ingest.adapters.rtsp_either import RtspEither
from lamplight_ingest.adapters.rtsp_link import Dialer
from lamplight_ingest.adapters.rtsp_sockets import RtspReader, RtspSocketSource, SourceOdd
from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.adapters.threads import InThread, Threads
from lamplight_ingest.doors import Doors, parse
from lamplight_ingest.model import LiveSource, Picture, SourceAway, SourceError, SourceRefused, SourceSilent
from lamplight_ingest.rtsp.events import Limits
from lamplight_kit.clock import SystemClock
from rtsp_server import Script, Viewer, server
from rtsp_wire import PPS, SPS, annex_b, answer, description, framed, packets, rtp

TIMEOUT_S = 0.6
KEY, PLAIN = b"\x65\x88" + b"k" * 3000, b"\x41\x9a" + b"p" * 300
CLOCK = SystemClock()


@pytest.fixture
def reader() -> RtspReader:
    """A reader that loses patience soon."""
    return RtspReader(CLOCK, TIMEOUT_S, Limits())


def source(port: int, reader: RtspReader, *, keys_only: bool = True, doors: Doors | None = None) -> RtspSocketSource:
    """Return a source at `port` of this machine."""
    dialer = Dialer(doors or Doors(allow_loopback=True), CLOCK, TIMEOUT_S, Limits(reply_s=TIMEOUT_S))
    address = parse(f"rtsp://127.0.0.1:{port}/live")
    return RtspSocketSource(address, Credentials("ops", "never-shown"), dialer, reader, keys_only=keys_only)


Test = Callable[..., Coroutine[object, object, None]]


def in_loop(test: Test) -> Callable[..., None]:
    """Run a coroutine test on a loop of its own."""

    @functools.wraps(test)
    def run(*args: object, **named: object) -> None:
        asyncio.run(test(*args, **named))

    return run


async def until(find: Callable[[], bool], within_s: float = 10.0) -> None:
    """Wait for something to be so."""
    end_s = time.monotonic() + within_s
    while not find():
        assert time.monotonic() < end_s
        await asyncio.sleep(0.01)


class Got:
    """What a source told; `enough` pictures end the watching."""

    def __init__(self, enough: int = 1 << 30) -> None:
        self.pictures: list[Picture] = []
        self.opens = 0
        self._enough = enough
        self.done = asyncio.Event()

    def opened(self) -> None:
        """Count."""
        self.opens += 1

    def took(self, picture: Picture) -> None:
        """Keep."""
        self.pictures.append(picture)
        if len(self.pictures) >= self._enough:
            self.done.set()


async def watched(source: LiveSource, got: Got, timeout_s: float = 15.0) -> Got:
    """Watch until the source ends or `got` has enough; raises what the source raises."""
    watching = asyncio.ensure_future(source.watch(got))
    enough = asyncio.ensure_future(got.done.wait())
    await asyncio.wait({watching, enough}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    assert watching.done() or enough.done()
    for task in (watching, enough):
        task.cancel()
    ended = (await asyncio.gather(watching, enough, return_exceptions=True))[0]
    if isinstance(ended, Exception) and not got.done.is_set():
        raise ended
    return got


def _streams(viewer: Viewer) -> None:
    viewer.greet()
    for index in range(4):
        viewer.say(packets([KEY], 2 * index, 18000 * index) + packets([PLAIN], 2 * index + 1, 18000 * index + 9000))


@in_loop
async def test_pictures_come_until_the_server_goes(reader: RtspReader) -> None:
    """What was whole is given, then the reason."""
    with server(_streams) as port:
        got = Got()
        with pytest.raises(SourceAway, match="closed the connection"):
            await watched(source(port, reader), got)
    assert [picture.data for picture in got.pictures] == [annex_b(SPS, PPS, KEY)] * 4
    assert [picture.before_bytes for picture in got.pictures] == [0] + [12 + len(PLAIN)] * 3
    with server(_streams) as port:
        got = await watched(source(port, reader, keys_only=False), Got(8))
    assert [picture.data for picture in got.pictures] == [annex_b(SPS, PPS, KEY), annex_b(PLAIN)] * 4
    assert not any(picture.lost_before for picture in got.pictures)


def _nothing(viewer: Viewer) -> None:
    viewer.linger()


def _half_an_answer(viewer: Viewer) -> None:
    viewer.hear()
    with contextlib.suppress(OSError):
        while True:
            viewer.say(b"R" if not viewer._held else b"T")
            time.sleep(0.05)  # slowly, but never silent


def _hangs_up(viewer: Viewer) -> None:
    viewer.hear()


def _endless(viewer: Viewer) -> None:
    viewer.say(b"RTSP/1.0 200 OK\r\nX: " + b"x" * 100_000)


@pytest.mark.parametrize("script", [_nothing, _half_an_answer, _hangs_up, _endless])
@in_loop
async def test_a_server_that_never_answers_is_away(reader: RtspReader, script: Script) -> None:
    """Soon, whatever it does instead."""
    with server(script) as port:
        begun_s = time.monotonic()
        with pytest.raises(SourceAway) as caught:
            await watched(source(port, reader), Got())
        assert time.monotonic() - begun_s < 4 * TIMEOUT_S + 2
    assert "never-shown" not in str(caught.value)


@in_loop
async def test_a_server_that_falls_silent_is_given_up(reader: RtspReader) -> None:
    """Without a byte for the time-out."""

    def silent(viewer: Viewer) -> None:
        viewer.greet()
        viewer.linger()

    with server(silent) as port:
        got = Got()
        with pytest.raises(SourceSilent, match="no byte within"):
            await watched(source(port, reader), got)
    assert got.opens == 1


@in_loop
async def test_a_session_is_kept_alive_and_left_in_order(reader: RtspReader) -> None:
    """A word at half of the server's two seconds, TEARDOWN at the end, then the connection closes."""
    viewers: list[Viewer] = []

    def stream(viewer: Viewer) -> None:
        viewers.append(viewer)
        viewer.greet()
        stop = threading.Event()

        def send() -> None:
            index = 0
            with contextlib.suppress(OSError):
                while not stop.wait(0.1):
                    viewer.say(packets([KEY], index, 9000 * index))
                    index += 1

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        viewer.linger()
        stop.set()
        thread.join()

    with server(stream) as port:
        await watched(source(port, reader), Got(14))
    methods = [request.partition(" ")[0] for request in viewers[0].requests]
    assert methods == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "OPTIONS", "TEARDOWN"]


@in_loop
async def test_a_server_may_send_us_on_before_and_amid_the_stream(reader: RtspReader) -> None:
    """To another port, by 302 and by REDIRECT; the stream goes on from there, credentials with it to the same host."""
    with server(_streams) as last:

        def redirects(viewer: Viewer) -> None:
            viewer.greet()
            viewer.say(packets([KEY], 0, 0) + packets([PLAIN], 1, 9000))
            viewer.say(f"REDIRECT * RTSP/1.0\r\nCSeq: 1\r\nLocation: rtsp://127.0.0.1:{last}/b\r\n\r\n".encode())
            viewer.linger()

        with server(redirects) as middle:
            moved = f"Location: rtsp://127.0.0.1:{middle}/a"
            with server(lambda viewer: viewer.say(answer(viewer.hear(), moved, status="302 Moved"))) as first:
                got = await watched(source(first, reader), Got(5))
                assert (got.opens, len(got.pictures)) == (2, 5)


@in_loop
async def test_who_babbles_without_a_keyframe_is_left(reader: RtspReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that fell silent, and the reason says what came; keyframes that are rare are waited for."""
    monkeypatch.setattr(rtsp_sockets, "BABBLE_S", 1.0)

    def babbles(viewer: Viewer) -> None:
        viewer.greet()
        for index in range(1000):
            viewer.say(packets([KEY if index == 15 else PLAIN], index, 9000 * index))
            time.sleep(0.02)

    got = Got(99)
    with server(babbles) as port, pytest.raises(SourceSilent, match=r"no picture within \d s: .* no keyframe among"):
        await watched(source(port, reader), got)
    assert len(got.pictures) == 1


class Faulty(Got):
    """What takes pictures, and fails."""

    def took(self, picture: Picture) -> None:
        """Fail over the first one."""
        super().took(picture)
        message = "a fault of our own"
        raise LookupError(message)


@in_loop
async def test_what_fails_over_one_cameras_picture_costs_that_camera_alone(reader: RtspReader) -> None:
    """Its watching ends with the fault, its connection closes, and the others on the same reader are read on."""
    faulty, good = Faulty(), Got(20)

    def streams(viewer: Viewer) -> None:
        viewer.greet()
        for index in range(100):
            viewer.say(packets([KEY], index, 9000 * index))
            time.sleep(0.01)  # a camera of 100 pictures a second

    with server(streams) as one, server(streams) as other:
        going = asyncio.ensure_future(watched(source(other, reader), good))
        await until(lambda: len(good.pictures) > 2)
        with pytest.raises(LookupError):
            await watched(source(one, reader), faulty)
        await going
    assert len(faulty.pictures) == 1
    assert len(good.pictures) >= 20


def _asks_who_and_hangs_up(viewer: Viewer) -> None:
    viewer.say(answer(viewer.hear()))
    cseq = viewer.hear()
    if "Authorization: Digest" not in viewer.requests[-1]:
        challenge = 'WWW-Authenticate: Digest realm="r", nonce="n"'
        viewer.say(answer(cseq, challenge, "Connection: close", status="401 Unauthorized"))
        return
    viewer.say(answer(cseq, body=description()))
    viewer.say(answer(viewer.hear(), "Session: S", "Transport: RTP/AVP/TCP;interleaved=0-1"))
    viewer.say(answer(viewer.hear()))
    viewer.say(packets([KEY], 0, 0) + packets([PLAIN], 1, 9000))
    viewer.linger()


@in_loop
async def test_a_server_that_asks_who_we_are_and_hangs_up_is_told_again(reader: RtspReader) -> None:
    """Over a second connection, before the camera is any the worse."""
    with server(_asks_who_and_hangs_up) as port:
        got = await watched(source(port, reader), Got(1))
    assert [picture.data for picture in got.pictures] == [annex_b(SPS, PPS, KEY)]


@pytest.mark.parametrize("location", ["rtsp://169.254.169.254/x", "rtsp://127.0.0.2/x", "http://127.0.0.1/"])
@in_loop
async def test_no_server_sends_us_through_a_closed_door(reader: RtspReader, location: str) -> None:
    """What is closed to a camera's address is closed to a redirection."""

    class OneOpen(Doors):
        def why_host_closed(self, host: str) -> str | None:
            return None if host == "127.0.0.1" else f"{host} is closed"

    told = f"Location: {location}"
    with (
        server(lambda viewer: viewer.say(answer(viewer.hear(), told, status="302 M"))) as port,
        pytest.raises(SourceRefused, match="redirected"),
    ):
        await watched(source(port, reader, doors=OneOpen()), Got())


@in_loop
async def test_a_closed_door_is_never_knocked_at(reader: RtspReader) -> None:
    """Nothing connects where the doors are closed."""
    came = threading.Event()
    with server(lambda _: came.set()) as port:
        with pytest.raises(SourceRefused):
            await watched(source(port, reader, doors=Doors()), Got())
        assert not came.wait(0.1)


@in_loop
async def test_nobody_there_is_away(reader: RtspReader) -> None:
    """A port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(SourceAway, match="not reached"):
        await watched(source(port, reader), Got())


@in_loop
async def test_a_fault_of_one_camera_leaves_the_others(reader: RtspReader) -> None:
    """An error of our own ends its link, and is told by name alone."""
    with server(_lasting) as port:
        good, bad = Got(10), Got()
        watching = asyncio.create_task(watched(source(port, reader), good))
        await until(lambda: bool(good.pictures))
        failing = asyncio.create_task(watched(source(port, reader), bad))
        await until(lambda: len(reader._readings) == 2)
        link = list(reader._readings.values())[-1].link
        link.client.receive = lambda *_: 1 // 0  # type: ignore[method-assign] # our own fault, made up
        with structlog.testing.capture_logs() as logs, pytest.raises(SourceAway, match="ZeroDivisionError"):
            await failing
        assert len(logs) == 1
        assert len((await watching).pictures) >= 10


def _lasting(viewer: Viewer) -> None:
    viewer.greet()
    for index in range(200):
        viewer.say(framed(rtp(KEY, index, 9000 * index, marker=True)))
        time.sleep(0.02)  # 50 pictures a second


class _Other:
    ends = False

    def __init__(self, transport: str) -> None:
        self.transport = transport
        self.opened = self.closed = 0

    def open(self) -> None:
        self.opened += 1

    def pictures(self) -> Iterator[Picture]:
        yield Picture("mpeg4", b"x", is_key=True, received_ns=1)

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    ("third", "transport"),
    [
        (lambda cseq: answer(cseq, status="461 Unsupported Transport"), "rtsp-libav-udp"),
        (lambda cseq: answer(cseq, body=description().replace(b"H264", b"MP4V-ES")), "rtsp-libav-tcp"),
    ],
)
@in_loop
async def test_odd_servers_are_left_to_the_other_client(
    reader: RtspReader, third: Callable[[int], bytes], transport: str
) -> None:
    """The transport tells which; a refusal is no oddness, and the other is not asked."""

    def odd(viewer: Viewer) -> None:
        viewer.say(answer(viewer.hear()))
        if "461" in third(0).decode():
            viewer.say(answer(viewer.hear(), body=description()))
        viewer.say(third(viewer.hear()))
        viewer.linger()

    with server(odd) as port:
        others: list[_Other] = []

        def other(over: str) -> LiveSource:
            others.append(_Other(f"rtsp-libav-{over}"))
            return InThread(others[-1], Threads())

        either, got = RtspEither(source(port, reader), other), Got()
        await watched(either, got)
        assert either.transport == transport
        assert [picture.codec for picture in got.pictures] == ["mpeg4"]
        assert (got.opens, others[0].closed) == (1, 1)
        with pytest.raises(SourceOdd):
            await watched(source(port, reader), Got())
    with server(lambda viewer: viewer.say(answer(viewer.hear(), status="401 Unauthorized"))) as port:
        with pytest.raises(SourceError):
            await watched(RtspEither(source(port, reader), other), Got())
        assert len(others) == 1


@in_loop
async def test_waiting_sources_have_so_many_threads() -> None:
    """One more is away, and says what to do; a fault is raised where the camera runs."""

    class Stuck(_Other):
        def pictures(self) -> Iterator[Picture]:
            while not self.closed:
                time.sleep(0.01)  # in a call that waits, until it is closed
            yield from ()

    threads = Threads(1)
    watching = asyncio.create_task(InThread(Stuck("stuck"), threads).watch(Got()))
    await until(lambda: threads.count == 1)
    with pytest.raises(SourceAway, match="1 sources found"):
        await InThread(_Other("one more"), threads).watch(Got())
    watching.cancel()
    await asyncio.wait([watching])
    await until(lambda: not threads.count)
