"""A camera that acts what a test tells it: plays, freezes, babbles, refuses, dies, comes back."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

from rtsp_wire import answer, description, packets

KEY, PLAIN = b"\x65\x88" + bytes(range(200)), b"\x41\x9a" + bytes(range(90))
PICTURE_S, PICTURE_TICKS, KEY_EVERY = 0.05, 4500, 4


class Actor:
    """An RTSP camera on loopback; `mode` is how it acts: play, freeze, babble, or a status that it refuses with."""

    def __init__(self) -> None:
        """Play."""
        self.mode = "play"
        self._stopping = threading.Event()
        self._gate = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = socket.create_server(("127.0.0.1", 0))
        self._port = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._begin(self._accept, self._listener)

    @property
    def url(self) -> str:
        """Its address."""
        return f"rtsp://127.0.0.1:{self._port}/live"

    def die(self) -> None:
        """Break every connection, and take no more."""
        with self._gate:
            listener, self._listener = self._listener, None
            ends = [listener, *self._open] if listener else list(self._open)
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def live_again(self) -> None:
        """Come back at the same address, playing."""
        self.mode = "play"
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._begin(self._accept, self._listener)

    def __enter__(self) -> Self:
        """Be there."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Be gone."""
        self._stopping.set()
        self.die()
        for thread in self._threads:
            thread.join(5)

    def _begin(self, act: object, end: socket.socket) -> None:
        thread = threading.Thread(target=act, args=(end,), daemon=True)  # type: ignore[arg-type]  # a method of ours
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with self._gate:
                    self._open.add(connection)
                self._begin(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(PICTURE_S)
        held, seq, number, plays = b"", 0, 0, False
        with contextlib.suppress(OSError), connection:
            while not self._stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    data = connection.recv(4096)
                    if not data:
                        return
                    held += data
                while b"\r\n\r\n" in held:
                    head, _, held = held.partition(b"\r\n\r\n")
                    connection.sendall(self._said(head))
                    plays = plays or head.startswith(b"PLAY")
                if plays and self.mode in {"play", "babble"}:
                    picture = KEY if number % KEY_EVERY == 0 and self.mode == "play" else PLAIN
                    connection.sendall(packets([picture], seq, number * PICTURE_TICKS))
                    seq, number = seq + 1, number + 1

    def _said(self, head: bytes) -> bytes:
        method, cseq = head.split(b" ")[0], int(head.partition(b"CSeq: ")[2].partition(b"\r\n")[0])
        if self.mode[0].isdigit() and method in {b"DESCRIBE", b"GET_PARAMETER"}:
            return answer(cseq, status=self.mode)
        if method == b"OPTIONS":
            return answer(cseq, "Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER")
        if method == b"DESCRIBE":
            return answer(cseq, body=description())
        transport = ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1"] if method == b"SETUP" else []
        return answer(cseq, "Session: S;timeout=2", *transport)
