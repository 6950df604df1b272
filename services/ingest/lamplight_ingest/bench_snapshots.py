"""A server of snapshots for the bench: one picture, at sixteen addresses of this machine, connections kept open.

Run as `python -m lamplight_ingest.bench_snapshots`; prints its port.
"""

from __future__ import annotations

import asyncio
import sys

HOSTS = 16
_PICTURE = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)) * 80 + b"\xff\xd9"
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nLast-Modified: Tue, 14 Nov 2023 22:13:19 GMT\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_PICTURE), _PICTURE)
)


class Camera(asyncio.Protocol):
    """Answers every request with the picture."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember whom to answer."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP's
        self._transport = transport
        self._held = b""

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        *requests, self._held = (self._held + data).split(b"\r\n\r\n")
        for _ in requests:
            self._transport.write(_ANSWER)


async def serve() -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    first = await loop.create_server(Camera, "127.0.0.1", 0, backlog=1024)
    port = first.sockets[0].getsockname()[1]
    for number in range(2, HOSTS + 1):
        await loop.create_server(Camera, f"127.0.0.{number}", port, backlog=1024)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await first.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
