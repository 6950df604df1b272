"""Names to addresses, checked against the doors before anything connects."""

from __future__ import annotations

import socket

from lamplight_ingest.doors import Doors
from lamplight_ingest.model import SourceAway, SourceRefused


def check_host(host: str, port: int, doors: Doors) -> None:
    """Resolve `host`; raises `SourceAway` where it has no address, `SourceRefused` where any of them is closed."""
    closed = doors.why_host_closed(host)
    if closed is None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            text = f"host {host}: no address found ({error}); check the name and the DNS"
            raise SourceAway(text) from None
        closed = next(filter(None, (doors.why_host_closed(str(entry[4][0])) for entry in found)), None)
    if closed is not None:
        text = f"host {host}: {closed}"
        raise SourceRefused(text)
