"""A way for libavformat to one RTSP server and nowhere else: it connects to us, we to the address that was checked."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from pathlib import Path

import certifi

from lamplight_ingest.adapters.network import open_addresses
from lamplight_ingest.doors import Address, Doors
from lamplight_ingest.model import SourceAway
from lamplight_ingest.rtsp.relayed import Heard, Unfit

_CHUNK = 64 << 10
_LOOK_S = 0.25


class Relay:
    """One connection from this process, one to the server; TLS, where there is any, is between us and the server."""

    def __init__(self, address: Address, doors: Doors, timeout_s: float, ca_file: Path | None) -> None:
        """Connect to the server, then listen on loopback; raises `SourceAway` or `SourceRefused`."""
        self.why = ""
        self._timeout_s = timeout_s
        self._closed = threading.Event()
        self._server = _connected(address, doors, timeout_s, ca_file)
        self._heard = Heard(str(self._server.getpeername()[0]))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._listener.settimeout(timeout_s)
        self.netloc = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._main, name="rtsp-relay", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End both connections, soon."""
        self._closed.set()

    def _main(self) -> None:
        with self._server, contextlib.suppress(OSError):
            with self._listener:
                client, _ = self._listener.accept()
            with client:
                client.settimeout(self._timeout_s)
                self._server.settimeout(self._timeout_s)
                self._pass_on(client)

    def _pass_on(self, client: socket.socket) -> None:
        while not self._closed.is_set():
            pending = isinstance(self._server, ssl.SSLSocket) and self._server.pending()
            ready, _, _ = select.select([client, self._server], [], [], 0 if pending else _LOOK_S)
            if client in ready:
                asked = client.recv(_CHUNK)
                if not asked:
                    return
                self._server.sendall(asked)
            if self._server in ready or pending:
                said = self._server.recv(_CHUNK)
                if not said:
                    return
                try:
                    client.sendall(self._heard.feed(said))
                except Unfit as unfit:
                    self.why = str(unfit)
                    return


def _connected(address: Address, doors: Doors, timeout_s: float, ca_file: Path | None) -> socket.socket:
    where = f"rtsp server {address.host}:{address.port}"
    reason = "no address"
    for family, found in open_addresses(address.host, address.port, doors):
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        try:
            connection.connect(found)
            if address.scheme == "rtsps":
                tls = ssl.create_default_context(cafile=str(ca_file or certifi.where()))
                connection = tls.wrap_socket(connection, server_hostname=address.host)
        except ssl.SSLError as error:
            connection.close()
            reason = f"no TLS with a certificate of a known authority ({error.reason})"
            reason += "; name its authority by LAMPLIGHT_TLS_CA_FILE"
        except OSError as error:
            connection.close()
            reason = error.strerror or str(error) or type(error).__name__
        else:
            return connection
    text = f"{where} not reached: {reason}"
    raise SourceAway(text)
