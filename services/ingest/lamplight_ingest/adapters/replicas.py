"""Where detect's replicas are: a list, names that DNS knows the addresses of, or a file; asked again while running."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from lamplight_ingest.adapters.network import is_address

FILE = "file://"
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def by_dns(host: str, port: int) -> Sequence[str]:
    """Return the addresses of `host`: IPv4 where there are any, lest one replica counts twice; raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    four = [str(entry[4][0]) for entry in found if entry[0] == socket.AF_INET]
    return sorted(set(four or [str(entry[4][0]) for entry in found]))


class Replicas:
    """Turns what the settings say into addresses (host:port)."""

    def __init__(self, entries: Sequence[str], resolve: Resolve = by_dns) -> None:
        """Follow `entries`: `host:port`, where a host that is a name stands for all its addresses, or `file:///path`.

        A file holds such entries, one a line; `#` begins a comment.
        """
        self.entries = entries
        self._resolve = resolve
        self._known: dict[str, Sequence[str]] = {}

    async def now(self) -> Sequence[str]:
        """Return the addresses, each once; what cannot be asked now is as it was when it last could."""
        found: dict[str, None] = {}
        for entry in self.entries:
            for item in self._items(entry):
                found.update(dict.fromkeys(await self._addresses(item)))
        return list(found)

    def _items(self, entry: str) -> Sequence[str]:
        if not entry.startswith(FILE):
            return [entry]
        try:
            lines = Path(entry.removeprefix(FILE)).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeError):
            return self._known.get(entry, ())
        self._known[entry] = [line for raw in lines if (line := raw.partition("#")[0].strip())]
        return self._known[entry]

    async def _addresses(self, item: str) -> Sequence[str]:
        host, _, port = item.rpartition(":")
        if not host or not port.isdecimal() or is_address(host.strip("[]")):
            return [item]
        try:
            self._known[item] = [_joined(ip, port) for ip in await self._resolve(host, int(port))]
        except (OSError, UnicodeError):
            return self._known.get(item, ())
        return self._known[item]


def _joined(ip: str, port: str) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
