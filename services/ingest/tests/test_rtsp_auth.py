"""Credentials are proved as the RFCs' own examples do, with any characters, and are shown nowhere."""

from __future__ import annotations

import base64
import hashlib

import pytest
from lamplight_ingest.rtsp.auth import Authenticator, Challenge, Login, basic, challenges, digest

_MUFASA = Login("Mufasa", "Circle of Life")
_NONCE, _OPAQUE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
_CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_digests_of_rfc_7616(algorithm: str, expected: str) -> None:
    """Section 3.9.1's answers come out."""
    parameters = {"realm": "http-auth@example.org", "qop": "auth, auth-int", "nonce": _NONCE, "opaque": _OPAQUE}
    challenge = Challenge("digest", {**parameters, "algorithm": algorithm})
    told = digest(challenge, _MUFASA, "GET", "/dir/index.html", count=1, own_nonce=_CNONCE)
    assert f'response="{expected}"' in told
    assert f'opaque="{_OPAQUE}"' in told
    assert "nc=00000001" in told


def test_the_digest_of_rfc_2617() -> None:
    """Section 3.5's answer comes out, where no algorithm is named."""
    challenge = Challenge(
        "digest",
        {"realm": "testrealm@host.com", "qop": "auth,auth-int", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093"},
    )
    login = Login("Mufasa", "Circle Of Life")
    told = digest(challenge, login, "GET", "/dir/index.html", count=1, own_nonce="0a4f113b")
    assert 'response="6629fae49393a05397450978507c4ef1"' in told
    assert "algorithm" not in told


def test_the_digest_without_qop() -> None:
    """RFC 2069's form has no count and no number of ours."""
    challenge = Challenge("digest", {"realm": "r", "nonce": "n"})
    told = digest(challenge, Login("u", "p"), "DESCRIBE", "rtsp://c/x", count=3, own_nonce="zz")
    first, second = (hashlib.md5(text).hexdigest() for text in (b"u:r:p", b"DESCRIBE:rtsp://c/x"))  # noqa: S324 - RFC
    assert f'response="{hashlib.md5(f"{first}:n:{second}".encode()).hexdigest()}"' in told  # noqa: S324 - RFC
    assert "cnonce" not in told
    assert "nc=" not in told


def test_the_sess_form_binds_the_secret_to_both_numbers() -> None:
    """RFC 7616, 3.4.2: A1 of -sess."""
    challenge = Challenge("digest", {"realm": "r", "nonce": "n", "algorithm": "SHA-256-sess", "qop": "auth"})
    told = digest(challenge, Login("u", "p"), "PLAY", "rtsp://c/x", count=2, own_nonce="zz")

    def hashed(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    a1 = hashed(f"{hashed('u:r:p')}:n:zz")
    assert hashed(f"{a1}:n:00000002:zz:auth:{hashed('PLAY:rtsp://c/x')}") in told


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            ['Digest realm="a, b", nonce="n\\"x", stale=TRUE'],
            [("digest", {"realm": "a, b", "nonce": 'n"x', "stale": "TRUE"})],
        ),
        (
            ['Basic realm="x", Digest realm=y,nonce=z'],
            [("basic", {"realm": "x"}), ("digest", {"realm": "y", "nonce": "z"})],
        ),
        (["Basic", "Negotiate abc=="], [("basic", {}), ("negotiate", {})]),
        (['Digest realm="no end'], [("digest", {"realm": "no end"})]),
        ([", ,=,", ""], []),
        (['Digest\trealm = "r" ,, NONCE=1'], [("digest", {"realm": "r", "nonce": "1"})]),
    ],
)
def test_challenges_are_read_as_servers_write_them(
    values: list[str], expected: list[tuple[str, dict[str, str]]]
) -> None:
    """Several in one header, several headers, quoted commas, escapes, none at all."""
    assert [(each.scheme, dict(each.parameters)) for each in challenges(values)] == expected


def test_the_strongest_challenge_is_answered() -> None:
    """SHA-256 goes before MD5, MD5 before Basic; what cannot be answered is passed over."""
    offers = [
        "Basic realm=r",
        "Digest realm=r, nonce=a, algorithm=SHA-512-256",
        "Digest realm=r, nonce=b, algorithm=MD5",
        "Digest realm=r, nonce=c, algorithm=SHA-256",
        "Digest realm=r, nonce=d, algorithm=SHA-256, qop=auth-int",
    ]
    assert [each.strength for each in challenges(offers)] == [1, 0, 2, 4, 0]
    authenticator = Authenticator(Login("u", "p"), lambda: "own")
    chosen = authenticator.challenged(offers)
    assert chosen is not None
    assert chosen.nonce == "c"
    assert 'nonce="c"' in (authenticator.header("PLAY", "x") or "")
    assert authenticator.challenged(["Negotiate"]) is None
    assert authenticator.header("PLAY", "x") is None


def test_each_use_of_a_nonce_is_counted() -> None:
    """A server that watches the count sees it rise, and begin anew with a new nonce."""
    authenticator = Authenticator(Login("u", "p"), lambda: "own")
    counts = []
    for nonce in ("a", "b"):
        authenticator.challenged([f"Digest realm=r, nonce={nonce}, qop=auth"])
        counts += [(authenticator.header("PLAY", "x") or "").partition("nc=")[2][:8] for _ in range(2)]
    assert counts == ["00000001", "00000002"] * 2


@pytest.mark.parametrize("user", ["ops", 'a"b\\c', "wärter", "x:y@z/#?", "日本", "a b"])
@pytest.mark.parametrize("password", ["p", "p@ss:w/rd#?", 'q"uo\\te', "pässwört\n"])
def test_names_and_passwords_may_hold_any_character(user: str, password: str) -> None:
    """They go as UTF-8, quoted where they must be, and never break a header."""
    login = Login(user, password)
    assert base64.b64decode(basic(login).removeprefix("Basic ")).decode() == f"{user}:{password}"
    challenge = Challenge("digest", {"realm": "r", "nonce": "n"})
    told = digest(challenge, login, "PLAY", "x", count=1, own_nonce="o")
    quoted = user.replace("\\", "\\\\").replace('"', '\\"')
    assert f'username="{quoted}"' in told
    assert hashlib.md5(f"{user}:r:{password}".encode()).hexdigest() not in told  # noqa: S324 - RFC


def test_a_name_with_line_breaks_stays_within_its_header() -> None:
    """What no quoted string can hold goes percent-encoded (RFC 7616, 3.4; RFC 5987)."""
    told = digest(Challenge("digest", {"nonce": "n"}), Login("a\r\nb", "p"), "PLAY", "x", count=1, own_nonce="o")
    assert "username*=UTF-8''a%0D%0Ab" in told
    assert "\n" not in told


def test_credentials_are_shown_nowhere() -> None:
    """A login's text holds neither name nor password."""
    assert "secret" not in repr(Login("secret-user", "secret-word"))


def _asked(authenticator: Authenticator, *answers: str) -> list[bool]:
    """Return whether each 401 to one request, whose challenges are `answers`, was answered."""
    said = []
    for tries, challenge in enumerate(answers):
        said.append(authenticator.may_answer([challenge] if challenge else [], tries))
        authenticator.header("GET", "/")
    return said


def test_a_nonce_that_serves_once_is_no_wrong_password() -> None:
    """A server that does not say `stale` and wants another number each time is answered once a request."""
    authenticator = Authenticator(Login("u", "p"), lambda: "own")
    for number in range(4):
        assert _asked(authenticator, f"Digest realm=r, nonce=n{number}, qop=auth") == [True]


@pytest.mark.parametrize("challenge", ["Digest realm=r, nonce={}, qop=auth", "Basic realm=r"])
@pytest.mark.parametrize("is_known", [True, False])
def test_a_wrong_password_is_answered_once(challenge: str, is_known: bool) -> None:
    """A second 401 to what answered that very challenge ends it, beforehand or not, however fresh the next nonce is."""
    authenticator = Authenticator(Login("u", "p"), lambda: "own")
    if is_known:  # the password is changed after one request
        assert _asked(authenticator, challenge.format("n")) == [True]
    expected = [True, False] if "nonce" in challenge or not is_known else [False]
    assert _asked(authenticator, *(challenge.format(number) for number in range(len(expected)))) == expected


def test_the_same_nonce_again_is_answered_where_it_had_served_before() -> None:
    """The server may want its count to begin anew; a first use that failed is a wrong password."""
    authenticator = Authenticator(Login("u", "p"), lambda: "own")
    same = "Digest realm=r, nonce=n, qop=auth"
    assert _asked(authenticator, same) == [True]
    authenticator.header("GET", "/")
    assert _asked(authenticator, same, same) == [True, False]


def test_an_algorithm_is_known_without_its_dash() -> None:
    """SHA256 is SHA-256, told back as the server spells it."""
    (challenge,) = challenges(["Digest realm=r, nonce=n, algorithm=SHA256"])
    assert challenge.strength == 4
    told = digest(challenge, Login("u", "p"), "GET", "/", count=1, own_nonce="o")
    assert "algorithm=SHA256" in told
    first, second = (hashlib.sha256(text).hexdigest() for text in (b"u:r:p", b"GET:/"))
    assert f'response="{hashlib.sha256(f"{first}:n:{second}".encode()).hexdigest()}"' in told


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (['Digest realm=r, nonce=n, qop="auth-int"'], "it asks for Digest MD5 with qop auth-int, Basic or Digest"),
        (["Digest realm=r, nonce=n, algorithm=SHA-512-256"], "it asks for Digest SHA-512-256, Basic"),
        (["Negotiate", 'Bearer realm="x"'], "it asks for Negotiate and Bearer, Basic"),
        (["Digest realm=r"], "it asks for Digest MD5 without a nonce, Basic"),
        ([], "it does not say how to log in"),
        (["Basic realm=r", "Negotiate"], "the user name or password is wrong"),
        (["Bearer", "NTLM", "OAuth", "HOBA", "E" * 200], "Bearer and NTLM and OAuth and HOBA and others"),
        (["E" * 200, "hunter2"], "it asks for another kind, Basic or"),
    ],
)
def test_what_cannot_be_answered_is_named_with_the_cure(values: list[str], expected: str) -> None:
    """A wrong password is told of only where one was proved."""
    said = Authenticator(Login("u", "p"), lambda: "own").why_refused(values)
    assert expected in said
    assert ("set the camera's authentication" in said) is ("wrong" not in said)
    assert len(said) < 250
    without = Authenticator(None, lambda: "own").why_refused(values)
    assert ("name a secret" in without) is (not values or "wrong" in expected)
