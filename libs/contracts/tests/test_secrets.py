"""No password inside an address goes unseen, and none is left where a text was scrubbed."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lamplight_contracts.secrets import has_secret, scrub

USERS = ("rtsp://{u}@10.0.0.1/x", "rtsp:/{u}@h/x", "{u}@10.0.0.1/stream", "//{u}@10.0.0.1/stream", "http://h/{u}@x",
         "rtsp://h/x#{u}@h", "mqtt:{u}@h", "https://h:80/?to=rtsp://{u}@x", "{u}@h/rtsp://x")  # fmt: skip
QUERIES = ("http://h/snap.jpg?user=admin&password={p}", "https://h/hook?token={p}", "http://h/?a=1;pwd={p}&b=2",
           "http://h/#access_token={p}", "http://u:v@h/?key={p}", "h/?p%61ss={p}", "http://h/x?X-Amz-Signature={p}",
           "http://h/x?loginuse=a&loginpas={p}", "http://h/?apiKey={p}", "http://h/?auth={p}",
           "http://h/?secret={p}", "rtsp://h/x?channel=1&authbasic={p}", "http://h/?passw={p}", "http://h/?passwort={p}",
           "http://h/?jwt={p}", "http://h/?pin={p}", "http://h/?access_code={p}", "http://h/?account=a&sid={p}",
           "http://h/?user=admin:{p}", "rtsp://h/access_code={p}", "http://h/?u=admin&p={p}", "http://h/?mot%20de%20passe={p}",
           "http://h/?contrase%C3%B1a={p}", "rtsp://h/ch0/admin:{p}", "http://h/?session={p}")  # fmt: skip
PASSWORDS = st.text(min_size=1, max_size=12)
# Marked at both ends, so that a part of one is seen as well.
MARKED = PASSWORDS.map(lambda text: f"zq{text}qz")


@given(st.sampled_from(USERS), MARKED, st.sampled_from(["", "cannot open ", "http://a:80/x and ", "(mail a@b) "]))
def test_no_password_before_an_at_survives(shape: str, password: str, before: str) -> None:
    """Raw, with any character, as a whole address; in a sentence where it is one word or its URL is marked."""
    address = shape.format(u=f"user:{password}")
    assert has_secret(address, whole=True)
    assert not [part for part in ("zq", "qz") if part in scrub(address, whole=True)]
    if shape.startswith(("rtsp://", "http")) or not any(letter.isspace() for letter in password):
        told = scrub(f"{before}{address} here")
        assert has_secret(f"{before}{address} here")
        assert "zq" not in told
        assert "qz" not in told


@given(st.sampled_from(QUERIES), MARKED)
def test_no_password_in_a_query_survives(shape: str, password: str) -> None:
    """Raw as a whole address, encoded as URLs want it in a sentence."""
    raw, encoded = shape.format(p=password), shape.format(p=quote(password, safe=""))
    assert has_secret(raw, whole=True)
    assert "qz" not in scrub(raw, whole=True)
    assert has_secret(f"GET {encoded} failed")
    assert "qz" not in scrub(f"GET {encoded} failed")
    assert scrub(f"GET {encoded} failed").endswith(" failed")


@given(st.text(max_size=80), st.booleans())
def test_scrubbing_twice_changes_nothing_more(text: str, whole: bool) -> None:
    """And a text without a secret stays as it is."""
    once = scrub(text, whole=whole)
    assert scrub(once, whole=whole) == once
    assert (once == text) or has_secret(text, whole=whole)


@pytest.mark.parametrize(
    "text",
    ["", "ask desk@city.example", "Purpose: ask desk@city.example", "open 7:30, mail a@b.example", "http://h/a@b.jpg",
     "clips/a@b.mp4", "rtsp://cam:554/s?channel=1&keyframes=1&user=admin", "http://[::1]:8080/x", "C:\\clips\\a.mp4",
     "http://cam:80/x and http://cam:81/y", "see http://cam/x or mail desk@city.example", "compass=1?heading=90",
     "rtsp://h/live/mp4:sample.mp4", "http://h/?p=1&page=2", "http://h/x?sid=1", "http://h/?time=12:30:05&id=ab12cd34ef",
     "rtsp://h/Streaming/Channels/101?transportmode=unicast&profile=Profile_1", "http://h/?code=ab&hash=cd&author=me",
     "rtsp://h/cam/realmonitor?channel=1&subtype=0&unicast=true&proto=Onvif", "rtsp://h/10:30/x", "rtsp://h/pinhole?spin=1",
     "archive/key=7/clip.mp4", "rtsp://h/user=admin_channel=1_stream=0.sdp"],
)  # fmt: skip
def test_what_holds_no_secret_passes(text: str) -> None:
    """Paths, ports, clock times and mail addresses stay as they are."""
    assert not has_secret(text)
    assert scrub(text) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x http://u:p@h/ y", "x http://***@h/ y"),
        ("rtsp://user:pa@ss@host/x", "rtsp://***@host/x"),
        ("rtsp://user:hun/ter2@h", "rtsp://***@h"),
        ("rtsp://user:hunter2%40h/x", "rtsp://***%40h/x"),
        ("mqtt:user:hunter2@h", "***@h"),
        ("http://h/x?a=1&password=hun&ter2 y", "http://h/x?a=1&password=*** y"),
        ("http://u:v@h/?key=a", "http://***@h/?key=***"),
        ("rtsp://h/user=admin_password=tlJw_channel=1_stream=0.sdp", "rtsp://h/user=admin_password=***"),
        ("see rtsp://h/password=x/1 there", "see rtsp://h/password=*** there"),
        ("http://u:v@h/?key=a@b", "http://***"),
        ("http://a/1 then http://u:p@b/2", "http://a/1 then http://***@b/2"),
    ],
)
def test_what_is_left_says_where(text: str, told: str) -> None:
    """Scheme, host and path stay, so that a reader knows which address is meant."""
    assert scrub(text) == told


@given(st.text(min_size=1, max_size=20))
def test_a_user_and_a_password_in_base64_are_seen(password: str) -> None:
    """Whatever the parameter is called, or none; padded or not, for URLs or not."""
    token = base64.b64encode(f"admin:{password}".encode()).decode()
    for form in (
        token,
        token.rstrip("="),
        quote(token, safe=""),
        base64.urlsafe_b64encode(base64.b64decode(token)).decode(),
    ):
        for address in (f"rtsp://h/cam?channel=1&x={form}&y=2", f"rtsp://h/live/{form}", f"http://h/{form}/1"):
            if password.isprintable() and not password[0].isspace() and "/" not in form:
                assert has_secret(address, whole=True), address
                assert form not in scrub(address, whole=True)
                assert form not in scrub(f"see {address} there")
