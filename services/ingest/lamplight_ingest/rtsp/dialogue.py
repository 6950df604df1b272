"""The conversation with a server: OPTIONS, DESCRIBE, SETUP, PLAY, then a word now and then (RFC 2326, 10).

One request is under way at a time. What ends the session is raised as `SessionError`, where it moves as `Redirected`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from lamplight_ingest.rtsp import sdp
from lamplight_ingest.rtsp.address import Target, base_url, control_url, control_urls, resolved
from lamplight_ingest.rtsp.auth import Authenticator
from lamplight_ingest.rtsp.events import Fault, Limits, SessionError
from lamplight_ingest.rtsp.message import Request, Response, write_request, write_response
from lamplight_ingest.rtsp.sdp import VideoFormat

USER_AGENT = "Lamplight"
SESSION_TIMEOUT_S = 60.0
"""Where a server names none (RFC 2326, 12.37)."""
_LEAST_TIMEOUT_S = 2.0
_INTERLEAVED = re.compile(r"interleaved\s*=\s*\"?\s*([0-9]{1,3})(?:\s*-\s*([0-9]{1,3}))?", re.IGNORECASE)
_TIMEOUT = re.compile(r"timeout\s*=\s*\"?\s*([0-9]{1,6})", re.IGNORECASE)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE_WRONG = {
    403: "the user may not watch this stream",
    404: "no stream has this path",
}
_SESSION_NOT_FOUND, _UNSUPPORTED_TRANSPORT = 454, 461
_UNKNOWN_CONTROL = frozenset({400, 404, _SESSION_NOT_FOUND})


class Redirected(Exception):  # noqa: N818 - named after what is the case
    """The server sends us to `url`."""

    def __init__(self, url: str) -> None:
        """Go to `url`, if that may be."""
        super().__init__()
        self.url = url


@dataclass(frozen=True)
class Asked:
    """A request under way: `tries` counts the answers to challenges, `at_s` is when it was sent."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    then: Callable[[Response, float], None]
    cseq: int
    at_s: float
    tries: int = 0


@dataclass(frozen=True)
class SetUp:
    """What was agreed: the video, and the channels (RTP, RTCP) as the server numbers them."""

    video: VideoFormat
    channels: tuple[int, int]


class Dialogue:
    """Says what is to be said; `output` holds it until it is sent."""

    def __init__(self, target: Target, authenticator: Authenticator, limits: Limits) -> None:
        """Talk to `target`; nothing is said until `begin`."""
        self._target = target
        self._authenticator = authenticator
        self._limits = limits
        self._cseq = 0
        self._asked: Asked | None = None
        self._session: str | None = None
        self._timeout_s = SESSION_TIMEOUT_S
        self._keep_alive = "OPTIONS"
        self._presentation_url = target.url
        self._next_word_s = 0.0
        self._video: VideoFormat | None = None
        self._controls: list[str] = []
        self._challenge: Response | None = None
        self.set_up: SetUp | None = None
        self.is_playing = False
        self.output = bytearray()

    def begin(self, now_s: float) -> None:
        """Ask what the server can."""
        self._ask("OPTIONS", self._target.url, (), self._options, now_s)

    def answered(self, response: Response, now_s: float) -> None:
        """Take a response; one that answers nothing of ours is passed over."""
        asked = self._asked
        if asked is None or response.status < 200 or not self._may_answer(asked, response):
            return
        self._asked = None
        wanted = response.all("www-authenticate") if response.status == 401 else []
        if response.status == 401 and self._authenticator.may_answer(wanted, asked.tries):
            self._challenge = response
            self._send(replace(asked, tries=asked.tries + 1), now_s)
        elif response.status in _REDIRECTS and (location := response.get("location")):
            raise Redirected(resolved(asked.url, location))
        else:
            asked.then(response, now_s)

    def requested(self, request: Request) -> None:
        """Answer what the server asks of us; raises `Redirected` where it sends us away."""
        known = {"OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE", "REDIRECT"}
        status, reason = (200, "OK") if request.method in known else (501, "Not Implemented")
        headers = [("CSeq", str(request.cseq or 0))]
        if request.method == "OPTIONS":
            headers.append(("Public", ", ".join(sorted(known))))
        self._say(write_response(status, reason, headers))
        if request.method == "REDIRECT":
            location = request.get("location")
            if location is None:
                raise SessionError(Fault.AWAY, "the server asks to be called again")
            raise Redirected(resolved(self._target.url, location))

    def tick(self, now_s: float) -> None:
        """Notice that time has passed: keep the session alive, miss an answer."""
        asked = self._asked
        if asked is not None and now_s - asked.at_s >= self._limits.reply_s:
            if not self.is_playing:
                text = f"no answer to {asked.method} within {self._limits.reply_s:g} s"
                raise SessionError(Fault.AWAY, text)
            self._asked = None  # many cameras never answer a keep-alive; their pictures tell
        if self.is_playing and self._asked is None and now_s >= self._next_word_s:
            self._ask(self._keep_alive, self._presentation_url, (), self._kept_alive, now_s)
            self._next_word_s = now_s + self._timeout_s / 2

    def cut_off(self) -> SessionError | None:
        """Return the refusal that stands where the server hung up on the answer to its challenge, else None."""
        if self._asked is None or not self._asked.tries or self._challenge is None or self.is_playing:
            return None
        return self._refused(self._asked.method, self._challenge)

    def leave(self, now_s: float) -> None:
        """Take leave, where there is a session to leave."""
        if self._session is not None:
            self.is_playing = False
            self._ask("TEARDOWN", self._presentation_url, (), lambda _, __: None, now_s)

    def _options(self, response: Response, now_s: float) -> None:
        if response.status == 401:
            raise self._refused("OPTIONS", response)
        public = {word.strip().upper() for value in response.all("public") for word in value.split(",")}
        self._keep_alive = "GET_PARAMETER" if "GET_PARAMETER" in public else "OPTIONS"
        self._ask("DESCRIBE", self._target.url, (("Accept", "application/sdp"),), self._described, now_s)

    def _described(self, response: Response, now_s: float) -> None:
        self._check("DESCRIBE", response)
        description = sdp.parse(response.body)
        self._video = sdp.video_of(description)
        base = base_url(self._target.url, response.get("content-base"), response.get("content-location"))
        self._presentation_url = control_url(base, description.control)
        self._controls = list(control_urls(base, self._video.control))
        self._set_up(now_s)

    def _set_up(self, now_s: float) -> None:
        url, *self._controls = self._controls
        transport = (("Transport", "RTP/AVP/TCP;unicast;interleaved=0-1"),)
        self._ask("SETUP", url, transport, self._were_set_up, now_s)

    def _were_set_up(self, response: Response, now_s: float) -> None:
        if response.status in _UNKNOWN_CONTROL and self._controls:
            self._set_up(now_s)
            return
        if response.status == _UNSUPPORTED_TRANSPORT:
            raise SessionError(Fault.NO_TCP, "the server does not send pictures over TCP")
        self._check("SETUP", response)
        channels = _channels(response.get("transport") or "")
        session, _, parameters = (response.get("session") or "").partition(";")
        if self._video is None or channels is None:
            raise SessionError(Fault.NO_TCP, "the server does not send pictures over this connection")
        self._session = session.strip() or None
        if timeout := _TIMEOUT.search(parameters):
            self._timeout_s = max(_LEAST_TIMEOUT_S, float(timeout[1]) or SESSION_TIMEOUT_S)
        self.set_up = SetUp(self._video, channels)
        self._ask("PLAY", self._presentation_url, (("Range", "npt=0.000-"),), self._plays, now_s)

    def _plays(self, response: Response, now_s: float) -> None:
        self._check("PLAY", response)
        self.is_playing = True
        self._next_word_s = now_s + self._timeout_s / 2

    def _kept_alive(self, response: Response, now_s: float) -> None:
        del now_s
        if response.status == _SESSION_NOT_FOUND:
            raise SessionError(Fault.AWAY, "the server has forgotten the session (454)")
        if response.status >= 300:
            self._keep_alive = "OPTIONS"

    def _check(self, method: str, response: Response) -> None:
        if not 200 <= response.status < 300:
            raise self._refused(method, response)

    def _refused(self, method: str, response: Response) -> SessionError:
        is_ours = 400 <= response.status < 500 and response.status not in (408, 429, 453, _SESSION_NOT_FOUND)
        why = _GONE_WRONG.get(response.status, "")
        if response.status == 401:
            why = self._authenticator.why_refused(response.all("www-authenticate"))
        text = f"{response.said} found as the answer to {method}, 200 expected" + (f": {why}" if why else "")
        return SessionError(Fault.REFUSED if is_ours else Fault.AWAY, text)

    def _may_answer(self, asked: Asked, response: Response) -> bool:
        """Tell whether a response is for the request under way: by its number, or by none that was ever ours.

        Some servers number all their answers 0; one request is under way at a time, so that they can mean no other.
        """
        number = response.cseq
        return number is None or number == asked.cseq or not 1 <= number <= self._cseq

    def _ask(
        self,
        method: str,
        url: str,
        headers: tuple[tuple[str, str], ...],
        then: Callable[[Response, float], None],
        now_s: float,
    ) -> None:
        self._send(Asked(method, url, headers, then, 0, now_s), now_s)

    def _send(self, asked: Asked, now_s: float) -> None:
        self._cseq += 1
        self._asked = replace(asked, cseq=self._cseq, at_s=now_s)
        headers = [("CSeq", str(self._cseq)), ("User-Agent", USER_AGENT), *asked.headers]
        if self._session is not None:
            headers.append(("Session", self._session))
        if authorization := self._authenticator.header(asked.method, asked.url):
            headers.append(("Authorization", authorization))
        self._say(write_request(asked.method, asked.url, headers))

    def _say(self, data: bytes) -> None:
        self.output += data
        if len(self.output) > self._limits.output_bytes:
            raise SessionError(Fault.AWAY, "the server asks much and takes no answers")


def _channels(transport: str) -> tuple[int, int] | None:
    """Return the channels in a Transport header: ours where it names none, None where it is not interleaved."""
    first = transport.partition(",")[0]
    if match := _INTERLEAVED.search(first):
        rtp = int(match[1])
        rtcp = int(match[2]) if match[2] else rtp + 1
        return (rtp, rtcp) if rtp < 256 and rtcp < 257 else None
    return None if first and "TCP" not in first.upper() else (0, 1)
