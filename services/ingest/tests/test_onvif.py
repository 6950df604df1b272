"""ONVIF devices, against a small responder written from the specification, with the quirks of real makes."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lamplight_ingest.adapters.http_hosts import HttpHosts
from lamplight_ingest.adapters.onvif import Device, OnvifDevice, device_address
from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.doors import Doors
from lamplight_ingest.model import SourceAway, SourceError, SourceRefused
from lamplight_ingest.onvif import messages, xml
from lamplight_kit.clock import SystemClock

USER, PASSWORD = "operator", "pass/word:never&shown"
PROFILES = """
<trt:Profiles token="main &amp; 1" fixed="true"><tt:Name>Main</tt:Name>
 <tt:VideoSourceConfiguration token="v"><tt:Name>V</tt:Name></tt:VideoSourceConfiguration>
 <tt:VideoEncoderConfiguration token="e1"><tt:Name>E</tt:Name><tt:Encoding>H264</tt:Encoding>
  <tt:Resolution><tt:Width>1920</tt:Width><tt:Height>1080</tt:Height></tt:Resolution>
  <tt:RateControl><tt:FrameRateLimit>25</tt:FrameRateLimit><tt:EncodingInterval>1</tt:EncodingInterval>
   <tt:BitrateLimit>4096</tt:BitrateLimit></tt:RateControl>
  <tt:H264><tt:GovLength>50</tt:GovLength><tt:H264Profile>Main</tt:H264Profile></tt:H264>
 </tt:VideoEncoderConfiguration></trt:Profiles>
<trt:Profiles token="sound"><tt:Name>Sound</tt:Name></trt:Profiles>"""
PROFILES2 = """
<tr2:Profiles token="second"><tr2:Name>Second</tr2:Name><tr2:Configurations>
 <tr2:VideoEncoder token="e2" GovLength="30" Profile="Main"><tt:Name>E2</tt:Name><tt:Encoding>H265</tt:Encoding>
  <tt:Resolution><tt:Width>640</tt:Width><tt:Height>360</tt:Height></tt:Resolution>
  <tt:RateControl ConstantBitRate="false"><tt:FrameRateLimit>15</tt:FrameRateLimit>
   <tt:BitrateLimit>512</tt:BitrateLimit></tt:RateControl></tr2:VideoEncoder></tr2:Configurations></tr2:Profiles>"""


@dataclass
class Responder:
    """A device; its fields are its quirks."""

    login: str = ""  # "", "token", "digest"
    has_media2: bool = True
    media2_faults: bool = False
    has_services: bool = True
    prefix: str = "tds"
    known_as: str = ""
    ahead_s: float = 0.0
    body: bytes | None = None
    stream: str = "rtsp://{host}:554/profile/{token}?a=1&amp;b=2"
    port: int = 0
    qop: str = "auth"
    calls: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)

    def answer(self, path: str, request: str, authorization: str) -> tuple[int, bytes, dict[str, str]]:
        """Return status, body and headers."""
        self.heard += [request, authorization]
        body = re.search(r"<s:Body><(\w+)", request)
        call = body[1] if body else ""
        self.calls.append(f"{path} {call}")
        if self.body is not None:
            return 200, self.body, {}
        if call != "GetSystemDateAndTime" and not self._knows(request, authorization):
            if self.login == "digest":
                wanted = f'Digest realm="cam", nonce="abc", qop="{self.qop}", algorithm=MD5'
                return 401, b"", {"WWW-Authenticate": wanted}
            return 400, self._fault("ter:NotAuthorized", "Sender not Authorized"), {}
        made = getattr(self, f"_{call}", lambda _: self._fault("ter:ActionNotSupported", "no such action"))(request)
        return (500 if b"Fault" in made else 200), made, {}

    def _knows(self, request: str, authorization: str) -> bool:
        if self.login == "token":
            nonce, created, told = (
                (re.search(f"<{name}[^>]*>([^<]*)<", request) or ["", ""])[1]
                for name in ("Nonce", "Created", "Password")
            )
            proof = hashlib.sha1(base64.b64decode(nonce) + created.encode() + PASSWORD.encode()).digest()  # noqa: S324
            at = dt.datetime.fromisoformat(created) if created else dt.datetime.fromtimestamp(0, dt.UTC)
            late_s = (dt.datetime.now(dt.UTC) - at).total_seconds() + self.ahead_s
            return told == base64.b64encode(proof).decode() and abs(late_s) < 10
        return not self.login or authorization.startswith("Digest ")

    def _wrapped(self, inner: str) -> bytes:
        text = (
            '<?xml version="1.0"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope" '
            f'xmlns:{self.prefix}="{messages.DEVICE}" xmlns:trt="{messages.MEDIA}" xmlns:tr2="{messages.MEDIA2}" '
            'xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:ter="http://www.onvif.org/ver10/error">'
            f"<SOAP-ENV:Body>{inner}</SOAP-ENV:Body></SOAP-ENV:Envelope>"
        )
        return text.encode()

    def _fault(self, code: str, reason: str) -> bytes:
        inner = f"<Code><Value>SOAP-ENV:Sender</Value><Subcode><Value>{code}</Value></Subcode></Code>"
        return self._wrapped(f"<SOAP-ENV:Fault>{inner}<Reason><Text>{reason}</Text></Reason></SOAP-ENV:Fault>")

    @property
    def _host(self) -> str:
        return self.known_as or f"127.0.0.1:{self.port}"

    def _GetSystemDateAndTime(self, _: str) -> bytes:
        now = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.ahead_s)
        time = f"<tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute><tt:Second>{now.second}</tt:Second>"
        date = f"<tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day>"
        return self._wrapped(f"<tt:UTCDateTime><tt:Time>{time}</tt:Time><tt:Date>{date}</tt:Date></tt:UTCDateTime>")

    def _GetServices(self, _: str) -> bytes:
        if not self.has_services:
            return self._fault("ter:ActionNotSupported", "Optional Action Not Implemented")
        services = {messages.MEDIA: "/onvif/media", **({messages.MEDIA2: "/onvif/media2"} if self.has_media2 else {})}
        p = self.prefix
        return self._wrapped(
            "".join(
                f"<{p}:Service><{p}:Namespace>{name}</{p}:Namespace><{p}:XAddr>http://{self._host}{path}</{p}:XAddr>"
                f"</{p}:Service>"
                for name, path in services.items()
            )
        )

    def _GetCapabilities(self, _: str) -> bytes:
        media = f"<tt:Media><tt:XAddr>http://{self._host}/onvif/media</tt:XAddr></tt:Media>"
        return self._wrapped(f"<{self.prefix}:Capabilities>{media}</{self.prefix}:Capabilities>")

    def _GetProfiles(self, request: str) -> bytes:
        if messages.MEDIA2 in request:
            return self._fault("ter:InternalError", "oops") if self.media2_faults else self._wrapped(PROFILES2)
        return self._wrapped(PROFILES)

    def _GetStreamUri(self, request: str) -> bytes:
        token = (re.search("<ProfileToken>([^<]*)", request) or ["", ""])[1]
        uri = self.stream.format(host=self._host.partition(":")[0], token=token.replace(" &amp; ", "-"))
        return self._wrapped(f"<trt:MediaUri><tt:Uri>{uri}</tt:Uri></trt:MediaUri>")

    def _GetSnapshotUri(self, _: str) -> bytes:
        return self._wrapped(f"<trt:MediaUri><tt:Uri>http://{self._host}/snap.jpg</tt:Uri></trt:MediaUri>")


@contextlib.contextmanager
def responding(made: Responder) -> Iterator[Responder]:
    """Serve a device on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, body, headers = made.answer(self.path, request, self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def asked(made: Responder, doors: Doors | None = None, password: str = PASSWORD) -> Device:
    """Return what a device tells."""
    address = device_address(f"onvif://127.0.0.1:{made.port}")
    assert address is not None
    hosts = HttpHosts(doors or Doors(allow_loopback=True), 2.0)
    credentials = Credentials(USER, password) if made.login else None
    return OnvifDevice(address, credentials, hosts, SystemClock()).describe()


@pytest.mark.parametrize("login", ["", "token", "digest"])
@pytest.mark.parametrize("prefix", ["tds", "ns1", "SOAP-Service"])
def test_a_device_tells_its_profiles_and_their_addresses(login: str, prefix: str) -> None:
    """By Media2 where it is there; however it calls its namespaces, and however it wants the password proved."""
    with responding(Responder(login=login, prefix=prefix)) as made:
        device = asked(made)
        (profile,) = device.profiles
        assert (profile.codec, profile.frame_hw, profile.rate_hz) == ("hevc", (360, 640), 15)
        assert (profile.keyframe_interval_s, profile.bitrate_kbps) == (2, 512)
        assert profile.stream == "rtsp://127.0.0.1:554/profile/second?a=1&b=2"
        assert profile.snapshot == f"http://127.0.0.1:{made.port}/snap.jpg"
        assert PASSWORD not in "".join(made.heard)
        assert profile.note == ""


@pytest.mark.parametrize("quirk", [{"has_media2": False}, {"media2_faults": True}, {"has_services": False}])
def test_older_devices_are_asked_the_older_way(quirk: dict[str, Any]) -> None:
    """Without Media2, with one that fails, or without GetServices."""
    with responding(Responder(**quirk)) as made:
        (profile,) = asked(made).profiles
        assert (profile.token, profile.name, profile.codec) == ("main & 1", "Main", "h264")
        assert (profile.frame_hw, profile.keyframe_interval_s) == ((1080, 1920), 2)
        assert profile.stream.startswith("rtsp://127.0.0.1:554/profile/main")


def test_a_device_behind_a_nat_is_asked_where_it_was_found() -> None:
    """The host that it knows itself by is never asked, and told."""
    with responding(Responder(known_as="192.168.1.64")) as made:
        (profile,) = asked(made).profiles
        assert profile.stream.startswith("rtsp://127.0.0.1:554/")
        assert profile.snapshot == f"http://127.0.0.1:{made.port}/snap.jpg"
        assert "192.168.1.64" in profile.note


def test_a_device_that_names_no_address_has_no_services() -> None:
    """What cannot be read as one is passed over."""
    with responding(Responder(known_as="[bad")) as made, pytest.raises(SourceRefused, match="without a video profile"):
        asked(made)


def test_a_device_whose_clock_is_wrong_is_believed_by_its_own() -> None:
    """Its token is stamped as it counts, since it refuses one that is old; how far it is ahead is told."""
    with responding(Responder(login="token", ahead_s=-7200)) as made:
        assert asked(made).ahead_s == pytest.approx(-7200, abs=3)


def test_a_wrong_password_is_refused_with_the_cure_and_never_shown() -> None:
    """Nor is one asked for where the device names none."""
    for login in ("token", "digest"):
        with responding(Responder(login=login)) as made:
            made._knows = lambda *_: False  # type: ignore[method-assign]  # the fault under test
            with pytest.raises(SourceRefused) as refused:
                asked(made)
            assert PASSWORD not in str(refused.value)
            assert "secret" in str(refused.value) or "401" in str(refused.value)


def test_a_digest_that_we_cannot_answer_is_named_with_the_cure() -> None:
    """By the very words of the live camera, since both answer by the same code."""
    with responding(Responder(login="digest", qop="auth-int")) as made:
        with pytest.raises(SourceRefused, match="it asks for Digest MD5 with qop auth-int") as refused:
            asked(made)
        assert "set the camera's authentication" in str(refused.value)
        assert not any(heard.startswith("Digest ") for heard in made.heard)


@pytest.mark.parametrize(
    ("stream", "note"),
    [
        ("rtsp://admin:hush@{host}/x", "holds a password"),
        ("rtsp://{host}/user=admin&amp;password=hush", "holds a password"),
        ("gopher://{host}/x", "scheme gopher"),
        ("", "no address"),
        ("rtsp://[bad", "cannot be read"),
    ],
)
def test_an_address_that_may_be_no_source_is_left_out(stream: str, note: str) -> None:
    """With the reason; a password in it is not shown."""
    with responding(Responder(stream=stream)) as made:
        (profile,) = asked(made).profiles
        assert profile.stream == ""
        assert note in profile.note
        assert "hush" not in profile.note


BOMB = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><l>&b;</l>'
FILE = b'<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l>&x;</l>'


@pytest.mark.parametrize(
    "body",
    [BOMB, FILE, b"<html><p>hello", b"", b"\x00\xff", b"<a>" * 100 + b"</a>" * 100, b"<a>" + b"<b/>" * 30_000 + b"</a>",
     b"<a>" + b" " * (1 << 20) + b"</a>"],
    ids=["bomb", "file", "html", "nothing", "noise", "deep", "wide", "long"],
)  # fmt: skip
def test_what_is_no_answer_is_refused_within_bounds(body: bytes) -> None:
    """No document types, no entities, nothing deep, wide or long."""
    with responding(Responder(body=body)) as made, pytest.raises((SourceAway, SourceRefused)):
        asked(made)


def test_doors_are_closed_to_devices_too() -> None:
    """Nobody is asked at an address that is closed."""
    with responding(Responder()) as made:
        with pytest.raises(SourceError, match="this machine"):
            asked(made, Doors())
        assert made.calls == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("onvif://cam.example", "http://cam.example/onvif/device_service"),
        ("onvif://cam.example:8000/", "http://cam.example:8000/onvif/device_service"),
        ("onvif://cam.example/other/service", "http://cam.example/other/service"),
        ("https://cam.example/onvif/device_service", "https://cam.example/onvif/device_service"),
        ("http://cam.example/now.jpg", None),
        ("rtsp://cam.example/onvif/device_service", None),
    ],
)
def test_which_addresses_are_devices(source: str, expected: str | None) -> None:
    """By their own scheme, or by the path that the specification fixes."""
    found = device_address(source)
    assert (found.text if found else None) == expected


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """By no other error."""
    with contextlib.suppress(xml.Unreadable):
        answer = xml.read(data)
        messages.profiles_of(answer)
        messages.services_of(answer)
        messages.date_of(answer)
        messages.fault_of(answer)
