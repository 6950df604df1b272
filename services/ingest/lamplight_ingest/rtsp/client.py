"""The client: takes a connection's bytes apart into messages and packets, and tells what happens.

buffer: ──RTSP/1.0 200 OK…──$─ch─len─packet──$─ch─len─packet──RTSP/1.0 200 OK…──$─…
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lamplight_ingest.rtsp.address import Target, clean, target_of
from lamplight_ingest.rtsp.auth import Authenticator, Login
from lamplight_ingest.rtsp.dialogue import Dialogue, Redirected
from lamplight_ingest.rtsp.events import (
    AccessUnit,
    Activity,
    Event,
    Failed,
    Fault,
    Limits,
    Moved,
    Playing,
    SessionError,
)
from lamplight_ingest.rtsp.message import Response, read_message
from lamplight_ingest.rtsp.track import Track

_DOLLAR, _FRAME_BYTES = 0x24, 4
_BREAKS = b"\r\n"
_BREAK_RUN = re.compile(rb"[\r\n]+")
_WORD_BYTES = 20
_MESSAGE = re.compile(rb"RTSP/\d\.|[A-Z][A-Z_]{2,17} ")
_MAY_BECOME = re.compile(rb"RTSP/\d?|[A-Z][A-Z_]{0,17}")
_AMID_GARBAGE = (
    b"RTSP/1.0 ",
    b"RTSP/2.0 ",
    b"OPTIONS ",
    b"GET_PARAMETER ",
    b"SET_PARAMETER ",
    b"ANNOUNCE ",
    b"REDIRECT ",
)


_LONGEST_WORD = max(map(len, _AMID_GARBAGE))


def _beginnings(channels: tuple[int, int] | None) -> re.Pattern[bytes]:
    """Return what finds, amid garbage, where a message or a packet on one of `channels` may begin."""
    words = [re.escape(word) for word in _AMID_GARBAGE]
    if channels is not None:
        known = b"".join(re.escape(bytes([channel])) for channel in channels if channel < 256)
        words.append(rb"\$[" + known + rb"]..[\x80-\xbf]")  # RTP's and RTCP's version is 2
    return re.compile(b"|".join(words), re.DOTALL)


def _anywhere(_: Target) -> str | None:
    return None


def _token() -> str:
    return secrets.token_hex(8)


@dataclass(frozen=True)
class Options:
    """How a session is held.

    `keys_only`: nothing but key pictures is copied. `why_not`: says why a redirection's target may not be asked, or
    None. `new_nonce`: makes numbers used once.
    """

    keys_only: bool = True
    limits: Limits = field(default_factory=Limits)
    why_not: Callable[[Target], str | None] = _anywhere
    new_nonce: Callable[[], str] = _token


class RtspClient:
    """One session over one connection, which somebody else holds."""

    def __init__(
        self, target: Target, login: Login | None, options: Options, *, known: Authenticator | None = None
    ) -> None:
        """Prepare to play `target` as `login`; `known` has heard already how the server wants that proved."""
        self.target = target
        self._login = login
        self._options = options
        self._limits = options.limits
        self._authenticator = known or Authenticator(login, options.new_nonce)
        self._has_reopened = known is not None
        self._is_reopening = False
        self._dialogue = Dialogue(target, self._authenticator, options.limits)
        self._track: Track | None = None
        self._events: list[Event] = []
        self._garbage = 0
        self._beginnings = _beginnings(None)
        self._events_bytes = 0
        self._dropped = False
        self._in_step = True
        self._told_playing = False
        self._moved = target
        self.is_over = False

    @property
    def is_playing(self) -> bool:
        """Whether the server has agreed to send pictures."""
        return self._dialogue.is_playing

    @property
    def activity(self) -> Activity:
        """What came since the last key picture."""
        return self._track.activity if self._track else Activity()

    def begin(self, now_s: float) -> None:
        """Begin to talk: the connection stands; `now_s` is a clock that never goes back."""
        self._guarded(lambda: self._dialogue.begin(now_s))

    def tick(self, now_s: float) -> None:
        """Notice that time has passed; call about once a second, or more often while nothing plays."""
        if not self.is_over:
            self._guarded(lambda: self._dialogue.tick(now_s))

    def leave(self, now_s: float) -> None:
        """Say goodbye: send what `take_output` then returns, and close."""
        if not self.is_over:
            self._guarded(lambda: self._dialogue.leave(now_s))
            self.is_over = True

    def broke_off(self, reason: str, fault: Fault = Fault.AWAY) -> None:
        """The connection is lost.

        A server that asks who we are and hangs up before it can be told is told over a second connection, once.
        """
        if self.is_over:
            return
        refusal = self._dialogue.cut_off()
        if refusal is None:
            self._end(Failed(fault, reason))
        elif self._has_reopened:
            self._end(refusal.failed)
        else:
            self._is_reopening = True
            self._end(Moved(self.target.url))

    def take_output(self) -> bytes:
        """Return what is to be sent, once."""
        output = bytes(self._dialogue.output)
        self._dialogue.output.clear()
        return output

    def take_events(self) -> list[Event]:
        """Return what has happened since the last call."""
        if not self._events:
            return []
        events, self._events, self._events_bytes = self._events, [], 0
        return events

    def receive(self, buffer: bytearray, end: int, now_s: float) -> int:
        """Take what stands in `buffer[:end]`; return how much of it is done with.

        The rest, at most `Limits.item_bytes`, is to come again at the front of the buffer, with more behind it. Nothing
        of the buffer is kept. How the bytes are cut into calls makes no difference to what is told.
        """
        at = 0
        try:
            while at < end and not self.is_over:
                if self._track is not None and self._in_step:
                    at = self._track.step(buffer, at, end)
                after = self._item(buffer, at, end, now_s)
                if after == at:
                    return at
                at = after
        except SessionError as error:
            self._end(error.failed)
        except Redirected as redirected:
            self._redirect(redirected.url)
        return end

    def successor(self) -> RtspClient:
        """Return the client for where the server sent us (`Moved`); call once the session has ended so.

        Credentials go along only to the same host, and not out of TLS.
        """
        moved = self._moved
        keeps_login = moved.host == self.target.host and (moved.is_tls or not self.target.is_tls)
        limits = replace(self._limits, moves=self._limits.moves - 1)
        if self._is_reopening:
            self._authenticator.begin_anew()
            return RtspClient(moved, self._login, replace(self._options, limits=limits), known=self._authenticator)
        return RtspClient(moved, self._login if keeps_login else None, replace(self._options, limits=limits))

    def _item(self, buffer: bytearray, at: int, end: int, now_s: float) -> int:
        """Take one thing at `at`; return where it ends, or `at` where more bytes are needed."""
        if at >= end:
            return at
        first = buffer[at]
        if first == _DOLLAR:
            return self._frame(buffer, at, end)
        if first in _BREAKS and self._in_step:
            run = _BREAK_RUN.match(buffer, at, end)
            return run.end() if run else at + 1
        is_message = self._is_message(bytes(buffer[at : min(end, at + _WORD_BYTES)]))
        if is_message is None:
            return at
        return self._message(buffer, at, end, now_s) if is_message else self._nonsense(buffer, at, end)

    def _is_message(self, word: bytes) -> bool | None:
        """Tell whether the first bytes of something begin a message; None where they are too few to say."""
        if self._in_step:
            return True if _MESSAGE.match(word) else None if _MAY_BECOME.fullmatch(word) else False
        is_message = word.startswith(_AMID_GARBAGE)
        return None if not is_message and any(known.startswith(word) for known in _AMID_GARBAGE) else is_message

    def _frame(self, buffer: bytearray, at: int, end: int) -> int:
        body = at + _FRAME_BYTES
        if body > end:
            return at
        length = buffer[at + 2] << 8 | buffer[at + 3]
        if not self._in_step:
            if body >= end:
                return at
            if not self._is_packet(buffer[at + 1], length, buffer[body]):
                return self._nonsense(buffer, at, end)
        stop = body + length
        if stop > end:
            return at
        self._in_step = True
        track = self._track
        if track is not None and buffer[at + 1] == track.channels[0]:
            self._garbage = 0
            track.packet(buffer, body, stop)
        elif track is not None and buffer[at + 1] == track.channels[1]:
            track.control(bytes(buffer[body:stop]))
        return stop

    def _is_packet(self, channel: int, length: int, first: int) -> bool:
        """Tell whether a dollar amid garbage begins a packet of ours: known channel, RTP's version, RTCP's least."""
        return self._track is not None and channel in self._track.channels and length >= 8 and first >> 6 == 2

    def _message(self, buffer: bytearray, at: int, end: int, now_s: float) -> int:
        try:
            message, stop = read_message(buffer, at, end, self._limits)
        except ValueError as error:
            raise SessionError(Fault.AWAY, f"{error}; the server does not speak RTSP") from None
        if message is None:
            return at
        self._in_step = True
        if isinstance(message, Response):
            self._dialogue.answered(message, now_s)
        else:
            self._dialogue.requested(message)
        self._advance()
        return stop

    def _advance(self) -> None:
        """Follow what the dialogue has come to."""
        agreed = self._dialogue.set_up
        if agreed is not None and self._track is None:
            self._track = Track(
                agreed.video,
                agreed.channels,
                self._unit,
                keys_only=self._options.keys_only,
                max_bytes=self._limits.picture_bytes,
            )
            self._beginnings = _beginnings(agreed.channels)
        if agreed is not None and self._dialogue.is_playing and not self._told_playing:
            self._told_playing = True
            self._events.append(Playing(agreed.video.codec.name, agreed.video.clock_hz))

    def _unit(self, unit: AccessUnit) -> None:
        """Tell of a picture; of more than may be held until somebody takes them, the newest from a key one on."""
        if self._events_bytes + len(unit.data) > self._limits.events_bytes or len(self._events) >= self._limits.events:
            self._events = [event for event in self._events if not isinstance(event, AccessUnit)]
            self._events_bytes, self._dropped = 0, True
        if self._dropped and not unit.is_key:
            return
        if self._dropped:
            unit, self._dropped = replace(unit, after_gap=True), False
        self._events.append(unit)
        self._events_bytes += len(unit.data)

    def _nonsense(self, buffer: bytearray, at: int, end: int) -> int:
        """Step over what is neither message nor packet, to where either may begin; bounded."""
        if self._in_step and self._track is not None:
            self._track.lose()
        self._in_step = False
        found = self._beginnings.search(buffer, at + 1, end)
        stop = found.start() if found else max(at + 1, end - _LONGEST_WORD + 1)
        self._garbage += stop - at
        if self._garbage > self._limits.garbage_bytes:
            raise SessionError(Fault.AWAY, f"{self._garbage} bytes found that are no RTSP; look at the source")
        return stop

    def _redirect(self, url: str) -> None:
        try:
            moved = target_of(url)
        except ValueError as error:
            self._end(Failed(Fault.REFUSED, f"redirected to no address of a stream: {error}"))
            return
        closed = self._options.why_not(moved)
        if self._limits.moves < 1:
            closed = "too many redirections in a row"
        elif self.target.is_tls and not moved.is_tls:
            closed = "from TLS to plain text"
        if closed is not None:
            self._end(Failed(Fault.REFUSED, f"redirected to where we may not go: {closed}"))
            return
        self._moved = moved
        self._end(Moved(clean(url)))

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except SessionError as error:
            self._end(error.failed)

    def _end(self, last: Failed | Moved) -> None:
        self.is_over = True
        self._events.append(last)
