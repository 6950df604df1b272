"""Reads a video file's encoded pictures, without decoding any."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext

from lamplight_demo.cameras.h264 import AccessUnit, parameter_sets, split_annexb


@dataclass(frozen=True)
class Clip:
    """A whole H.264 video in memory: its pictures in sending order, and its length before it starts again."""

    units: tuple[AccessUnit, ...]
    sps: bytes
    pps: bytes
    duration_s: float


def read_clip(path: Path) -> Clip:
    """Read the first video stream of `path`; `ValueError` if it is not H.264 or holds no picture."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if stream.codec_context.name != "h264":
            message = f"{path.name}: {stream.codec_context.name} found, h264 expected"
            raise ValueError(message)
        to_annexb = BitStreamFilterContext("h264_mp4toannexb", stream)
        packets = [out for packet in container.demux(stream) for out in to_annexb.filter(packet) if out.size]
        tick_s = float(stream.time_base or 0)
        picture_s = 1 / float(stream.average_rate or 25)
    if not packets:
        message = f"{path.name}: no picture found, a playable video expected"
        raise ValueError(message)
    first = min(_ticks(packet.pts) for packet in packets)
    units = [
        AccessUnit(
            nals=split_annexb(bytes(packet)),
            dts_s=(_ticks(packet.dts) - first) * tick_s,
            pts_s=(_ticks(packet.pts) - first) * tick_s,
            key=packet.is_keyframe,
        )
        for packet in packets
    ]
    sps, pps = parameter_sets(units)
    return Clip(tuple(units), sps, pps, max(unit.pts_s for unit in units) + picture_s)


def _ticks(value: int | None) -> int:
    return 0 if value is None else value
