"""Who we are, as a server asks for it: Basic (RFC 7617) and Digest (RFC 7616, and RFC 2069 without qop)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from lamplight_ingest.heard import login_word

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the grammar's word
_SCHEME_AND_PARAMETER = re.compile(rf"({_TOKEN})\s+({_TOKEN})\s*=\s*((?!=).*)", re.DOTALL)
_PARAMETER = re.compile(rf"({_TOKEN})\s*=\s*(.*)", re.DOTALL)
_SCHEME = re.compile(rf"({_TOKEN})(?:\s+\S+)?")
_UNQUOTABLE = re.compile(r"[\x00-\x1f\x7f]")
_HASHES = {"md5": hashlib.md5, "sha-256": hashlib.sha256}
_STRENGTH = {"basic": 1, "md5": 2, "md5-sess": 3, "sha-256": 4, "sha-256-sess": 5}
_SAME = {"sha256": "sha-256", "sha256-sess": "sha-256-sess"}
"""Algorithms as some cameras spell them."""
_MAX_TRIES = 2
_MAX_NAMED = 4
ELSEWHERE = "it was redirected, and credentials go to the camera's own host alone; give the address that it leads to"
WHAT_WE_ANSWER = "Basic or Digest (MD5 or SHA-256, qop auth) expected"


@dataclass(frozen=True)
class Login:
    """A user and a password, of any characters; shown nowhere."""

    user: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True)
class Challenge:
    """One way in which a server lets itself be convinced; names in lower case."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def nonce(self) -> str:
        """The server's number used once; empty for Basic."""
        return self.parameters.get("nonce", "")

    @property
    def is_stale(self) -> bool:
        """Whether only the nonce was too old."""
        return self.parameters.get("stale", "").lower() == "true"

    @property
    def kind(self) -> str:
        """`basic`, or the digest's algorithm."""
        if self.scheme != "digest":
            return self.scheme
        algorithm = self.parameters.get("algorithm", "MD5").lower()
        return _SAME.get(algorithm, algorithm)

    @property
    def named(self) -> str:
        """What a person finds it by in a camera's settings; by names that we know, not the server's own."""
        if self.scheme != "digest":
            return login_word(self.scheme)
        words = ["Digest", login_word(self.parameters.get("algorithm", "MD5"))]
        words += [f"with qop {login_word(self.parameters['qop'])}"] if self.parameters.get("qop") else []
        return " ".join([*words, *([] if self.nonce else ["without a nonce"])])

    @property
    def strength(self) -> int:
        """How much this one is worth beside others; 0 where we cannot answer it."""
        offered = self.parameters.get("qop")
        qop = {word.strip().lower() for word in (offered or "").split(",")}
        unusable = self.scheme == "digest" and (not self.nonce or (offered and "auth" not in qop))
        return 0 if unusable else _STRENGTH.get(self.kind, 0)


def challenges(values: Iterable[str]) -> list[Challenge]:
    """Return the challenges in WWW-Authenticate headers: several headers, or several in one."""
    found: list[tuple[str, dict[str, str]]] = []
    for value in values:
        for item in _items(value):
            if match := _SCHEME_AND_PARAMETER.fullmatch(item):
                found.append((match[1].lower(), {match[2].lower(): _unquoted(match[3])}))
            elif (match := _PARAMETER.fullmatch(item)) and found:
                found[-1][1].setdefault(match[1].lower(), _unquoted(match[2]))
            elif match := _SCHEME.fullmatch(item):
                found.append((match[1].lower(), {}))
    return [Challenge(scheme, parameters) for scheme, parameters in found]


class Authenticator:
    """Answers the strongest challenge that came last, each time with the next count of its nonce."""

    def __init__(self, login: Login | None, new_nonce: Callable[[], str]) -> None:
        """Answer as `login`; `new_nonce` makes the client's own numbers used once."""
        self._login = login
        self._new_nonce = new_nonce
        self._challenge: Challenge | None = None
        self._count = 0

    @property
    def has_login(self) -> bool:
        """Whether there is anyone to be."""
        return self._login is not None

    def challenged(self, values: Iterable[str]) -> Challenge | None:
        """Take a server's challenges; return the one that will be answered, None where we can answer none."""
        best = max(challenges(values), key=lambda challenge: challenge.strength, default=None)
        self._challenge = best if best and best.strength and self._login else None
        self._count = 0
        return self._challenge

    def may_answer(self, values: Iterable[str], tries: int) -> bool:
        """Take the challenges of a 401 to a request that has answered `tries` of them; tell whether to send it again.

        Once a request, and once more where only the nonce was too old. What was proved beforehand counts as an answer
        where the server asks for the very same again that was answered there for the first time: then the user or the
        password is wrong, and asking on would lock the account. A server whose nonces serve once asks for another.
        """
        before, count = self._challenge, self._count
        challenge = self.challenged(values)
        if challenge is None:
            return False
        was_this = before is not None and before.nonce == challenge.nonce and count <= 1
        is_first = tries == 0 and not was_this
        return is_first or (tries < _MAX_TRIES and challenge.is_stale)

    def why_refused(self, values: Iterable[str]) -> str:
        """Say why the challenges of a 401 came to nothing, and the cure; names them, and no credentials."""
        offered = challenges(values)
        if not any(challenge.strength for challenge in offered):
            names = list(dict.fromkeys(challenge.named for challenge in offered))
            if names:
                found = " and ".join(names[:_MAX_NAMED]) + (" and others" if len(names) > _MAX_NAMED else "")
                return f"it asks for {found}, {WHAT_WE_ANSWER}; set the camera's authentication to one of them"
            if self.has_login:
                text = "it does not say how to log in (no challenge in WWW-Authenticate)"
                return f"{text}, {WHAT_WE_ANSWER}; set the camera's authentication to one of them"
        if not self.has_login:
            return "it wants a user name and password; name a secret under credentials"
        return "the user name or password is wrong"

    def begin_anew(self) -> None:
        """Count from one again: what was answered last was cut off, and is answered over another connection."""
        self._count = 0

    def header(self, method: str, url: str) -> str | None:
        """Return the Authorization for a request as it will be sent, None where none was asked for."""
        if self._challenge is None or self._login is None:
            return None
        if self._challenge.scheme == "basic":
            return basic(self._login)
        self._count += 1
        return digest(self._challenge, self._login, method, url, count=self._count, own_nonce=self._new_nonce())


def basic(login: Login) -> str:
    """Return a Basic answer, in UTF-8 (RFC 7617, 2.1)."""
    return "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode("utf-8", "surrogateescape")).decode()


def digest(challenge: Challenge, login: Login, method: str, url: str, *, count: int, own_nonce: str) -> str:
    """Return a Digest answer (RFC 7616, 3.4; without qop as RFC 2069) for the `count`-th use of the nonce."""
    parameters = challenge.parameters
    realm, nonce, algorithm = parameters.get("realm", ""), challenge.nonce, challenge.kind
    base, _, session = algorithm.partition("-sess")
    hashed = _hasher(algorithm if not session and base == algorithm else base)
    secret = hashed(f"{login.user}:{realm}:{login.password}")
    if algorithm.endswith("-sess"):
        secret = hashed(f"{secret}:{nonce}:{own_nonce}")
    what = hashed(f"{method}:{url}")
    with_count = f"{count:08x}:{own_nonce}:auth" if "qop" in parameters else None
    response = hashed(f"{secret}:{nonce}:{with_count}:{what}" if with_count else f"{secret}:{nonce}:{what}")
    fields = [_user(login.user), f"realm={_quoted(realm)}", f"nonce={_quoted(nonce)}", f"uri={_quoted(url)}"]
    fields.append(f'response="{response}"')
    if "algorithm" in parameters:
        fields.append(f"algorithm={parameters['algorithm']}")
    if "opaque" in parameters:
        fields.append(f"opaque={_quoted(parameters['opaque'])}")
    if with_count:
        fields.append(f'qop=auth, nc={count:08x}, cnonce="{own_nonce}"')
    elif algorithm.endswith("-sess"):
        fields.append(f'cnonce="{own_nonce}"')
    return "Digest " + ", ".join(fields)


def _hasher(algorithm: str) -> Callable[[str], str]:
    make = _HASHES[algorithm]
    return lambda text: make(text.encode("utf-8", "surrogateescape")).hexdigest()


def _user(user: str) -> str:
    """Return the user's parameter; what no quoted string can hold goes as RFC 5987 says (RFC 7616, 3.4)."""
    if _UNQUOTABLE.search(user):
        return f"username*=UTF-8''{quote(user, safe='')}"
    return f"username={_quoted(user)}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _unquoted(text: str) -> str:
    text = text.strip()
    if not text.startswith('"'):
        return text
    inner = text[1:-1] if len(text) > 1 and text.endswith('"') else text[1:]
    return re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL)


def _items(value: str) -> Iterator[str]:
    """Yield what stands between the commas outside quoted strings, in one pass."""
    item: list[str] = []
    quoted = escaped = False
    for letter in value:
        if letter == "," and not quoted:
            yield "".join(item).strip()
            item = []
            continue
        if letter == '"' and not escaped:
            quoted = not quoted
        escaped = quoted and letter == "\\" and not escaped
        item.append(letter)
    yield "".join(item).strip()
