"""What a server says in its own words goes nowhere: nothing depends on them, and what is told can be written."""

from __future__ import annotations

import base64
import contextlib
import html
import io
import json
import socket
import threading
import unicodedata
from collections.abc import Iterator
from unittest import mock
from urllib.parse import quote

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from lamplight.camera.v1 import camera_pb2
from lamplight.observation.v1 import observation_pb2
from lamplight_ingest.adapters.http import HttpSource
from lamplight_ingest.adapters.http_async import AsyncHosts
from lamplight_ingest.adapters.http_hosts import HttpHosts
from lamplight_ingest.adapters.http_live import HttpLive
from lamplight_ingest.adapters.probe import look
from lamplight_ingest.adapters.secrets import Credentials, Secrets
from lamplight_ingest.adapters.sources import Sources
from lamplight_ingest.adapters.waited import Waited
from lamplight_ingest.doors import Doors, parse
from lamplight_ingest.faults import where
from lamplight_ingest.model import Source, SourceAway, SourceError
from lamplight_ingest.rtsp.events import Failed
from lamplight_ingest.sampler import Plan
from lamplight_ingest.scrub import scrub
from lamplight_ingest.watch import Watch
from lamplight_kit import log
from lamplight_kit.clock import ManualClock, SystemClock
from rtsp_wire import Fed, answer, description

OPEN = Doors(allow_loopback=True)
PLAN = Plan(wants_all=True, min_gap_s=0.2, max_gap_s=30)
SECRET = "p@:w%/ä"
HARD = ("grün:p@ss/wörd", SECRET, "00000\r0", "100%abüxy", 'quo"te\\d', "stra\u00dfe<&>9", "a b c d", "correct horse")
LETTERS = bytes(code for code in (*range(0x21, 0x7F), *range(0xA1, 0x100)) if code not in b"/:;=$")
WORDS = st.lists(st.sampled_from(LETTERS), max_size=40).map(lambda codes: b"q" + bytes(codes))


def spellings(text: str) -> dict[str, str]:
    """Return the ways in which a server may write what it was sent."""
    utf8 = text.encode()
    latin1 = text.encode("latin-1", "ignore")
    return {
        "plain": text,
        "percent": quote(text, safe=""),
        "percent, lower case": quote(text, safe="").lower(),
        "percent, some": quote(text),
        "percent of Latin-1": quote(latin1, safe=""),
        "percent twice": quote(quote(text, safe=""), safe=""),
        "Latin-1 bytes": latin1.decode("utf-8", "surrogateescape"),
        "UTF-8 bytes read as Latin-1": utf8.decode("latin-1"),
        "what is ASCII of it": text.encode("ascii", "ignore").decode(),
        "JSON": json.dumps(text),
        "JSON without ASCII": json.dumps(text, ensure_ascii=False),
        "slashes escaped": text.replace("/", "\\/"),
        "Python": ascii(text),
        "HTML": html.escape(text),
        "HTML by numbers": "".join(f"&#{ord(letter)};" for letter in text),
        "HTML by hexadecimal numbers": "".join(f"&#x{ord(letter):x};" for letter in text),
        "upper case": text.upper(),
        "decomposed": unicodedata.normalize("NFD", text),
        "base64": base64.b64encode(utf8).decode(),
        "base64 of Latin-1": base64.b64encode(latin1).decode(),
        "base64 after a user": base64.b64encode(b"somebody:" + utf8).decode(),
        "base64 for URLs": base64.urlsafe_b64encode(b"x" + utf8 + b"yz").decode().rstrip("="),
    }


@pytest.mark.parametrize("secret", HARD)
def test_no_spelling_of_a_password_survives_the_scrubber(secret: str) -> None:
    """Whole words go, so that no part is left; what stands around stays."""
    known = Credentials("admin", secret).known
    told = {name: scrub(f"403 denied {text} here", known) for name, text in spellings(secret).items()}
    assert {name: text for name, text in told.items() if set(text.split()) - {"403", "denied", "here", "***"}} == {}


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=16), st.data())
def test_no_spelling_of_any_password_survives(secret: str, data: st.DataObject) -> None:
    """Whatever is in it: it is told as nothing but hidden words, or as what is left of nothing."""
    name, text = data.draw(st.sampled_from(sorted(spellings(secret).items())))
    if name.startswith(("what is ASCII", "percent of Latin-1", "Latin-1", "base64 of Latin-1")):
        secret = secret.encode("latin-1", "ignore").decode("latin-1")
    letters = [letter for letter in secret.casefold() if letter.isascii() and letter.isalnum()]
    if len(letters) < 6 or "*" in secret:
        return
    told = scrub(f"denied {text} here", Credentials("admin", secret).known)
    assert "***" in told


@given(st.text(), st.lists(st.text(max_size=8), max_size=3))
def test_what_was_scrubbed_can_be_written(text: str, secrets: list[str]) -> None:
    """It is UTF-8 without control characters, short, and one line."""
    told = scrub(text + "\udce9\x1b[2J\u202e", secrets)
    assert camera_pb2.CameraState(reason=told).SerializeToString()
    assert told.isprintable() or {letter for letter in told if not letter.isprintable()} <= {
        letter for letter in told if unicodedata.category(letter) in ("Cn", "Co", "Cf", "Zs")
    }
    assert len(told) <= 300


# -- over RTSP -----------------------------------------------------------------------------------------------------


def _rtsp(kind: str, word: bytes) -> bytes:
    """Return what a server sends that puts `word` where `kind` says."""
    found = {
        "reason": b"RTSP/1.0 403 " + word + b"\r\nCSeq: 1\r\n\r\n",
        "challenge": answer(1, 'WWW-Authenticate: Digest realm="r", algorithm="WORD"', status="401 No").replace(
            b"WORD", word.translate(None, b'",\\')
        ),
        "first line": word + b" hello\r\n\r\n",
        "media": answer(1) + answer(2, body=b"v=0\r\nm=" + word + b" 0 RTP/AVP 0\r\n"),
        "coding": answer(1) + answer(2, body=description().replace(b"H264/90000", word + b"/90000")),
        "length": b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: " + word + b"\r\n\r\n",
        "server": b"RTSP/1.0 403 No\r\nCSeq: 1\r\nServer: " + word + b"\r\n" + word + b"\r\n\r\n",
        "location": b"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: mailto:" + word + b"\r\n\r\n",
    }
    return found[kind]


PLACES = ("reason", "challenge", "first line", "media", "coding", "length", "server", "location")


def _failed(data: bytes) -> str:
    """Return the reason of the failure that ends a session in which a server sends `data`."""
    fed = Fed().feed(data).tick(60.0)
    assert isinstance(fed.events[-1], Failed), fed.events
    return fed.events[-1].reason


@given(st.sampled_from(PLACES), WORDS)
def test_no_reason_depends_on_a_servers_words(place: str, word: bytes) -> None:
    """Whatever bytes they are; and the state that tells it can be written."""
    reason = _failed(_rtsp(place, word))
    assert reason == _failed(_rtsp(place, b"q"))
    watch = Watch("quay", 1, PLAN, ManualClock())
    watch.failed(SourceAway(reason))
    changed = observation_pb2.StateChanged(camera_id="quay", reason=watch.life.reason)
    assert observation_pb2.Observation(state_changed=changed).SerializeToString()


@given(st.binary(max_size=300))
def test_whatever_ends_a_session_can_be_written(data: bytes) -> None:
    """Any bytes at all, as the state of a camera."""
    fed = Fed().feed(data).tick(60.0)
    reasons = [event.reason for event in fed.events if isinstance(event, Failed)]
    watch = Watch("quay", 1, PLAN, ManualClock())
    for reason in reasons:
        watch.failed(SourceAway(reason))
    assert camera_pb2.CameraState(reason=watch.life.reason, last_error=watch.last_error[0]).SerializeToString()


# -- over HTTP -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def says(data: bytes) -> Iterator[int]:
    """Answer every request on a port of this machine with `data`, and close."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(5)
                    connection.recv(65536)
                    connection.sendall(data)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(6)


def _http(place: str, word: bytes) -> bytes:
    """Return an answer that puts `word` where `place` says."""
    found = {
        "reason": b"HTTP/1.1 403 " + word + b"\r\nContent-Length: 0\r\n\r\n",
        "status": b"HTTP/1.1 2" + word + b" OK\r\nContent-Length: 0\r\n\r\n",
        "first line": word + b"\r\n\r\n",
        "header": b"HTTP/1.1 403 No\r\n" + word + b"\r\nServer: " + word + b"\r\nContent-Length: 0\r\n\r\n",
        "length": b"HTTP/1.1 200 OK\r\nContent-Length: " + word + b"\r\n\r\n",
        "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + word + b"\r\n",
        "location": b"HTTP/1.1 302 Moved\r\nLocation: ftp://h/" + word + b"\r\nContent-Length: 0\r\n\r\n",
        "body": b"HTTP/1.1 403 No\r\nContent-Length: 40\r\n\r\n" + word.ljust(40),
    }
    return found[place]


HTTP_PLACES = ("reason", "status", "first line", "header", "length", "chunk", "location", "body")


def _source(port: int, *, is_live: bool) -> Source:
    address, credentials, clock = parse(f"http://127.0.0.1:{port}/x"), Credentials("admin", SECRET), ManualClock()
    if not is_live:
        return HttpSource(address, credentials, HttpHosts(OPEN, 2.0), clock, gap_s=0.0, max_bytes=10_000)
    return Waited(
        HttpLive(
            address,
            credentials,
            AsyncHosts(OPEN, 2.0),
            clock,
            by_hls=lambda: pytest.fail("no HLS here"),
            gap_s=0.0,
            max_bytes=10_000,
        )
    )


def _refused(data: bytes, *, is_live: bool) -> str:
    """Return the reason with which a source fails whose server sends `data`; without its port."""
    with says(data) as port:
        found = _source(port, is_live=is_live)
        try:
            with pytest.raises(SourceError) as failed:
                _first(found)
        finally:
            found.close()
    return str(failed.value).replace(str(port), "PORT")


def _first(found: Source) -> None:
    found.open()
    next(iter(found.pictures()))


@pytest.mark.parametrize("place", HTTP_PLACES)
@pytest.mark.parametrize("is_live", [True, False])
def test_no_reason_over_http_depends_on_a_servers_words(place: str, is_live: bool) -> None:
    """A password in any spelling changes no letter of what is told."""
    forms = [SECRET.encode("latin-1"), SECRET.encode(), "Accès refusé".encode("latin-1"), b"hunter2"]
    told = {_refused(_http(place, word.translate(None, b"/:%")), is_live=is_live) for word in (*forms, b"q")}
    assert len(told) == 1, told
    camera_pb2.CameraState(reason=told.pop()).SerializeToString()


# -- where else it could go ----------------------------------------------------------------------------------------


def test_a_probe_says_nothing_in_a_servers_words() -> None:
    """An echo of the password, in Latin-1, in the reason of a refusal."""
    with says(_http("reason", SECRET.encode("latin-1") + b" found")) as port:
        secrets = Secrets(None, {"LAMPLIGHT_SECRET_X": f"admin:{SECRET}"})
        sources = Sources(OPEN, secrets, SystemClock(), pace=mock.Mock(), timeout_s=2.0, max_picture_bytes=10_000)
        report = look(f"http://127.0.0.1:{port}/x", "x", sources, 1.0)
    assert (report.error or "").endswith("status 403 Forbidden found, 200 expected")


def test_a_fault_is_logged_by_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text, which may hold what a server sent, is in no line."""
    try:
        int("hunter2")
    except ValueError as error:
        place = where(error)
    stderr = io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    log.configure("ingest")
    structlog.get_logger().error("fault of our own", where=place)
    assert "hunter2" not in stderr.getvalue()
    assert "test_what_servers_say.py" in stderr.getvalue()
