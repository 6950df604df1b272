"""HTTP cameras, against a small server that answers as a script says: polite, bounded, and silent about passwords."""

from __future__ import annotations

import contextlib
import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import ingest_media as media
import pytest
from lamplight_ingest.adapters.http import HttpSource
from lamplight_ingest.adapters.http_async import AsyncHosts
from lamplight_ingest.adapters.http_hosts import HttpHosts
from lamplight_ingest.adapters.http_live import HttpLive
from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.adapters.waited import Waited
from lamplight_ingest.doors import Doors, parse
from lamplight_ingest.model import Picture, Source, SourceAway, SourceRefused
from lamplight_kit.clock import ManualClock

PASSWORD = "pass-word-never-shown"
OPEN = Doors(allow_loopback=True)


@dataclass
class Camera:
    """A server on loopback; `answer` is called with each request and writes what it likes."""

    answer: Callable[[Any], None]
    port: int = 0
    seen: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}/now.jpg"


@contextlib.contextmanager
def serving(answer: Callable[[Any], None]) -> Iterator[Camera]:
    """Serve until the block ends."""
    camera = Camera(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            camera.seen.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
            with contextlib.suppress(ConnectionError):
                camera.answer(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    camera.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield camera
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def say(handler: Any, status: int, body: bytes = b"", **headers: str) -> None:
    """Answer whole."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


LIVE = "live"


@pytest.fixture(params=[LIVE, "waits"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both sources over HTTP are the same to their servers: that of the event loop, and that which waits."""
    monkeypatch.setattr(source, "way", request.param, raising=False)
    return str(request.param)


def source(camera: Camera, credentials: Credentials | None = None, **more: Any) -> Source:
    """Return a source that polls without pause and waits briefly."""
    bounds = {"gap_s": 0.0, "timeout_s": 1.0, "max_bytes": 10_000, **more}
    doors, timeout_s = bounds.pop("doors", OPEN), bounds.pop("timeout_s")
    address, clock = parse(camera.url), ManualClock()
    if source.way != LIVE:  # type: ignore[attr-defined] # set by the fixture
        return HttpSource(address, credentials, HttpHosts(doors, timeout_s), clock, **bounds)
    hosts = AsyncHosts(doors, timeout_s)
    return Waited(HttpLive(address, credentials, hosts, clock, by_hls=lambda: pytest.fail("no HLS here"), **bounds))


def first(found: Source, count: int) -> list[Picture]:
    """Return the first pictures of a source, and close it."""
    found.open()
    try:
        return list(itertools.islice(found.pictures(), count))
    finally:
        found.close()


def scripted(*answers: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return an answer that goes through `answers`, and stays at the last."""
    rest = list(answers)

    def answer(handler: Any) -> None:
        (rest.pop(0) if len(rest) > 1 else rest[0])(handler)

    return answer


def test_snapshots_are_asked_for_with_the_last_ones_tags() -> None:
    """The same picture again is told as that, by 304 and by its bytes; a new one is not."""
    one, two = media.jpeg(b"one"), media.png()
    date = "Tue, 14 Nov 2023 22:13:19 GMT"
    answers = scripted(
        lambda h: say(h, 200, one, ETag='"1"', Last_Modified=date),
        lambda h: say(h, 304),
        lambda h: say(h, 200, one),
        lambda h: say(h, 200, two),
    )
    with serving(answers) as camera:
        pictures = first(source(camera), 4)
    assert [(found.codec, found.same_as_before) for found in pictures] == [
        ("mjpeg", False),
        ("mjpeg", True),
        ("mjpeg", True),
        ("png", False),
    ]
    assert [found.data for found in pictures] == [one, one, one, two]
    assert pictures[0].source_at_ns == 1_699_999_999 * 10**9
    assert "if-none-match" not in camera.seen[0]
    assert (camera.seen[1]["if-none-match"], camera.seen[1]["if-modified-since"]) == ('"1"', date)
    assert camera.seen[0]["accept-encoding"] == "identity"


def test_a_busy_server_is_left_alone_as_long_as_it_asks() -> None:
    """429 and 503 with Retry-After are no failure."""
    answers = scripted(lambda h: say(h, 503, Retry_After="0"), lambda h: say(h, 200, media.jpeg()))
    with serving(answers) as camera:
        assert len(first(source(camera), 1)) == 1
        assert len(camera.seen) >= 2  # it asks on


def test_a_host_that_wants_rest_gets_it_from_all_its_cameras() -> None:
    """Retry-After as a date; what one camera was told holds for the others of that host too."""
    until = formatdate(ManualClock().now_ns() / 1e9 + 3, usegmt=True)
    answers = scripted(lambda h: say(h, 429, Retry_After=until), lambda h: say(h, 200, media.jpeg()))
    with serving(answers) as camera:
        hosts = HttpHosts(OPEN, 1.0)
        one, two = (HttpSource(parse(camera.url), None, hosts, ManualClock(), gap_s=0.0, max_bytes=99) for _ in "ab")
        began_s = time.monotonic()
        asking = threading.Thread(target=first, args=(one, 1))
        asking.start()
        while not camera.seen or hosts.of(("http", "127.0.0.1", camera.port))._quiet_until_s < began_s + 1:
            threading.Event().wait(0.01)
        with contextlib.closing(two.pictures()) as pictures:
            next(pictures)
        assert time.monotonic() - began_s > 2
        asking.join(10)


def test_cameras_of_one_host_share_one_connection_and_their_turns() -> None:
    """Never two requests at a time, and no connection but the first."""
    now, most, ports, lock = [0], [0], set(), threading.Lock()

    def answer(handler: Any) -> None:
        with lock:
            ports.add(handler.client_address[1])
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.005)
        with lock:
            now[0] -= 1
        say(handler, 200, media.jpeg())

    with serving(answer) as camera:
        hosts = HttpHosts(OPEN, 5.0)
        made = [HttpSource(parse(camera.url), None, hosts, ManualClock(), gap_s=0.0, max_bytes=99) for _ in range(5)]
        threads = [threading.Thread(target=first, args=(each, 6)) for each in made]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert (len(camera.seen), most[0], len(ports)) == (30, 1, 1)


def test_a_stream_keeps_no_other_camera_of_its_host_waiting() -> None:
    """It has a connection of its own, and gives its turn back."""
    forever = threading.Event()

    def answer(handler: Any) -> None:
        if "if-none-match" in camera.seen[-1]:
            say(handler, 200, media.jpeg(b"still"))
            return
        handler.send_response(200)
        handler.send_header("Content-Type", 'multipart/x-mixed-replace; boundary="a cam"')
        handler.end_headers()
        stamped = b"--a cam\nX-Timestamp: 1700000001.250000\n\n%s\n--a cam\n" % media.jpeg()
        handler.wfile.write(stamped)
        forever.wait(10)

    with serving(answer) as camera:
        hosts = HttpHosts(OPEN, 5.0)
        stream, still = (
            HttpSource(parse(camera.url), None, hosts, ManualClock(), gap_s=0.0, max_bytes=99) for _ in "ab"
        )
        pictures = stream.pictures()
        assert next(pictures).source_at_ns == 1_700_000_001_250_000_000
        still._tags = {"If-None-Match": "x"}
        assert first(still, 1)[0].data == media.jpeg(b"still")
        forever.set()
        pictures.close()


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, SourceRefused), (404, SourceRefused), (403, SourceRefused), (500, SourceAway), (503, SourceAway)],
)
def test_a_status_says_refused_or_away(status: int, expected: type[Exception]) -> None:
    """What asking again can mend is away, the rest is refused."""
    with serving(lambda h: say(h, status)) as camera, pytest.raises(expected, match=f"status {status}"):
        first(source(camera), 1)


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b"<html>starting</html>", SourceAway, "neither JPEG nor PNG"),
        (b"", SourceAway, "neither JPEG nor PNG"),
        (bytes(20_000), SourceRefused, "more than 10000"),
    ],
)
def test_what_is_no_picture_is_not_taken(body: bytes, kind: type[Exception], expected: str) -> None:
    """Told by its first bytes, which the next answer may mend, and by its size before it is whole."""
    with serving(lambda h: say(h, 200, body)) as camera, pytest.raises(kind, match=expected):
        first(source(camera), 1)


def drip(handler: Any) -> None:
    """Send a picture a byte at a time, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Length", "9000")
    handler.end_headers()
    while True:
        handler.wfile.write(b"\xff")
        handler.wfile.flush()
        threading.Event().wait(0.05)


def silent(handler: Any) -> None:
    """Say nothing for longer than anybody waits."""
    threading.Event().wait(3)


def endless_headers(handler: Any) -> None:
    """Send headers without end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        handler.wfile.write(b"X-%d: y\r\n" % number)


def drip_head(handler: Any) -> None:
    """Send a head a byte at a time, for ever."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        handler.wfile.write(b"y")
        handler.wfile.flush()
        threading.Event().wait(0.05)


def half(handler: Any) -> None:
    """Promise more than is sent."""
    handler.send_response(200)
    handler.send_header("Content-Length", "9000")
    handler.end_headers()
    handler.wfile.write(media.jpeg())
    handler.close_connection = True


@pytest.mark.parametrize("answer", [drip, drip_head, silent, endless_headers, half])
def test_a_server_that_lies_costs_a_bounded_wait(answer: Callable[[Any], None]) -> None:
    """Dripping, silent, endless, cut short: away, within a few time-outs."""
    with serving(answer) as camera, pytest.raises(SourceAway):
        first(source(camera, timeout_s=0.3), 1)


def test_an_address_where_nobody_is_is_away() -> None:
    """The text names the host and the port."""
    with serving(silent) as camera:
        pass
    with pytest.raises(SourceAway, match=f"127.0.0.1:{camera.port}"):
        first(source(camera), 1)


def test_a_closed_door_is_not_knocked_on() -> None:
    """No request goes to an address that is not open, nor to one that a redirect leads to."""
    with serving(lambda h: say(h, 200, media.jpeg())) as camera:
        with pytest.raises(SourceRefused, match="this machine"):
            first(source(camera, doors=Doors()), 1)
        assert camera.seen == []
    places = ["http://169.254.169.254/latest", "file:///etc/passwd", "http://a:b@127.0.0.1/", "http://[::1/"]
    for place in places:
        with serving(lambda h, place=place: say(h, 302, Location=place)) as camera:
            with pytest.raises((SourceRefused, SourceAway)):
                first(source(camera), 1)
            assert len(camera.seen) == 1


def test_redirects_are_followed_a_few_times() -> None:
    """One is, a circle is not."""
    once = scripted(lambda h: say(h, 302, Location="/other.jpg"), lambda h: say(h, 200, media.jpeg()))
    with serving(once) as camera:
        assert len(first(source(camera), 1)) == 1
        assert [request["path"] for request in camera.seen[:2]] == ["/now.jpg", "/other.jpg"]
    circle = serving(lambda h: say(h, 302, Location="/now.jpg"))
    with circle as camera, pytest.raises(SourceRefused, match="redirects"):
        first(source(camera), 1)


@pytest.mark.parametrize(
    ("challenge", "scheme"),
    [('Basic realm="cam"', "basic "), ('Digest realm="cam", nonce="n", qop="auth", algorithm=SHA-256', "digest ")],
)
def test_credentials_go_as_the_server_asks(challenge: str, scheme: str) -> None:
    """Not before it asks, not in clear where it offers better, and in no error."""

    def answer(handler: Any) -> None:
        if handler.headers.get("Authorization", "").lower().startswith(scheme):
            say(handler, 200, media.jpeg())
        else:
            say(handler, 401, WWW_Authenticate=challenge)

    with serving(answer) as camera:
        assert len(first(source(camera, Credentials("root", PASSWORD)), 2)) == 2
        assert "authorization" not in camera.seen[0]
        assert PASSWORD not in str(camera.seen)
    with serving(lambda h: say(h, 401, WWW_Authenticate=challenge)) as camera:
        with pytest.raises(SourceRefused) as error:
            first(source(camera, Credentials("root", PASSWORD)), 1)
        assert PASSWORD not in str(error.value)


def nonces_that_serve_once(answer: Callable[[Any], None], algorithm: str = "MD5") -> Callable[[Any], None]:
    """Want Digest with a number that serves for one request, and never say that one was stale."""
    count, good = itertools.count(), set[str]()

    def asked(handler: Any) -> None:
        told = re.search('nonce="([^"]*)"', handler.headers.get("Authorization", ""))
        if told and told[1] in good:
            good.remove(told[1])
            answer(handler)
            return
        nonce = f"n{next(count)}"
        good.add(nonce)
        say(
            handler, 401, WWW_Authenticate=f'Digest realm="cam\xe9", nonce="{nonce}", qop="auth", algorithm={algorithm}'
        )

    return asked


@pytest.mark.parametrize("algorithm", ["MD5", "SHA256"])
def test_a_server_whose_nonces_serve_once_is_asked_on(algorithm: str) -> None:
    """Each picture costs two requests, and none the camera's state."""
    with serving(nonces_that_serve_once(lambda h: say(h, 200, media.jpeg()), algorithm)) as camera:
        assert len(first(source(camera, Credentials("w\u00e4rter", PASSWORD)), 4)) == 4
        assert sum("authorization" in request for request in camera.seen) >= 7


def test_a_stream_is_had_from_a_server_whose_nonces_serve_once() -> None:
    """MJPEG as snapshots."""
    with serving(nonces_that_serve_once(mjpeg)) as camera:
        assert len(first(source(camera, Credentials("root", PASSWORD)), 3)) == 3


@pytest.mark.parametrize(
    ("challenge", "expected"),
    [
        ('Digest realm="r", nonce="n", qop="auth-int"', "Digest MD5 with qop auth-int, Basic or Digest"),
        ('Digest realm="r", nonce="n", algorithm=SHA-512-256', "Digest SHA-512-256, Basic or Digest"),
        ("Negotiate", "it asks for Negotiate"),
        ('Digest realm="r", nonce="n"', "the user name or password is wrong"),
    ],
)
def test_a_login_that_was_refused_says_why(challenge: str, expected: str) -> None:
    """What is asked for and cannot be answered is told apart from what was answered wrongly."""
    with serving(lambda h: say(h, 401, WWW_Authenticate=challenge)) as camera:
        with pytest.raises(SourceRefused, match="status 401 Unauthorized found") as error:
            first(source(camera, Credentials("root", PASSWORD)), 1)
        assert expected in str(error.value)
        assert len(camera.seen) == 1 + ("wrong" in expected)
        with pytest.raises(SourceRefused, match=r"name a secret|set the camera's"):
            first(source(camera), 1)


def test_credentials_stay_with_their_origin() -> None:
    """A redirect to another server gets none."""
    with serving(lambda h: say(h, 401, WWW_Authenticate="Basic")) as other:
        answer = lambda h: say(h, 302, Location=other.url)  # noqa: E731 - an answer
        with serving(answer) as camera, pytest.raises(SourceRefused, match="it was redirected"):
            first(source(camera, Credentials("root", PASSWORD)), 1)
        assert other.seen
        assert not any("authorization" in request for request in other.seen)


def mjpeg(handler: Any) -> None:
    """Send three pictures, and end."""
    handler.send_response(200)
    handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=cam")
    handler.end_headers()
    for body in (media.jpeg(b"1"), media.jpeg(b"1"), media.jpeg(b"2")):
        handler.wfile.write(b"--cam\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(body), body))
    handler.close_connection = True


def test_a_multipart_answer_is_a_stream() -> None:
    """Told by its type; the same bytes again are the same picture."""
    with serving(mjpeg) as camera:
        found = source(camera)
        pictures = first(found, 10)
    assert found.transport == "http-mjpeg"
    assert [picture.same_as_before for picture in pictures] == [False, True, False]


def test_a_stream_may_hold_more_than_pictures_and_name_its_boundary_nowhere_else() -> None:
    """Events between pictures are passed over; the body's first line names the boundary."""

    def answer(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace")
        handler.end_headers()
        for body in (media.jpeg(b"1"), b"motion=1", media.jpeg(b"2")):
            handler.wfile.write(b"--cam\r\nContent-Type: a/b\r\n\r\n%s\r\n" % body)
        handler.wfile.write(b"--cam\r\n")
        handler.close_connection = True

    with serving(answer) as camera:
        found = source(camera)
        assert [picture.data for picture in first(found, 2)] == [media.jpeg(b"1"), media.jpeg(b"2")]
    assert found.transport == "http-mjpeg"


def test_a_long_rest_that_a_server_asks_for_is_told_with_its_end() -> None:
    """What the state's reason is made of."""
    with serving(lambda h: say(h, 503, Retry_After="3600")) as camera:
        found = source(camera)
        reading = threading.Thread(target=lambda: list(found.pictures()))
        threading.Thread(target=found.open, daemon=True).start()
        reading.start()
        end_s = time.monotonic() + 10
        while not found.hint() and time.monotonic() < end_s:  # type: ignore[attr-defined] # both have it
            threading.Event().wait(0.01)
        said = found.hint()  # type: ignore[attr-defined] # as above
        found.close()
        reading.join(10)
    assert "its server answered 503 and asked to be left alone until 2023-11-14 23:13:20 UTC" in said


def test_a_closed_source_ends() -> None:
    """From another thread, within a poll."""
    with serving(lambda h: say(h, 200, media.jpeg())) as camera:
        found = source(camera, gap_s=60.0)
        came: list[Picture] = []
        arrived = threading.Event()

        def read() -> None:
            found.open()
            for picture in found.pictures():
                came.append(picture)
                arrived.set()

        thread = threading.Thread(target=read)
        thread.start()
        assert arrived.wait(10)
        found.close()
        thread.join(10)
        assert not thread.is_alive()
        assert len(came) == 1
