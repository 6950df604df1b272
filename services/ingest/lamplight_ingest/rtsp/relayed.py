"""What a server says, before libavformat hears it: nothing that would send it anywhere else. Sans I/O.

libavformat follows redirects and sends UDP to whatever `source` a server names, unasked. So its session goes through a
relay of ours, and this is the relay's ear: it steps over interleaved data, and holds each head until it is whole.
"""

from __future__ import annotations

import re

MAX_HEAD_BYTES = 64 << 10
MAX_BODY_BYTES = 1 << 20
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d{1,9})[ \t]*\r?$")
_REDIRECT = re.compile(rb"RTSP/\d\.\d[ \t]+3\d\d\b|REDIRECT[ \t]")
_TRANSPORT = re.compile(rb"(?im)^(transport:)([^\r\n]*)")
_SOURCE = re.compile(rb"(?i);[ \t]*(?:source|destination)[ \t]*=[^;,\r\n]*")
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")


class Unfit(ValueError):  # noqa: N818 - named after what is the case
    """The server says what must not reach libavformat."""


class Heard:
    """Turns what came from a server into what may be passed on."""

    def __init__(self, source: str) -> None:
        """Let `source`, the address that was connected to, be where data comes from and goes to."""
        self._source = b";source=" + source.encode()
        self._held = bytearray()
        self._passing = 0
        self._searched = 0

    def feed(self, data: bytes) -> bytes:
        """Take more; return what may be passed on. Raises `Unfit`."""
        self._held += data
        done = bytearray()
        while self._held:
            if self._passing:
                step = min(self._passing, len(self._held))
                done += self._held[:step]
                del self._held[:step]
                self._passing -= step
            elif self._held.startswith(b"$"):
                if len(self._held) < 4:
                    break
                self._passing = 4 + int.from_bytes(self._held[2:4], "big")
            else:
                head = self._head()
                if head is None:
                    break
                done += head
        return bytes(done)

    def _head(self) -> bytes | None:
        end = _END_OF_HEAD.search(self._held, self._searched, MAX_HEAD_BYTES)
        self._searched = 0 if end else max(0, len(self._held) - 3)  # an end may be cut in two
        if end is None:
            if len(self._held) >= MAX_HEAD_BYTES:
                text = f"more than {MAX_HEAD_BYTES} bytes of headers"
                raise Unfit(text)
            return None
        head = bytes(self._held[: end.end()])
        del self._held[: end.end()]
        if _REDIRECT.match(head.lstrip()):
            text = "a redirect, which libavformat may not follow; give the address that it leads to"
            raise Unfit(text)
        length = _LENGTH.search(head)
        self._passing = int(length.group(1)) if length else 0
        if self._passing > MAX_BODY_BYTES:
            text = f"a body of {self._passing} bytes"
            raise Unfit(text)
        return _TRANSPORT.sub(self._bound, head)

    def _bound(self, match: re.Match[bytes]) -> bytes:
        """Return a Transport header whose UDP stays with the server."""
        text = _SOURCE.sub(b"", match.group(2))
        return match.group(1) + text + (self._source if b"server_port" in text.lower() else b"")
