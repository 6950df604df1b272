"""One RTSP connection, plain or TLS: reached through the doors, brought to play, then read without ever waiting."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import certifi
from lamplight_kit.clock import Clock

from lamplight_ingest.adapters.network import SocketAddress, is_address, open_addresses
from lamplight_ingest.doors import Address, Doors
from lamplight_ingest.model import SourceAway, SourceRefused
from lamplight_ingest.rtsp.address import Target
from lamplight_ingest.rtsp.auth import Login
from lamplight_ingest.rtsp.client import Options, RtspClient
from lamplight_ingest.rtsp.events import Event, Failed, Limits, Moved, Playing

RECEIVE_BUFFER_BYTES = 256 << 10
"""What the kernel may hold between two reads; the system's own bound (net.core.rmem_max) may be lower."""
TALK_BYTES = 16 << 10
UNSENT_BYTES = 64 << 10
LOOK_S, LONGEST_LOOK_S = 0.25, 2.0
"""Who waits for an answer looks at the time ever less often: thousands may wait."""
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class ReadBuffer:
    """Bytes that links are read into, one after the other; larger than what a link may still hold."""

    def __init__(self, size: int) -> None:
        """Make room for `size` bytes."""
        self.bytes = bytearray(size)
        self.view = memoryview(self.bytes)


class Link:
    """A connection and the client that makes sense of it; one thread at a time."""

    def __init__(self, connection: socket.socket, client: RtspClient) -> None:
        """Take over `connection`, which no longer blocks."""
        self.client = client
        self.early: list[Event] = []
        self._socket = connection
        self._is_tls = isinstance(connection, ssl.SSLSocket)
        self._rest = b""
        self._unsent = b""

    @property
    def held_bytes(self) -> int:
        """How much was read that makes no sense yet without more."""
        return len(self._rest)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def read(self, buffer: ReadBuffer, now_s: float) -> int:
        """Read what is there, as far as `buffer` reaches; return how many bytes. What it tells is in the client."""
        held = len(self._rest)
        buffer.bytes[:held] = self._rest
        end = held
        why = None
        try:
            while end < len(buffer.bytes):
                count = self._socket.recv_into(buffer.view[end:])
                end += count
                if not count:
                    why = "the server closed the connection"
                    break
                if not self._is_tls:
                    break  # TCP gave all that it had
        except _NOT_NOW:
            pass
        except OSError as error:
            why = f"the connection broke ({_reason(error)})"
        used = self.client.receive(buffer.bytes, end, now_s)
        self._rest = bytes(buffer.view[used:end])
        if why is not None:
            self.client.broke_off(why)
        return end - held

    def write(self) -> None:
        """Send what is to be said, as far as the connection takes it."""
        self._unsent += self.client.take_output()
        if not self._unsent:
            return
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except _NOT_NOW:
            pass
        except OSError as error:
            self.client.broke_off(f"the connection broke ({_reason(error)})")
        if len(self._unsent) > UNSENT_BYTES:
            self.client.broke_off("the server takes no answers")

    def close(self, now_s: float) -> None:
        """Say goodbye, as far as that goes at once, and close."""
        self.client.leave(now_s)
        self.write()
        self._socket.close()


@dataclass(frozen=True)
class Dialer:
    """Reaches servers: through `doors` alone, no step longer than `timeout_s`; lives on one event loop.

    `ca_file` holds the authorities that a TLS server's certificate is checked by; None: the public ones.
    """

    doors: Doors
    clock: Clock
    timeout_s: float
    limits: Limits = field(default_factory=Limits)
    ca_file: Path | None = None

    async def hail(self, target: Target, login: Login | None, *, keys_only: bool) -> tuple[Link | None, Failed | None]:
        """Connect to `target` and wherever it sends us, until it plays; return the link, or how it failed.

        Raises `SourceAway` or `SourceRefused` where no connection can be had.
        """
        client = RtspClient(target, login, Options(keys_only, self.limits, self._why_not))
        return await self._followed(client, f"rtsp server {target.host}:{target.port}")

    async def follow(self, client: RtspClient) -> tuple[Link | None, Failed | None]:
        """Do as `hail` with a client that has not begun, for where a server sent us."""
        return await self._followed(client, _REDIRECTED)

    async def _followed(self, client: RtspClient, where: str) -> tuple[Link | None, Failed | None]:
        while True:
            link, last = await self._agreed(client, where)
            if isinstance(last, Playing):
                return link, None
            link.close(self.clock.monotonic_s())
            if isinstance(last, Failed):
                return None, last
            client, where = client.successor(), _REDIRECTED

    async def _agreed(self, client: RtspClient, where: str) -> tuple[Link, Playing | Moved | Failed]:
        """Connect, and talk until it is settled what becomes of the session."""
        with contextlib.ExitStack() as not_settled:
            connection = await self._connected(client.target, where)
            not_settled.callback(connection.close)  # does nothing once TLS has taken it over
            link = Link(await self._secured(connection, client.target, where), client)
            not_settled.callback(lambda: link.close(self.clock.monotonic_s()))
            last = await self._settled(link)
            not_settled.pop_all()
            return link, last

    async def _settled(self, link: Link) -> Playing | Moved | Failed:
        buffer = ReadBuffer(TALK_BYTES)
        link.client.begin(self.clock.monotonic_s())
        look_s = LOOK_S
        while True:
            link.write()
            events = link.client.take_events()
            for index, event in enumerate(events):
                if isinstance(event, Playing | Moved | Failed):
                    link.early = events[index + 1 :]
                    return event
            if link.read(buffer, self.clock.monotonic_s()):
                look_s = LOOK_S
            else:
                with contextlib.suppress(TimeoutError):
                    await _ready(link.fileno(), look_s)
                look_s = min(2 * look_s, LONGEST_LOOK_S)
            link.client.tick(self.clock.monotonic_s())
            if 2 * link.held_bytes > len(buffer.bytes):
                buffer = ReadBuffer(2 * len(buffer.bytes))

    async def _connected(self, target: Target, where: str) -> socket.socket:
        reason = "no address"
        for family, address in await self._open_addresses(target):
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
                connection.setblocking(False)  # noqa: FBT003 - the socket's own signature
                async with asyncio.timeout(self.timeout_s):
                    await asyncio.get_running_loop().sock_connect(connection, address)
            except OSError as error:
                connection.close()
                reason = _reason(error)
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        text = f"{where} not reached: {reason}; is the address right, and the camera switched on?"
        raise SourceAway(text)

    async def _secured(self, connection: socket.socket, target: Target, where: str) -> socket.socket:
        """Return the connection as the scheme wants it: as it is, or after TLS's handshake."""
        if not target.is_tls:
            return connection
        secured = self._tls.wrap_socket(connection, server_hostname=target.host, do_handshake_on_connect=False)
        try:
            await self._shaken(secured)
        except ssl.SSLCertVerificationError as error:
            secured.close()
            why = f"its certificate is not trusted ({error.verify_message})"
            text = f"{where}: {why}; name its authority by LAMPLIGHT_TLS_CA_FILE"
            raise SourceAway(text) from None
        except OSError as error:
            secured.close()
            text = f"{where} not reached: {_reason(error)}"
            raise SourceAway(text) from None
        except BaseException:
            secured.close()
            raise
        return secured

    async def _open_addresses(self, target: Target) -> list[SocketAddress]:
        """Resolve the host once; what is connected to is what was checked."""
        closed = self._why_not(target)
        if closed is not None:
            text = f"the host: {closed}"
            raise SourceRefused(text)
        if is_address(target.host):  # nobody need be asked, so nobody need be waited for
            return open_addresses(target.host, target.port, self.doors)
        return await asyncio.to_thread(open_addresses, target.host, target.port, self.doors)

    async def _shaken(self, connection: ssl.SSLSocket) -> None:
        """Shake hands; raises `TimeoutError` where the server is silent for `timeout_s` in all.

        One step of all handshakes is taken a turn of the loop, and waiting for that turn is not the server's silence.
        """
        left_s = self.timeout_s
        while True:
            async with self._steps:
                wants_room = False
                try:
                    connection.do_handshake()
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLWantWriteError:
                    wants_room = True
                else:
                    return
            began_s = self.clock.monotonic_s()
            await _ready(connection.fileno(), max(0.0, left_s), writing=wants_room)
            left_s -= self.clock.monotonic_s() - began_s

    @cached_property
    def _steps(self) -> asyncio.Lock:
        """Held by whoever computes a step of a handshake, never while waiting: it goes round in order of asking."""
        return asyncio.Lock()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file or certifi.where()))

    def _why_not(self, target: Target) -> str | None:
        return self.doors.why_closed(Address(target.scheme, target.url, target.host, target.port))


async def _ready(descriptor: int, timeout_s: float | None, *, writing: bool = False) -> None:
    """Wait until there is something to read, or room to write; raises `TimeoutError`."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    with _told(loop, descriptor, ready, writing=writing):
        async with asyncio.timeout(timeout_s):
            await ready


@contextlib.contextmanager
def _told(
    loop: asyncio.AbstractEventLoop, descriptor: int, ready: asyncio.Future[None], *, writing: bool
) -> Iterator[None]:
    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    (loop.add_writer if writing else loop.add_reader)(descriptor, tell)
    try:
        yield
    finally:
        (loop.remove_writer if writing else loop.remove_reader)(descriptor)


def _reason(error: OSError) -> str:
    return error.strerror or ("timed out" if isinstance(error, TimeoutError) else type(error).__name__)


_REDIRECTED = "the rtsp server that it leads to"
"""A name that a server gave is told to nobody: it may hold what the server was sent."""
