"""Picks the source for a camera by its address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from lamplight.camera.v1 import camera_pb2
from lamplight_contracts.secrets import has_secret
from lamplight_kit.clock import Clock

from lamplight_ingest import doors as addresses
from lamplight_ingest.adapters.file import FileSource
from lamplight_ingest.adapters.folder import FolderSource
from lamplight_ingest.adapters.http import HttpSource
from lamplight_ingest.adapters.http_async import AsyncHosts
from lamplight_ingest.adapters.http_hosts import HttpHosts
from lamplight_ingest.adapters.http_live import HttpLive
from lamplight_ingest.adapters.pace import Pace
from lamplight_ingest.adapters.rtsp import RtspSource, RtspUdpSource
from lamplight_ingest.adapters.rtsp_either import RtspEither
from lamplight_ingest.adapters.rtsp_link import Dialer
from lamplight_ingest.adapters.rtsp_sockets import RtspReader, RtspSocketSource
from lamplight_ingest.adapters.secrets import Credentials, Secrets
from lamplight_ingest.adapters.threads import InThread, Threads
from lamplight_ingest.adapters.waited import Waited
from lamplight_ingest.doors import Address, Doors
from lamplight_ingest.model import LiveSource, Source, SourceRefused
from lamplight_ingest.plan import plan_of
from lamplight_ingest.rtsp.events import Limits


@dataclass(frozen=True)
class Sources:
    """What every source is made with: doors, secrets, clock, the pace of files, bounds."""

    doors: Doors
    secrets: Secrets
    clock: Clock
    pace: Callable[[], Pace]
    timeout_s: float
    max_picture_bytes: int
    ca_file: Path | None = None
    http_at_once: int = 1

    def live(self, camera: camera_pb2.Camera) -> LiveSource:
        """Return a source for `camera`, not yet asked; raises `SourceRefused` where the doors are closed to it."""
        address = self._address(camera)
        if address.scheme == "file":
            return InThread(self.of(camera), self._threads)
        credentials = self.secrets.credentials(camera.credentials_secret)
        if address.scheme in ("rtsp", "rtsps"):
            return self._rtsp(address, credentials, keys_only=not plan_of(camera.sampling).wants_all)
        return HttpLive(
            address,
            credentials,
            self._live_hosts,
            self.clock,
            gap_s=plan_of(camera.sampling).min_gap_s,
            max_bytes=self.max_picture_bytes,
            by_hls=lambda: InThread(self.of(camera), self._threads),
        )

    async def close(self) -> None:
        """Let go of what live sources share; on their loop."""
        await self._live_hosts.close()

    def of(self, camera: camera_pb2.Camera) -> Source:
        """Return a source to be waited for, not yet opened; raises `SourceRefused` where the doors are closed to it."""
        address = self._address(camera)
        if address.scheme in ("rtsp", "rtsps"):
            alone = replace(self)  # with a reader of its own, since it lives on a loop of its own
            return Waited(alone.live(camera))
        keys_only = not plan_of(camera.sampling).wants_all
        if address.scheme == "file":
            return self._from_disk(address, keys_only=keys_only)
        credentials = self.secrets.credentials(camera.credentials_secret)
        return HttpSource(
            address,
            credentials,
            self.hosts,
            self.clock,
            gap_s=plan_of(camera.sampling).min_gap_s,
            max_bytes=self.max_picture_bytes,
            keys_only=keys_only,
        )

    def _address(self, camera: camera_pb2.Camera) -> Address:
        if has_secret(camera.source, whole=True):
            text = "a user or password found in the source, a secret expected; name it under credentials"
            raise SourceRefused(text)
        try:
            address = addresses.parse(camera.source)
        except ValueError as error:
            text = f"source: {error}"
            raise SourceRefused(text) from None
        closed = self.doors.why_closed(address)
        if closed is not None:
            text = f"source: {closed}"
            raise SourceRefused(text)
        return address

    def _rtsp(self, address: Address, credentials: Credentials | None, *, keys_only: bool) -> LiveSource:
        def by_libavformat(over: str) -> LiveSource:
            source = (RtspUdpSource if over == "udp" else RtspSource)(
                address,
                credentials,
                self.doors,
                self.clock,
                keys_only=keys_only,
                timeout_s=self.timeout_s,
                max_bytes=self.max_picture_bytes,
                ca_file=self.ca_file,
            )
            return InThread(source, self._threads)

        ours = RtspSocketSource(address, credentials, self._dialer, self._reader, keys_only=keys_only)
        return RtspEither(ours, by_libavformat)

    @cached_property
    def _live_hosts(self) -> AsyncHosts:
        return AsyncHosts(self.doors, self.timeout_s, self.ca_file, at_once=self.http_at_once)

    @cached_property
    def hosts(self) -> HttpHosts:
        """What HTTP sources share that wait: HLS, devices, probes."""
        return HttpHosts(self.doors, self.timeout_s, self.ca_file, at_once=self.http_at_once)

    @cached_property
    def _threads(self) -> Threads:
        return Threads()

    @cached_property
    def _dialer(self) -> Dialer:
        limits = Limits(picture_bytes=self.max_picture_bytes, reply_s=self.timeout_s)
        return Dialer(self.doors, self.clock, self.timeout_s, limits, self.ca_file)

    @cached_property
    def _reader(self) -> RtspReader:
        return RtspReader(self.clock, self.timeout_s, self._dialer.limits)

    def _from_disk(self, address: Address, *, keys_only: bool) -> Source:
        if address.path.is_dir():
            return FolderSource(address.path, self.pace(), self.doors, max_bytes=self.max_picture_bytes)
        return FileSource(
            address.path,
            self.pace(),
            self.doors,
            keys_only=keys_only,
            timeout_s=self.timeout_s,
            max_bytes=self.max_picture_bytes,
        )
