"""Looks at one source for some seconds, through the adapters and doors of every camera."""

from __future__ import annotations

import contextlib
import threading
from typing import Protocol, Self

from lamplight.camera.v1 import camera_pb2
from lamplight_contracts.secrets import has_secret

from lamplight_ingest.adapters.onvif import Device, OnvifDevice, device_address
from lamplight_ingest.adapters.sources import Sources
from lamplight_ingest.model import Hinting, Source, SourceError, SourceRefused
from lamplight_ingest.onvif.messages import Profile
from lamplight_ingest.probing import Observed, Report

ENOUGH_LINES = 360
_GRACE_S = 3.0
_DEVICE_TIMEOUTS = 3
_SAMPLING = camera_pb2.Sampling(pictures=camera_pb2.Sampling.PICTURES_ALL, min_gap_s=1.0, max_gap_s=30.0)


def look(source: str, secret: str, sources: Sources, for_s: float) -> Report:
    """Return what `source` is, after `for_s` seconds of pictures at the most; errors are in the report."""
    camera = camera_pb2.Camera(id="probe", source=source, sampling=_SAMPLING, credentials_secret=secret)
    observed, transport = Observed(), ""
    made: Source | None = None
    try:
        made = sources.of(camera)
        with _closed_after(made, for_s + sources.timeout_s + _GRACE_S) as ending:
            made.open()
            ending.after(for_s)
            for picture in made.pictures():
                observed.take(picture)
                if observed.is_enough or observed.seconds >= for_s:
                    break
    except SourceError as error:
        transport = made.transport if made is not None else ""
        is_refused = isinstance(error, SourceRefused)
        return observed.report(transport, str(error) if is_refused or not observed.pictures else None)
    came = made.hint() if isinstance(made, Hinting) and not observed.pictures else ""
    return observed.report(made.transport, f"no picture came within {for_s:g} s: {came}" if came else None)


def device(source: str, secret: str, sources: Sources) -> Device | None:
    """Return what an ONVIF device tells, None where `source` is no device's address; raises `SourceError`."""
    if has_secret(source, whole=True):
        return None  # refused with every other source that holds one
    try:
        address = device_address(source)
    except ValueError as error:
        text = f"source: {error}"
        raise SourceRefused(text) from None
    if address is None:
        return None
    closed = sources.doors.why_closed(address)
    if closed is not None:
        text = f"source: {closed}"
        raise SourceRefused(text)
    credentials = sources.secrets.credentials(secret)
    found = OnvifDevice(address, credentials, sources.hosts, sources.clock)
    with _closed_after(found, _DEVICE_TIMEOUTS * sources.timeout_s):
        return found.describe()


def best(device: Device) -> Profile | None:
    """Return the cheapest profile that is tall enough and has an address, else the tallest."""
    usable = [profile for profile in device.profiles if profile.stream and profile.codec in ("h264", "hevc")]
    enough = [profile for profile in usable if profile.frame_hw[0] >= ENOUGH_LINES]
    if enough:
        return min(enough, key=lambda profile: (profile.frame_hw[0] * profile.frame_hw[1], profile.bitrate_kbps))
    return max(usable, key=lambda profile: profile.frame_hw, default=None)


class _Closing(Protocol):
    """What can be told from another thread to end."""

    def close(self) -> None:
        """End, whatever is waited for."""
        ...


class _closed_after(contextlib.AbstractContextManager["_closed_after"]):  # noqa: N801 - reads as a word
    """Closes a source or a device when its time is over, and at the end of the block."""

    def __init__(self, source: _Closing, most_s: float) -> None:
        self._source = source
        self._timer = threading.Timer(most_s, source.close)

    def __enter__(self) -> Self:
        self._timer.daemon = True
        self._timer.start()
        return self

    def after(self, seconds: float) -> None:
        """Count from now."""
        self._timer.cancel()
        self._timer = threading.Timer(seconds, self._source.close)
        self._timer.daemon = True
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._source.close()
