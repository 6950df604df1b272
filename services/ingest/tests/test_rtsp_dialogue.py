"""The conversation: asked for as each server wants it, kept alive, sent elsewhere, refused, and never led astray."""

from __future__ import annotations

import pytest
from lamplight_ingest.rtsp.address import control_url, target_of
from lamplight_ingest.rtsp.auth import Login
from lamplight_ingest.rtsp.client import Options, RtspClient
from lamplight_ingest.rtsp.events import Failed, Fault, Limits, Moved, Playing
from rtsp_wire import URL, Fed, answer, description, framed, greeting, rtp

LOGIN = Login("wärter", 'gehe"im:@/')
DIGEST = 'WWW-Authenticate: Digest realm="cam", nonce="{}", algorithm=SHA-256, qop="auth"'


def _failed(fed: Fed) -> Failed:
    last = fed.events[-1]
    assert isinstance(last, Failed), fed.events
    return last


def test_a_session_is_set_up_in_four_requests() -> None:
    """Each with its number, the session once there is one, TCP alone, and the control below the base."""
    fed = Fed().feed(greeting())
    assert fed.requests() == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
    said = fed.said.decode().split("\r\n\r\n")
    assert [f"CSeq: {number + 1}" in said[number] for number in range(4)] == [True] * 4
    assert said[2].startswith(f"SETUP {URL}/trackID=0 RTSP/1.0")
    assert "Transport: RTP/AVP/TCP;unicast;interleaved=0-1" in said[2]
    assert said[3].startswith(f"PLAY {URL}/ RTSP/1.0")
    assert "Session: S1" in said[3]
    assert fed.events == [Playing("h264", 90000)]


@pytest.mark.parametrize(
    ("base", "control", "expected"),
    [
        (f"{URL}/", "trackID=0", f"{URL}/trackID=0"),
        (URL, "trackID=0", f"{URL}/trackID=0"),
        (URL, "/track1", f"{URL}/track1"),
        (URL, "*", URL),
        (URL, None, URL),
        (URL, "rtsp://10.0.0.8:554/live/track1", "rtsp://10.0.0.8:554/live/track1"),
        ("rtsp://c/cam?channel=1&subtype=0", "trackID=0", "rtsp://c/cam?channel=1&subtype=0/trackID=0"),
        (URL, "?ctype=video", f"{URL}?ctype=video"),
        (f"{URL}/", "?ctype=video", f"{URL}/?ctype=video"),
        (f"{URL}/", "/trackID=1", f"{URL}/trackID=1"),
        ("rtsp://user:word@c/live/", "a b\u00e9", "rtsp://c/live/a%20b%C3%A9"),
    ],
)
def test_controls_are_found_as_cameras_mean_them(base: str, control: str | None, expected: str) -> None:
    """Relative, absolute and aggregate ones; never a user, never a space."""
    assert control_url(base, control) == expected


@pytest.mark.parametrize(
    ("base", "control", "other"),
    [
        (URL, "?ctype=video", f"{URL}/?ctype=video"),
        (f"{URL}/", "/trackID=1", f"{URL}//trackID=1"),
        (URL, "trackID=1", "rtsp://camera.example/trackID=1"),
        (URL, "/trackID=1", "rtsp://camera.example/trackID=1"),
    ],
)
@pytest.mark.parametrize("status", ["404 Not Found", "454 Session Not Found", "400 Bad Request"])
def test_a_control_that_is_not_known_is_asked_for_in_its_other_form(
    base: str, control: str, other: str, status: str
) -> None:
    """Once: a server that knows neither refuses."""
    sdp = description().replace(b"a=control:trackID=0", f"a=control:{control}".encode())
    fed = Fed().feed(answer(1)).feed(answer(2, f"Content-Base: {base}", body=sdp)).feed(answer(3, status=status))
    assert f"SETUP {other} RTSP/1.0" in fed.said.decode()
    again = Fed().feed(answer(1)).feed(answer(2, f"Content-Base: {base}", body=sdp)).feed(answer(3, status=status))
    fed.feed(answer(4, "Session: S", "Transport: RTP/AVP/TCP;interleaved=0-1")).feed(answer(5))
    assert isinstance(fed.events[-1], Playing)
    assert status in _failed(again.feed(answer(4, status=status))).reason
    assert again.requests().count("SETUP") == 2


@pytest.mark.parametrize(
    "transport",
    [
        "RTP/AVP/TCP; unicast; interleaved = 2-3",
        "RTP/AVP/TCP;unicast;Interleaved=2-3",
        'RTP/AVP/TCP;unicast;interleaved="2-3"',
        "RTP/AVP/TCP;unicast;interleaved=2 - 3",
    ],
)
def test_channels_are_read_however_they_are_written(transport: str) -> None:
    """Spaces, capitals, quotes."""
    fed = Fed().feed(answer(1)).feed(answer(2, body=description()))
    fed.feed(answer(3, f"Transport: {transport}", "Session: S")).feed(answer(4))
    for seq, slice_data in enumerate((b"\x65\x88key", b"\x41\x9aplain")):
        fed.feed(framed(rtp(slice_data, seq, 9000 * seq, marker=True), 2))
    assert len(fed.units) == 1


@pytest.mark.parametrize("session", ["S;Timeout=6", "S; timeout = 6", 'S;timeout="6"'])
def test_a_time_out_is_read_however_it_is_written(session: str) -> None:
    """A word at half of it."""
    fed = Fed().feed(greeting(session=session)).tick(2.9)
    assert len(fed.requests()) == 4
    assert len(fed.tick(3.1).requests()) == 5


@pytest.mark.parametrize("number", ["0", "77", "x"])
def test_answers_that_all_have_one_number_are_taken(number: str) -> None:
    """No other request is under way that they could mean; the number of an earlier one means that one."""
    fed = Fed()
    for step in (answer(1), answer(2, body=description()), answer(3, "Transport: RTP/AVP/TCP;interleaved=0-1")):
        head, _, rest = step.partition(b"CSeq: ")
        fed.feed(head + f"CSeq: {number}".encode() + rest[1:])
    fed.feed(answer(2, status="500 Late"))
    assert not fed.client.is_playing
    assert fed.feed(answer(0)).client.is_playing


def _again(fed: Fed) -> Fed:
    """Go where a client was sent, over another connection."""
    after = Fed()
    after.client = fed.client.successor()
    after.said, after.events = b"", []
    after.client.begin(0.0)
    return after.feed(b"")


def test_a_server_that_hangs_up_after_its_challenge_is_told_over_another_connection() -> None:
    """The answer goes with the first request there."""
    fed = Fed(login=LOGIN).feed(answer(1)).feed(answer(2, DIGEST.format("n"), status="401 Unauthorized"))
    fed.client.broke_off("the server closed the connection")
    fed.feed(b"")
    assert fed.events == [Moved(URL)]
    after = _again(fed)
    after.feed(answer(1)).feed(answer(2, body=description()))
    assert [part.count(b"Authorization: Digest") for part in after.said.split(b"\r\n\r\n")[:3]] == [1, 1, 1]
    assert after.requests() == ["OPTIONS", "DESCRIBE", "SETUP"]


@pytest.mark.parametrize("nonce", ["n", "fresh"])
def test_a_server_that_hangs_up_on_a_wrong_password_is_left(nonce: str) -> None:
    """One more connection, and no more."""
    fed = Fed(login=LOGIN).feed(answer(1)).feed(answer(2, DIGEST.format("n"), status="401 Unauthorized"))
    fed.client.broke_off("the server closed the connection")
    after = _again(fed.feed(b"")).feed(answer(1, DIGEST.format(nonce), status="401 Unauthorized"))
    after.client.broke_off("the server closed the connection")
    assert _failed(after.feed(b"")).fault is Fault.REFUSED
    assert "password is wrong" in _failed(after).reason


def test_a_server_that_hangs_up_without_a_challenge_is_away() -> None:
    """As ever."""
    fed = Fed(login=LOGIN).feed(answer(1))
    fed.client.broke_off("the server closed the connection")
    assert _failed(fed.feed(b"")).fault is Fault.AWAY


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/other", "rtsp://camera.example/other"),
        ("other?x=1", "rtsp://camera.example/other?x=1"),
        ("?x=1", f"{URL}?x=1"),
        ("//b.example:8554/c", "rtsp://b.example:8554/c"),
    ],
)
def test_a_relative_location_leads_on_from_what_was_asked(location: str, expected: str) -> None:
    """As RFC 2326 has it from HTTP; what is closed stays closed."""
    fed = Fed().feed(answer(1)).feed(answer(2, f"Location: {location}", status="302 Found"))
    assert fed.events == [Moved(expected)]
    closed = Fed(Options(why_not=lambda _: "closed")).feed(answer(1, f"Location: {location}", status="302 Found"))
    assert _failed(closed).fault is Fault.REFUSED


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"Content-Base: {URL}/x/", f"{URL}/x/trackID=0"),
        (f"Content-Location: {URL}/y", f"{URL}/y/trackID=0"),
        ("Content-Base: /z/", "rtsp://camera.example/z/trackID=0"),
        ("Server: none", f"{URL}/trackID=0"),
    ],
)
def test_the_base_of_controls_is_what_the_server_says(header: str, expected: str) -> None:
    """Content-Base, else Content-Location, else what was asked for."""
    fed = Fed().feed(answer(1)).feed(answer(2, header, body=description()))
    assert f"SETUP {expected} RTSP/1.0" in fed.said.decode()


def test_only_the_video_is_set_up() -> None:
    """Sound before and metadata behind it are left alone; the session's own control is what is played."""
    body = description().replace(
        b"m=video", b"a=control:rtsp://camera.example/all\r\nm=audio 0 RTP/AVP 0\r\na=control:snd\r\nm=video"
    )
    body += b"m=application 0 RTP/AVP 107\r\na=control:meta\r\n"
    fed = Fed().feed(greeting(sdp=body))
    assert fed.requests() == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
    assert "PLAY rtsp://camera.example/all " in fed.said.decode()


@pytest.mark.parametrize("channels", ["0-1", "2-3", "6", "254-255"])
def test_channels_are_the_servers(channels: str) -> None:
    """Whatever was asked for, the numbers in the answer count."""
    number = int(channels.partition("-")[0])
    fed = Fed().feed(greeting(channels))
    for seq, slice_data in enumerate((b"\x65\x88key", b"\x41\x9aplain")):
        fed.feed(framed(rtp(slice_data, seq, 9000 * seq, marker=True), number))
    assert len(fed.units) == 1


def test_credentials_are_proved_once_asked_for_and_then_beforehand() -> None:
    """One 401, and from then on every request proves them, its count rising; they themselves are never said."""
    fed = Fed(login=LOGIN).feed(answer(1)).feed(answer(2, DIGEST.format("n1"), status="401 Unauthorized"))
    fed.feed(answer(3, "Content-Type: application/sdp", body=description()))
    fed.feed(answer(4, "Session: S", "Transport: RTP/AVP/TCP;interleaved=0-1")).feed(answer(5))
    assert fed.requests() == ["OPTIONS", "DESCRIBE", "DESCRIBE", "SETUP", "PLAY"]
    said = fed.said.decode()
    assert [f"nc=0000000{count}" in said for count in (1, 2, 3)] == [True] * 3
    assert "Authorization" not in said.split("\r\n\r\n")[1]
    assert "gehe" not in said
    assert isinstance(fed.events[-1], Playing)


def test_a_wrong_password_is_told_once() -> None:
    """A second 401 to the same request ends the session: asking on would lock the account."""
    fed = Fed(login=LOGIN).feed(answer(1))
    for cseq, nonce in ((2, "a"), (3, "b")):
        fed.feed(answer(cseq, DIGEST.format(nonce), status="401 Unauthorized"))
    assert _failed(fed).fault is Fault.REFUSED
    assert "password is wrong" in _failed(fed).reason
    assert fed.requests() == ["OPTIONS", "DESCRIBE", "DESCRIBE"]


def test_a_stale_nonce_is_no_wrong_password() -> None:
    """One that was too old is answered once more, but not for ever."""
    fed = Fed(login=LOGIN).feed(answer(1))
    for cseq in (2, 3, 4, 5):
        fed.feed(answer(cseq, DIGEST.format(f"n{cseq}") + ", stale=true", status="401 Unauthorized"))
    assert fed.requests().count("DESCRIBE") == 3
    assert _failed(fed).fault is Fault.REFUSED


def test_no_credentials_where_some_are_wanted() -> None:
    """The reason names the cure."""
    fed = Fed().feed(answer(1)).feed(answer(2, DIGEST.format("n"), status="401 Unauthorized"))
    assert "name a secret" in _failed(fed).reason


@pytest.mark.parametrize(
    ("challenge", "expected"),
    [
        ('WWW-Authenticate: Digest realm="r", nonce="n", qop="auth-int"', "Digest MD5 with qop auth-int"),
        ("WWW-Authenticate: Negotiate", "Negotiate"),
        ("Server: x", "no challenge in WWW-Authenticate"),
    ],
)
def test_a_login_that_we_cannot_do_is_no_wrong_password(challenge: str, expected: str) -> None:
    """The challenge, what is expected, and the cure."""
    fed = Fed(login=LOGIN).feed(answer(1)).feed(answer(2, challenge, status="401 Unauthorized"))
    assert _failed(fed).fault is Fault.REFUSED
    assert expected in _failed(fed).reason
    assert "Basic or Digest (MD5 or SHA-256, qop auth) expected; set the camera's auth" in _failed(fed).reason
    assert "wrong" not in _failed(fed).reason


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        ("403 Forbidden", Fault.REFUSED),
        ("404 Not Found", Fault.REFUSED),
        ("400 Bad Request", Fault.REFUSED),
        ("453 Not Enough Bandwidth", Fault.AWAY),
        ("500 Internal Server Error", Fault.AWAY),
        ("503 Service Unavailable", Fault.AWAY),
        ("300 Multiple Choices", Fault.AWAY),
    ],
)
def test_what_a_server_refuses_is_told_apart_from_what_it_cannot(status: str, fault: Fault) -> None:
    """The one is looked at by a person, the other tried again."""
    fed = Fed().feed(answer(1)).feed(answer(2, status=status))
    assert _failed(fed).fault is fault
    assert status in _failed(fed).reason


@pytest.mark.parametrize(
    ("sdp", "fault"),
    [
        (b"", Fault.REFUSED),
        (b"v=0\r\nm=audio 0 RTP/AVP 0\r\n", Fault.REFUSED),
        (b"v=0\r\nm=video 0 RTP/AVP 26\r\n", Fault.ODD),
        (description().replace(b"H264", b"VP8"), Fault.ODD),
        (description().replace(b"packetization-mode=1", b"packetization-mode=2"), Fault.ODD),
        (description("H265").replace(b"packetization-mode=1", b"sprop-max-don-diff=2"), Fault.ODD),
        (description().replace(b"RTP/AVP", b"MP2T"), Fault.ODD),
    ],
)
def test_what_cannot_be_received_is_told_before_anything_is_set_up(sdp: bytes, fault: Fault) -> None:
    """No video is a refusal; a video of another kind is for another client."""
    fed = Fed().feed(answer(1)).feed(answer(2, body=sdp))
    assert _failed(fed).fault is fault
    assert "SETUP" not in fed.requests()


@pytest.mark.parametrize(
    "reply",
    [
        answer(3, status="461 Unsupported Transport"),
        answer(3, "Transport: RTP/AVP;unicast;client_port=1-2;server_port=3-4"),
        answer(3, "Transport: RTP/AVP/TCP;interleaved=300-301"),
    ],
)
def test_a_server_that_knows_udp_alone_is_told_apart(reply: bytes) -> None:
    """It is left to another client."""
    fed = Fed().feed(answer(1)).feed(answer(2, body=description())).feed(reply)
    assert _failed(fed).fault is Fault.NO_TCP


@pytest.mark.parametrize(
    ("public", "session", "method", "due_s"),
    [
        ("OPTIONS, PLAY, GET_PARAMETER", "S;timeout=60", "GET_PARAMETER", 30),
        ("OPTIONS, PLAY", "S; timeout=20", "OPTIONS", 10),
        ("GET_PARAMETER", "S", "GET_PARAMETER", 30),
        ("GET_PARAMETER", "S;timeout=0", "GET_PARAMETER", 30),
    ],
)
def test_a_session_is_kept_alive_as_the_server_asks(public: str, session: str, method: str, due_s: float) -> None:
    """At half its time-out, by GET_PARAMETER where the server knows it; an answer that never comes does no harm."""
    fed = Fed().feed(
        answer(1, f"Public: {public}")
        + greeting(session=session)[len(answer(1, "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")) :]
    )
    fed.tick(due_s - 0.5)
    assert len(fed.requests()) == 4
    for _ in range(3):
        fed.tick(due_s)
    assert fed.requests()[4:] == [method]
    fed.feed(answer(5), due_s).tick(2 * due_s + 1)
    fed.tick(3 * due_s + 20)
    assert fed.requests()[4:] == [method] * 3
    assert not fed.client.is_over


def test_a_forgotten_session_ends() -> None:
    """454 to a keep-alive: connect again."""
    fed = Fed().feed(greeting()).tick(31).feed(answer(5, status="454 Session Not Found"), 31)
    assert _failed(fed).fault is Fault.AWAY


def test_a_refused_keep_alive_is_asked_otherwise() -> None:
    """A server that announces GET_PARAMETER and does not know it is asked for its options."""
    fed = Fed().feed(greeting()).tick(31).feed(answer(5, status="501 Not Implemented"), 31).tick(62)
    assert fed.requests()[4:] == ["GET_PARAMETER", "OPTIONS"]


def test_the_server_may_ask_too() -> None:
    """Its requests between packets are answered: known ones with 200, others with 501."""
    fed = Fed().feed(greeting())
    fed.feed(f"OPTIONS {URL} RTSP/1.0\r\nCSeq: 7\r\n\r\n".encode())
    fed.feed(f"SET_PARAMETER {URL} RTSP/1.0\r\nCSeq: 8\r\nContent-Length: 3\r\n\r\na:b".encode())
    fed.feed(f"DANCE {URL} RTSP/1.0\r\nCSeq: 9\r\n\r\n".encode())
    said = fed.said.decode()
    assert "RTSP/1.0 200 OK\r\nCSeq: 7\r\nPublic: " in said
    assert "RTSP/1.0 200 OK\r\nCSeq: 8" in said
    assert "RTSP/1.0 501 Not Implemented\r\nCSeq: 9" in said


@pytest.mark.parametrize(
    "told",
    [
        answer(2, "Location: rtsp://other.example/b", status="302 Moved"),
        b"REDIRECT * RTSP/1.0\r\nCSeq: 1\r\nLocation: rtsp://other.example/b\r\n\r\n",
    ],
)
def test_a_server_may_send_us_elsewhere(told: bytes) -> None:
    """By status or by REDIRECT; credentials stay with the host that they are for."""
    fed = Fed(login=LOGIN).feed(answer(1)).feed(told)
    assert fed.events == [Moved("rtsp://other.example/b")]
    successor = fed.client.successor()
    assert (successor.target.host, successor.target.port) == ("other.example", 554)
    successor.begin(0.0)
    buffer = bytearray(answer(1) + answer(2, DIGEST.format("n"), status="401 Unauthorized"))
    successor.receive(buffer, len(buffer), 0.0)
    assert isinstance(successor.take_events()[-1], Failed)
    assert b"Authorization" not in successor.take_output()


@pytest.mark.parametrize(
    ("url", "location"),
    [
        (URL, "http://other.example/"),
        (URL, "rtsp://closed.example/"),
        (URL, "not a URL"),
        (URL, "rtsp://"),
        ("rtsps://camera.example/live", "rtsp://camera.example/live"),
    ],
)
def test_no_server_sends_us_where_we_may_not_go(url: str, location: str) -> None:
    """Another scheme, a closed door, nowhere, or out of TLS."""
    options = Options(why_not=lambda target: "closed" if target.host == "closed.example" else None)
    fed = Fed(options, url=url).feed(answer(1, f"Location: {location}", status="301 Moved"))
    assert _failed(fed).fault is Fault.REFUSED
    assert "redirected to" in _failed(fed).reason


def test_redirections_have_an_end() -> None:
    """Two servers that point at each other are left."""
    client = RtspClient(target_of(URL), None, Options(limits=Limits(moves=2)))
    for _ in range(3):
        client.begin(0.0)
        buffer = bytearray(answer(1, f"Location: {URL}", status="302 Moved"))
        client.receive(buffer, len(buffer), 0.0)
        last = client.take_events()[-1]
        client = client.successor()
    assert isinstance(last, Failed)
    assert "too many" in last.reason


@pytest.mark.parametrize(
    "data",
    [
        b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"RTSP/1.0 200 OK\r\nX: " + b"y" * 20_000,
        b"RTSP/1.0 200 OK\r\nContent-Length: 2147483648\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"RTSP/1.0 twohundred OK\r\n\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n" * 50_000,
        b"\x00" * 2_000_000,
    ],
)
def test_a_server_that_lies_is_left(data: bytes) -> None:
    """Endless headers, bodies of two gigabytes, other protocols: nothing of them is held."""
    fed = Fed()
    for at in range(0, len(data), 4096):
        fed.feed(data[at : at + 4096])
    assert _failed(fed).fault is Fault.AWAY
    assert fed.most_held <= Limits().item_bytes


def test_a_server_that_only_asks_is_left() -> None:
    """Answers that it does not take are not piled up."""
    fed = Fed()
    client = fed.client
    for _ in range(2000):
        buffer = bytearray(f"OPTIONS {URL} RTSP/1.0\r\nCSeq: 7\r\n\r\n".encode())
        client.receive(buffer, len(buffer), 0.0)
    assert isinstance(client.take_events()[-1], Failed)
    assert len(client.take_output()) <= Limits().output_bytes + 200


@pytest.mark.parametrize("reached", range(4))
def test_silence_ends_what_is_not_yet_playing(reached: int) -> None:
    """Whichever request stays unanswered, its name is told; and a byte a minute is silence."""
    steps = [answer(1), answer(2, body=description()), answer(3, "Transport: RTP/AVP/TCP;interleaved=0-1")]
    fed = Fed()
    for step in steps[:reached]:
        fed.feed(step)
    fed.feed(b"R").tick(9.9)
    assert not fed.client.is_over
    fed.tick(10.1)
    assert ("OPTIONS", "DESCRIBE", "SETUP", "PLAY")[reached] in _failed(fed).reason


def test_leaving_tears_the_session_down() -> None:
    """TEARDOWN is said where there is a session, and nothing more is told."""
    fed = Fed().feed(greeting())
    fed.client.leave(1.0)
    assert b"TEARDOWN rtsp://camera.example/live/ RTSP/1.0" in fed.client.take_output()
    assert fed.client.receive(bytearray(b"anything"), 8, 2.0) == 8
    assert fed.client.take_events() == []


@pytest.mark.parametrize("url", ["http://c/", "rtsp://", "rtsp://c:99999/", "c/live", "rtsp://[::1"])
def test_what_is_no_address_is_refused_without_showing_it(url: str) -> None:
    """The text holds no part of the URL, which may hold a password."""
    with pytest.raises(ValueError, match="expected") as caught:
        target_of(url)
    assert "c/live" not in str(caught.value)


def test_an_address_holds_no_user() -> None:
    """Whoever passes one with a user has it removed from every request."""
    assert target_of("rtsp://user:word@c:8554/live#x").url == "rtsp://c:8554/live"
