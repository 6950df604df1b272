"""What `lamplight camera probe` prints: what a source is, what it allows, and an entry for cameras.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from lamplight.camera.v1 import camera_pb2

from lamplight_cli.files.camera_out import as_yaml, written

_LONGEST_KEYFRAME_S = 10.0
"""Where keyframes are further apart, an entry asks for all pictures."""
_TIMES = {
    "source": "the source's own",
    "receipt": "of receipt (the source tells none, or none within 5 s of it)",
    "mixed": "the source's own for some pictures, of receipt for others",
}
Line = Mapping[str, Any]


def lines_of(probe: Any, secret: str) -> Iterator[Line]:
    """Yield the JSON lines: an ONVIF device's profiles, then what was looked at."""
    for profile in probe.device.profiles if probe.device else ():
        yield {
            "kind": "profile",
            "token": profile.token,
            "name": profile.name,
            "codec": profile.codec,
            "frame_hw": list(profile.frame_hw),
            "rate_hz": profile.rate_hz or None,
            "keyframe_interval_s": profile.keyframe_interval_s or None,
            "bitrate_kbps": profile.bitrate_kbps or None,
            "stream": profile.stream or None,
            "snapshot": profile.snapshot or None,
            "note": profile.note,
        }
    report = probe.report
    yield {
        "kind": "probe",
        "source": probe.source,
        "transport": report.transport,
        "codec": report.codec,
        "frame_hw": list(report.frame_hw) if report.frame_hw else None,
        "pictures": report.pictures,
        "seconds": report.seconds,
        "rate_hz": report.rate_hz,
        "keyframe_interval_s": report.keyframe_interval_s,
        "bitrate_kbps": report.bitrate_kbps,
        "time": report.time,
        "clock_ahead_s": probe.device.ahead_s if probe.device else None,
        "sampling": [
            {"pictures": a.pictures, "every_s": a.every_s, "dwell_s": a.dwell_s, "counts_lines": a.counts_lines}
            for a in probe.allowed
        ],
        "notes": list(report.notes),
        "camera": None if report.error else written(entry(probe, secret)),
        "error": report.error,
    }


def words(probe: Any, secret: str) -> Iterator[str]:
    """Yield the same for a person."""
    if probe.device:
        yield from _device_words(probe.device)
    report = probe.report
    if not report.pictures:
        return
    yield probe.source
    size = f"{report.frame_hw[1]}x{report.frame_hw[0]}" if report.frame_hw else "size not told"
    yield f"  received by  {report.transport}"
    rate = f", {report.rate_hz:g} a second" if report.rate_hz else ""
    bits = f", {report.bitrate_kbps:g} kb/s" if report.bitrate_kbps else ""
    yield f"  pictures     {report.codec}, {size}{rate}{bits}"
    if report.keyframe_interval_s is not None:
        yield f"  keyframes    every {report.keyframe_interval_s:g} s"
    yield f"  time         {_TIMES.get(report.time, 'not known')}"
    for allowed in probe.allowed:
        yield f"  {allowed.words}"
    for note in report.notes:
        yield f"  note: {note}"
    if not report.error:
        yield ""
        yield from as_yaml([entry(probe, secret)])


def entry(probe: Any, secret: str) -> camera_pb2.Camera:
    """Return the camera that the source would be: all pictures where keyframes are too far apart to tell much."""
    report = probe.report
    far = report.keyframe_interval_s is None or report.keyframe_interval_s > _LONGEST_KEYFRAME_S
    takes_all = far and report.rate_hz is not None and report.rate_hz > 1
    kinds = camera_pb2.Sampling
    sampling = kinds(pictures=kinds.PICTURES_KEYFRAMES, min_gap_s=2, max_gap_s=30)
    if takes_all:
        sampling = kinds(pictures=kinds.PICTURES_ALL, min_gap_s=0.2, max_gap_s=30)
    identifier = id_of(probe.source)
    return camera_pb2.Camera(
        id=identifier,
        name=identifier,
        source=probe.source,
        credentials_secret=secret,
        district="city",
        sampling=sampling,
        time_zone="UTC",
        retention_days=7,
        evidence_every_s=300,
    )


def id_of(source: str) -> str:
    """Return an id by a source's host and last step."""
    parts = urlsplit(source)
    last = parts.path.rstrip("/").rpartition("/")[2].partition(".")[0]
    plain = re.sub(r"[^a-z0-9_-]+", "-", f"{parts.hostname or ''}-{last}".lower()).strip("-_")
    return plain[:63].strip("-_") or "camera"


def _device_words(device: Any) -> Iterator[str]:
    if device.ahead_s is not None and abs(device.ahead_s) > 1:
        yield f"the device's clock is {device.ahead_s:+g} s from this machine's"
    for profile in device.profiles:
        size = f"{profile.frame_hw[1]}x{profile.frame_hw[0]}"
        keys = f", keyframes every {profile.keyframe_interval_s:g} s" if profile.keyframe_interval_s else ""
        rate = f", {profile.rate_hz:g} a second" if profile.rate_hz else ""
        yield f"profile {profile.name}: {profile.codec}, {size}{rate}{keys}"
        for name, address in (("stream", profile.stream), ("snapshot", profile.snapshot), ("note", profile.note)):
            if address:
                yield f"  {name}: {address}"
