"""RTSP through PyAV's demuxer, over TCP or UDP."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import av
import certifi
from av.container import InputContainer
from lamplight_kit.clock import Clock

from lamplight_ingest.adapters.container import Units, open_container, packets, video_of
from lamplight_ingest.adapters.network import check_host
from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.doors import Address, Doors
from lamplight_ingest.model import Picture, SourceAway, SourceRefused
from lamplight_ingest.scrub import scrub

_OPTIONS = {
    "allowed_media_types": "video",
    "protocol_whitelist": "rtp,rtcp,rtsp,rtsps,tcp,udp,tls,crypto",
    "analyzeduration": "200000",  # the SDP and the first pictures say what is needed; the frame rate is not
    "fpsprobesize": "0",
    "tls_verify": "1",
}
_REFUSALS = (
    av.error.HTTPUnauthorizedError,
    av.error.HTTPForbiddenError,
    av.error.HTTPNotFoundError,
    av.error.HTTPBadRequestError,
    av.error.HTTPOtherClientError,
)


class RtspSource:
    """One RTSP session; `keys_only` copies keyframes and nothing else.

    `close` takes effect with the next packet, or when `read_timeout_s` has passed without one: libavformat offers no
    other interruption, and a context must not be closed while it reads.
    """

    ends = False
    over = "tcp"

    def __init__(
        self,
        address: Address,
        credentials: Credentials | None,
        doors: Doors,
        clock: Clock,
        *,
        keys_only: bool,
        timeout_s: float,
        max_bytes: int,
        ca_file: Path | None = None,
    ) -> None:
        """Prepare a session; nothing connects until `open`. No read waits longer than `timeout_s`.

        `ca_file` holds the authorities that a TLS server's certificate is checked by; None: the public ones.
        """
        self.transport = f"rtsp-libav-{self.over}"
        self._options = {**_OPTIONS, "rtsp_transport": self.over, "ca_file": str(ca_file or certifi.where())}
        self._address = address
        self._credentials = credentials
        self._doors = doors
        self._clock = clock
        self._keys_only = keys_only
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._closed = threading.Event()
        self._container: InputContainer | None = None

    def open(self) -> None:
        """Connect, describe, set up, play."""
        check_host(self._address.host, self._address.port, self._doors)
        try:
            self._container = open_container(self._url(), self._options, self._timeout_s, self._timeout_s)
        except _REFUSALS as error:
            raise SourceRefused(self._said("refused", error)) from None
        except (av.FFmpegError, ValueError) as error:
            raise SourceAway(self._said("not reached", error)) from None

    def pictures(self) -> Iterator[Picture]:
        """Yield key access units, or all of them."""
        if self._container is None:
            return
        try:
            stream = video_of(self._container)
            units = Units(stream, self._max_bytes, keys_only=self._keys_only)
            for packet in packets(self._container, stream, self._closed.is_set):
                received_ns = self._clock.now_ns()
                for unit in units.of(packet):
                    yield Picture(
                        codec=unit.codec,
                        data=unit.data,
                        is_key=unit.is_key,
                        received_ns=received_ns,
                        source_at_ns=unit.produced_ns,
                        extradata=unit.extradata,
                        lost_before=unit.lost_before,
                    )
        except (av.FFmpegError, ValueError) as error:
            raise SourceAway(self._said("broke off", error)) from None
        finally:
            self._container.close()

    def close(self) -> None:
        """End the session with its next packet."""
        self._closed.set()

    def _url(self) -> str:
        if self._credentials is None:
            return self._address.text
        parts = urlsplit(self._address.text)
        user, password = quote(self._credentials.user, safe=""), quote(self._credentials.password, safe="")
        return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc}"))

    def _said(self, what: str, error: Exception) -> str:
        reason = getattr(error, "strerror", None) or str(error)
        known = (self._credentials.password,) if self._credentials else ()
        if isinstance(error, av.error.ExitError):
            reason = f"no byte within {self._timeout_s:g} s"
        elif isinstance(error, OSError) and error.errno == errno.EIO and self._address.scheme == "rtsps":
            reason = "no TLS with a certificate of a known authority; name its authority by LAMPLIGHT_TLS_CA_FILE"
        return scrub(f"rtsp server {self._address.host}:{self._address.port} {what}: {reason}", known)


class RtspUdpSource(RtspSource):
    """One RTSP session whose pictures come over UDP."""

    over = "udp"
