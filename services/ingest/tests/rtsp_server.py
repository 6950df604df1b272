"""A server on loopback whose every connection is answered by a script: for servers that die, fall silent or lie."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from rtsp_wire import answer, description

Script = Callable[["Viewer"], None]


class Viewer:
    """One connection as a server's script sees it."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(5.0)
        self._connection = connection
        self._held = b""
        self.requests: list[str] = []

    def hear(self) -> int:
        """Wait for a request; return its number."""
        while b"\r\n\r\n" not in self._held:
            data = self._connection.recv(4096)
            if not data:
                raise ConnectionError
            self._held += data
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        self.requests.append(head.decode())
        return int(head.partition(b"CSeq: ")[2].partition(b"\r\n")[0])

    def say(self, data: bytes) -> None:
        """Send."""
        self._connection.sendall(data)

    def greet(self) -> None:
        """Answer as far as PLAY."""
        self.say(answer(self.hear()))
        self.say(answer(self.hear(), body=description()))
        self.say(answer(self.hear(), "Session: S;timeout=2", "Transport: RTP/AVP/TCP;interleaved=0-1"))
        self.say(answer(self.hear()))

    def linger(self) -> None:
        """Hear until the other leaves."""
        with contextlib.suppress(OSError):
            while True:
                self.hear()


@contextlib.contextmanager
def server(script: Script) -> Iterator[int]:
    """Listen on a port of this machine, each connection answered by `script`."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            script(Viewer(connection))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threads.append(threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True))
                threads[-1].start()

    threads.append(threading.Thread(target=accept, daemon=True))
    threads[0].start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in threads:
        thread.join(6)
