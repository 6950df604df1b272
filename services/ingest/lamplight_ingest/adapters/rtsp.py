"""RTSP through PyAV's demuxer, over TCP or UDP; always through a relay, so that it reaches the checked server alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import av
from av.container import InputContainer
from lamplight_kit.clock import Clock

from lamplight_ingest.adapters.container import Units, open_container, packets, video_of
from lamplight_ingest.adapters.rtsp_relay import Relay
from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.doors import Address, Doors
from lamplight_ingest.model import Picture, SourceAway, SourceError, SourceRefused
from lamplight_ingest.scrub import scrub

_OPTIONS = {
    "allowed_media_types": "video",
    "protocol_whitelist": "rtp,rtcp,rtsp,tcp,udp",
    "analyzeduration": "200000",  # the SDP and the first pictures say what is needed; the frame rate is not
    "fpsprobesize": "0",
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
        self._options = {**_OPTIONS, "rtsp_transport": self.over}
        self._ca_file = ca_file
        self._relay: Relay | None = None
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
        self._relay = Relay(self._address, self._doors, self._timeout_s, self._ca_file)
        try:
            url = self._url(self._relay.netloc)
            self._container = open_container(url, self._options, self._timeout_s, self._timeout_s)
        except _REFUSALS as error:
            self._relay.close()
            raise SourceRefused(self._said("refused", error)) from None
        except (av.FFmpegError, ValueError) as error:
            self._relay.close()
            raise self._away("not reached", error) from None

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
            raise self._away("broke off", error) from None
        finally:
            self._container.close()
            if self._relay is not None:
                self._relay.close()

    def close(self) -> None:
        """End the session with its next packet."""
        self._closed.set()

    def _url(self, netloc: str) -> str:
        parts = urlsplit(self._address.text)
        if self._credentials is not None:
            user, password = quote(self._credentials.user, safe=""), quote(self._credentials.password, safe="")
            netloc = f"{user}:{password}@{netloc}"
        return urlunsplit(parts._replace(scheme="rtsp", netloc=netloc))

    def _away(self, what: str, error: Exception) -> SourceError:
        """Return what went wrong: the server's fault, or what our relay would not pass on."""
        if self._relay is not None and self._relay.why:
            return SourceRefused(f"rtsp server {self._address.host}:{self._address.port}: {self._relay.why}")
        return SourceAway(self._said(what, error))

    def _said(self, what: str, error: Exception) -> str:
        reason = getattr(error, "strerror", None) or str(error)
        known = self._credentials.known if self._credentials else ()
        if isinstance(error, av.error.ExitError):
            reason = f"no byte within {self._timeout_s:g} s"
        return scrub(f"rtsp server {self._address.host}:{self._address.port} {what}: {reason}", known)


class RtspUdpSource(RtspSource):
    """One RTSP session whose pictures come over UDP."""

    over = "udp"
