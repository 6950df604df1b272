"""RTSP by our own client, and by libavformat's where a server is not for ours; the transport says which."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import structlog

from lamplight_ingest.adapters.rtsp_sockets import SourceOdd, SourceWithoutTcp
from lamplight_ingest.model import Picture, Source

_log = structlog.get_logger()


class RtspEither:
    """Asks `ours` first; where that finds the server odd, the source that `other` makes for TCP or for UDP.

    `transport` is `rtsp` by our client, `rtsp-libav-tcp` or `rtsp-libav-udp` by libavformat's.
    """

    ends = False

    def __init__(self, ours: Source, other: Callable[[str], Source]) -> None:
        """Prepare; `other` takes `tcp` or `udp`."""
        self.transport = ours.transport
        self._source = ours
        self._other = other
        self._lock = threading.Lock()
        self._is_closed = False

    def open(self) -> None:
        """Reach the server, by the one client or the other."""
        try:
            self._source.open()
        except SourceOdd as odd:
            over = "udp" if isinstance(odd, SourceWithoutTcp) else "tcp"
            _log.info("rtsp left to libavformat", why=str(odd), over=over)
            with self._lock:
                self._source = self._other(over)
                self.transport = self._source.transport
                if self._is_closed:
                    self._source.close()
            self._source.open()

    def pictures(self) -> Iterator[Picture]:
        """Yield what comes."""
        return self._source.pictures()

    def close(self) -> None:
        """Let go."""
        with self._lock:
            self._is_closed = True
            self._source.close()
