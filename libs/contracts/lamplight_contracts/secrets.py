"""Passwords inside addresses: whether a text holds one, and the text without it; the one home of that question.

What counts: everything between `://` (or the start) and the last `@` where a colon or a URL's authority is before it,
fragments included, and the values of query keys that are called like a secret, or that are a user and a password,
plain or in base64. Rather too much than a part of one. See docs/decisions/0114 for what does not count, and why.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote

HIDDEN = "***"
_WHITE = re.compile(r"\s|$")
# A URL runs on over white space, which a password may hold, until the next word that holds a URL.
_CHUNK = re.compile(r"(?<!\S)\S*://(?:(?!(?<!\S)\S*://).)*|\S+", re.DOTALL)
_HEAD = re.compile(r"[^:@]*://")
_USER = re.compile(r"[^/?#\s]*@")
_ENCODED_USER = re.compile(r"[^/?#\s]*:[^/?#\s]*(?=%40)")
_KEY = re.compile(r"[?&;#]([^=&;#?\s]+)=")
# As makers of recorders write it: rtsp://host/user=admin_password=1234_channel=1_stream=0.sdp.
_PATH_KEY = re.compile(r"[/_]([^=&;#?/_\s]+)=|/([^=&;#?/\s]+)=")
_WORD = re.compile(r"[^\W_]+")
_SECRET_WORD = re.compile(
    r"(?:.*(?:password|passwd|passphrase|passcode|pwd|pswd|token|secret|apikey|accesskey|accesscode|signature)"
    r"|.*(?:credentials?|jwt|pincode|cookie|sessionid|passwort|kennwort|wachtwoord|passord|parola)"
    r"|(?:user|login)?pass?|passw|pw|psw|key|sig|pin|otp|bearer|mdp|motdepasse|contrase(?:n|\xf1)a|senha|clave"
    r"|l(?:o|\xf6)senord|adgangskode|has(?:l|\u0142)o|heslo|salasana|\u043f\u0430\u0440\u043e\u043b\u044c"
    r"|(?:http|basic|digest|user)?auth(?:basic|digest|key|code|info|data|string|orization|entication)?)\d*"
)
# A session's id lets anybody in; a stream's number is called the same.
_SESSION_WORD, _STREAM_NUMBER = re.compile(r"(?:php)?sess(?:ion|id)?|sid"), re.compile(r"[0-9]{0,3}")
_USER_WORD = re.compile(r"(?:login)?(?:u|usr|use|user|username|uname)|login|account|usrname")
_USERS_KEY = re.compile(r"[?&;#](?:login)?(?:u|usr|use|user|username|uname|login|account)=[^&;#\s]", re.IGNORECASE)
_VALUE = re.compile(r"[^&;#?/\s]*")
# Names that come with cameras: what stands behind one and a colon is a password, while `mp4:clip` is a stream's name.
_PATH_USER = re.compile(
    r"/(?:admin\w*|root|user\d*|guest|operator|viewer|supervisor|service|ubnt|default|onvif|system|manager|666666|888888)"
    r":([^/\s?#]+)",
    re.IGNORECASE,
)
_BASE64 = re.compile(r"[=/]((?:[A-Za-z0-9+_-]|%2[bBfF]){6,}(?:=|%3[dD]){0,2})(?=[&;#/?\s]|$)")
_PAIR = re.compile(r"[^\s:]{1,64}:\S[^\x00-\x1f\x7f]*")

Span = tuple[int, int]


def has_secret(text: str, *, whole: bool = False) -> bool:
    """Tell whether `text` holds a URL's user or password; `whole`: it is one address, its white space included."""
    return any(True for _ in _spans(text, whole=whole))


def scrub(text: str, *, whole: bool = False) -> str:
    """Return `text` with `***` for every user, password and secret query value in it; `whole` as in `has_secret`."""
    done, shown = 0, []
    for start, end in _merged(sorted(_spans(text, whole=whole))):
        shown += [text[done:start], HIDDEN]
        done = end
    return "".join([*shown, text[done:]])


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _spans(text: str, *, whole: bool) -> Iterator[Span]:
    chunks = [(0, text)] if whole else [(match.start(), match[0]) for match in _CHUNK.finditer(text)]
    for offset, chunk in chunks:
        user = _user(chunk)
        if user is not None:
            yield offset + user[0], offset + user[1]
    for start in _hidden_from(text):
        yield start, len(text) if whole else _end_of_word(text, start)


def _hidden_from(text: str) -> Iterator[int]:
    """Yield where secrets begin that stand in queries and paths."""
    for match in _KEY.finditer(text):
        if _is_secret(match[1]) or _tells(text, match[1], match.end()):
            yield match.end()
    begin = text.find("://")
    if begin < 0:  # a file's own path may well hold key=value
        return
    for match in _PATH_KEY.finditer(text, begin + 3):
        if _is_secret(match[1] or match[2]):
            yield match.end()
    for match in _PATH_USER.finditer(text, begin + 3):
        yield match.start(1)
    for match in _BASE64.finditer(text, begin + 3):
        if _is_pair(match[1]):
            yield match.start(1)


def _tells(text: str, key: str, start: int) -> bool:
    """Tell whether the value at `start` of a key that is not called like a secret is one all the same."""
    words, value = _WORD.findall(unquote(key).lower()), unquote(_VALUE.match(text, start)[0])  # type: ignore[index] # matches anything
    if any(_SESSION_WORD.fullmatch(word) for word in words):
        return _STREAM_NUMBER.fullmatch(value) is None
    if any(_USER_WORD.fullmatch(word) for word in words):
        return ":" in value.strip(":")
    return words == ["p"] and bool(value) and _USERS_KEY.search(text) is not None


def _is_pair(text: str) -> bool:
    """Tell whether `text` is base64 of a user, a colon and a password."""
    plain = unquote(text).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        found = base64.b64decode(plain + "=" * (-len(plain) % 4)).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return found.isprintable() and _PAIR.fullmatch(found) is not None


def _user(chunk: str) -> Span | None:
    """Return where user and password stand in one word, or in one URL and what follows it."""
    head = _HEAD.match(chunk)
    start = head.end() if head else 0
    at = chunk.rfind("@")
    if at >= start and (":" in chunk[start:at] or (head and _USER.match(chunk, start))):
        return start, at
    encoded = _ENCODED_USER.match(chunk, start) if head else None
    return (start, encoded.end()) if encoded else None


def _is_secret(key: str) -> bool:
    words = _WORD.findall(unquote(key).lower())
    return any(_SECRET_WORD.fullmatch(word) for word in (*words, "".join(words)))


def _end_of_word(text: str, start: int) -> int:
    white = _WHITE.search(text, start)
    return white.start() if white else len(text)
