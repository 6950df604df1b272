"""Passwords stay where they are: after a run full of failures no topic, log, metric, call or probe holds one.

The servers here know the password, as a real one does once it was sent, and say it wherever they can.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html import escape
from urllib.parse import quote

import pytest
from ingest_world import Detect, Seen, Start, camera, serving
from kafka import KafkaConsumer, TopicPartition
from lamplight.camera.v1 import camera_pb2
from lamplight_cli.commands import run
from lamplight_kit.kafka import BusSettings
from waits import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
USER, PASSWORD = "root", "p@ss/w0rd:never&shown=1"
TOKEN = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
FORMS = {PASSWORD, quote(PASSWORD), quote(PASSWORD, safe=""), escape(PASSWORD), TOKEN, PASSWORD.encode().hex()}
SAID = f"{PASSWORD} {quote(PASSWORD, safe='')} {escape(PASSWORD)} {TOKEN}"
IN_URL = f"http://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:9/x?password={quote(PASSWORD, safe='')}"
SDP = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=control:x\r\n"
)
FAULT = f"<e><Body><Fault><Reason><Text>{escape(SAID)}</Text></Reason></Fault></Body></e>"
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"


def http(status: str, body: str = "", **headers: str) -> bytes:
    """Return an HTTP or RTSP answer."""
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"{status}\r\n{named}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()


def playlist(text: str) -> bytes:
    """Return a playlist as an answer."""
    return http("HTTP/1.1 200 OK", PLAYLIST + text, Content_Type="application/vnd.apple.mpegurl")


WEB: dict[str, bytes] = {
    "snap401": http(f"HTTP/1.1 401 {SAID}", SAID, WWW_Authenticate=f'Basic realm="{TOKEN}"'),
    "snap404": http(f"HTTP/1.1 404 {SAID}", SAID),
    "snap500": http(f"HTTP/1.1 500 {SAID}", SAID),
    "wrong": http("HTTP/1.1 200 OK", SAID, Content_Type=f"image/{PASSWORD}", ETag=TOKEN),
    "away": http("HTTP/1.1 302 Found", Location=IN_URL),
    "file": http("HTTP/1.1 302 Found", Location=f"file:///{quote(PASSWORD)}"),
    "noise": f"{SAID}\r\n{SAID}\r\n\r\n".encode(),
    "mjpeg": http("HTTP/1.1 200 OK", SAID * 2000, Content_Type=f'multipart/x-mixed-replace; boundary="{TOKEN}"'),
    "key.m3u8": playlist(f'#EXT-X-KEY:METHOD={TOKEN},URI="{PASSWORD}"\n#EXTINF:1,{SAID}\n{quote(PASSWORD)}.ts\n'),
    "url.m3u8": playlist(f"#EXTINF:1,{SAID}\n{IN_URL}\n"),
    "onvif/device_service": http("HTTP/1.1 500 Error", FAULT, Content_Type="application/soap+xml"),
}
RTSP: dict[str, Callable[[str], bytes]] = {
    "refused": lambda cseq: http(f"RTSP/1.0 403 {SAID}", SAID, CSeq=cseq),
    "locked": lambda cseq: http(f"RTSP/1.0 401 {SAID}", SAID, CSeq=cseq, WWW_Authenticate='Basic realm="x"'),
    "away": lambda cseq: http("RTSP/1.0 302 Moved", CSeq=cseq, Location=IN_URL.replace("http", "rtsp")),
    "odd": lambda cseq: http("RTSP/1.0 200 OK", SDP + f"a=x:{SAID}\r\n", CSeq=cseq, Content_Type="application/sdp"),
    "noise": lambda cseq: f"{SAID} {cseq}\r\n\r\n".encode(),
}


@contextlib.contextmanager
def telling(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """Serve whoever connects: an answer a request, then nothing; give the port."""
    stopping = threading.Event()

    def talk(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            while asked := connection.recv(65536):
                connection.sendall(answer(asked))
                if not asked.startswith((b"OPTIONS", b"DESCRIBE", b"SETUP", b"GET ", b"POST ")):
                    return

    def serve() -> None:
        while not stopping.is_set():
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        server.settimeout(0.05)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        stopping.set()
        thread.join(10)


def of_web(asked: bytes) -> bytes:
    """Answer by the path that is asked for; ask for the password first."""
    path = asked.split(b" ")[1].decode().lstrip("/") if b" " in asked else ""
    if b"authorization:" not in asked.lower() and path != "onvif/device_service":
        return http("HTTP/1.1 401 Unauthorized", WWW_Authenticate='Basic realm="cam"')
    return WEB.get(path, WEB["snap404"])


def of_rtsp(asked: bytes) -> bytes:
    """Answer by the path that is asked for; ask for the password first."""
    path = asked.split(b" ")[1].decode().rpartition("/")[2] if asked.count(b" ") > 1 else ""
    cseq = (re.search(rb"(?i)cseq: *(\d+)", asked) or [b"", b"0"])[1].decode()
    if asked.startswith(b"OPTIONS"):
        return http("RTSP/1.0 200 OK", CSeq=cseq, Public="DESCRIBE, SETUP, PLAY")
    if b"authorization:" not in asked.lower():
        return http("RTSP/1.0 401 Unauthorized", CSeq=cseq, WWW_Authenticate='Basic realm="cam"')
    return RTSP.get(path, RTSP["refused"])(cseq)


def held(bus: BusSettings) -> bytes:
    """Return everything that any topic holds: keys, values, headers, aborted transactions too."""
    consumer = KafkaConsumer(bootstrap_servers=bus.bootstrap_servers, isolation_level="read_uncommitted")
    try:
        topics = [topic for topic in consumer.topics() if topic.startswith(bus.namespace)]
        parts = [TopicPartition(topic, number) for topic in topics for number in consumer.partitions_for_topic(topic)]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        ends, found = consumer.end_offsets(parts), bytearray()
        while any(consumer.position(part) < ends[part] for part in parts):
            for records in consumer.poll(500).values():
                for record in records:
                    headers = b"".join(key.encode() + value for key, value in record.headers)
                    found += (record.key or b"") + (record.value or b"") + headers
        return bytes(found)
    finally:
        consumer.close()


def test_no_password_is_told_anywhere(
    start: Start,
    seen: Seen,
    bus: BusSettings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By no failure of any kind of source, live or looked at."""
    with serving(Detect()) as address, telling(of_web) as web, telling(of_rtsp) as rtsp:
        urls = {path.replace("/", "-").replace(".", "-"): f"http://127.0.0.1:{web}/{path}" for path in WEB}
        urls |= {f"rtsp-{path}": f"rtsp://127.0.0.1:{rtsp}/{path}" for path in RTSP}
        more = {"LAMPLIGHT_SECRET_GUARDED": f"{USER}:{PASSWORD}", "LAMPLIGHT_SOURCE_TIMEOUT_S": "1"}
        worker = start("ingest-0", address, LAMPLIGHT_LOG_LEVEL="debug", **more)
        until(worker.ready)
        wished = [camera(name, url, credentials_secret="guarded") for name, url in urls.items()]
        admin = worker.call("admin")
        admin.ApplyCameras(camera_pb2.ApplyCamerasRequest(cameras=wished), timeout=30)
        bad = (camera_pb2.CameraState.STATE_REFUSED, camera_pb2.CameraState.STATE_GONE)
        failed = lambda: all((state := seen.state(name)) and state.state in bad for name in urls) or None  # noqa: E731
        until(failed, within_s=60)

        told = {"metrics": worker.metrics(), "log": worker.log.read_text(), "topics": held(bus).decode("latin-1")}
        told["calls"] = str(admin.ListCameras(camera_pb2.ListCamerasRequest(), timeout=30))
        for name, value in more.items():
            monkeypatch.setenv(name, value)
        options = ("--secret", "guarded", "--json", "--allow-loopback", "--for", "1")
        with ThreadPoolExecutor(8) as pool:
            ended = list(pool.map(lambda url: run(["camera", "probe", url, *options]), urls.values()))
        captured = capsys.readouterr()
    assert set(ended) == {1}
    told["probe"] = captured.out + captured.err
    assert all(json.loads(line)["error"] for line in captured.out.splitlines())
    for place, text in told.items():
        for form in FORMS:
            assert form not in text, (place, form, [line for line in text.splitlines() if form in line][:2])
