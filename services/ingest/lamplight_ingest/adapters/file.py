"""A video file, or one still picture, played once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer

from lamplight_ingest import mp4
from lamplight_ingest.adapters.container import Units, open_container, packets, video_of
from lamplight_ingest.adapters.disk import open_file
from lamplight_ingest.adapters.pace import Pace
from lamplight_ingest.adapters.still import still_of
from lamplight_ingest.doors import Doors
from lamplight_ingest.model import Picture, SourceRefused
from lamplight_ingest.scrub import scrub
from lamplight_ingest.timing import OwnTime

_MICROSECOND = Fraction(1, 1_000_000)
_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,h264,hevc,asf,ogg,m4v,ivf,obu",
}


class FileSource:
    """Plays one file; a JPEG or PNG is a video of one picture."""

    transport = "file"
    ends = True

    def __init__(
        self, path: Path, pace: Pace, doors: Doors, *, keys_only: bool, timeout_s: float, max_bytes: int
    ) -> None:
        """Prepare; nothing is opened until `open`. No read of the disk waits longer than `timeout_s`."""
        self._doors = doors
        self._file: BinaryIO | None = None
        self._path = path
        self._pace = pace
        self._keys_only = keys_only
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._closed = threading.Event()
        self._container: InputContainer | None = None
        self._still: tuple[str, bytes] | None = None
        self._rotation_deg = 0

    def open(self) -> None:
        """Look into the file."""
        file = self._file = open_file(self._path, self._doors)
        self._still = still_of(file, self._path.name, self._max_bytes)
        if self._still is not None:
            return
        try:
            self._rotation_deg = mp4.rotation_deg(file)
            file.seek(0)
            # By its descriptor, since the path may lead elsewhere by now.
            opened = f"/dev/fd/{file.fileno()}"
            self._container = open_container(opened, _OPTIONS, self._timeout_s, self._timeout_s)
        except (av.FFmpegError, OSError, ValueError) as error:
            text = scrub(f"{self._path.name}: {_reason(error)}; a whole video file, a JPEG or a PNG expected")
            raise SourceRefused(text) from None

    def pictures(self) -> Iterator[Picture]:
        """Yield the file's pictures in the order in which they are stored."""
        try:
            yield from self._played()
        finally:
            if self._container is not None:
                self._container.close()
            if self._file is not None:
                self._file.close()

    def close(self) -> None:
        """End with the next picture."""
        self._closed.set()

    def _played(self) -> Iterator[Picture]:
        self._pace.start()
        if self._still is not None:
            codec, data = self._still
            received_ns, at_ns = self._pace.at_ns(0.0, self._closed)
            yield Picture(codec, data, is_key=True, received_ns=received_ns, source_at_ns=at_ns)
        if self._container is None:
            return
        try:
            yield from self._video(self._container)
        except (av.FFmpegError, ValueError) as error:
            text = scrub(f"{self._path.name}: {_reason(error)} while reading; a whole video file expected")
            raise SourceRefused(text) from None

    def _video(self, container: InputContainer) -> Iterator[Picture]:
        stream = video_of(container)
        units = Units(stream, self._max_bytes, keys_only=self._keys_only)
        rate_hz = float(stream.average_rate) if stream.average_rate else None
        own_time = OwnTime(stream.time_base or _MICROSECOND, stream.start_time, rate_hz)
        for packet in packets(container, stream, self._closed.is_set):
            own_s = own_time.seconds(packet.pts, packet.dts) if packet.size else 0.0
            for unit in units.of(packet):
                received_ns, at_ns = self._pace.at_ns(own_s, self._closed)
                yield Picture(
                    codec=unit.codec,
                    data=unit.data,
                    is_key=unit.is_key,
                    received_ns=received_ns,
                    source_at_ns=at_ns,
                    extradata=unit.extradata,
                    lost_before=unit.lost_before,
                    rotation_deg=self._rotation_deg,
                )


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
