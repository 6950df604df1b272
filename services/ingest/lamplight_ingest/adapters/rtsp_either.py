"""RTSP by our own client, and by libavformat's where a server is not for ours; the transport says which."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from lamplight_ingest.adapters.rtsp_sockets import SourceOdd, SourceWithoutTcp
from lamplight_ingest.model import Hinting, Listener, LiveSource

_log = structlog.get_logger()


class RtspEither:
    """Asks `ours` first; where that finds the server odd, the source that `other` makes for TCP or for UDP.

    `transport` is `rtsp` by our client, `rtsp-libav-tcp` or `rtsp-libav-udp` by libavformat's.
    """

    ends = False

    def __init__(self, ours: LiveSource, other: Callable[[str], LiveSource]) -> None:
        """Prepare; `other` takes `tcp` or `udp`."""
        self.transport = ours.transport
        self._ours = ours
        self._other = other

    def hint(self) -> str:
        """Say what comes to our own client where no picture does."""
        return self._ours.hint() if isinstance(self._ours, Hinting) else ""

    async def watch(self, to: Listener) -> None:
        """Watch, by the one client or the other."""
        try:
            await self._ours.watch(to)
        except SourceOdd as odd:
            over = "udp" if isinstance(odd, SourceWithoutTcp) else "tcp"
            _log.info("rtsp left to libavformat", why=str(odd), over=over)
            other = self._other(over)
            self.transport = other.transport
            await other.watch(to)
