"""Cameras as a user writes them: cameras.yaml and GeoJSON that read back as the same cameras."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lamplight.camera.v1 import camera_pb2

from lamplight_cli.files.cameras import usual

_BARE = re.compile(r"[a-z][a-z0-9_-]*|[A-Z][a-z]+(/[A-Z][A-Za-z_]+)+|(rtsps?|https?)://[\w./:?&=%~+-]*[\w/]")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def written(camera: camera_pb2.Camera) -> dict[str, Any]:
    """Return the fields of cameras.yaml that make `camera`, less those that are so by themselves."""
    return {name: value for name, value in _fields(camera) if name not in usual() or value != usual()[name]}


def as_yaml(cameras: Iterable[camera_pb2.Camera]) -> Iterator[str]:
    """Yield the lines of a cameras.yaml."""
    yield "version: 1"
    yield "cameras:"
    for camera in cameras:
        for number, (name, value) in enumerate(written(camera).items()):
            yield f"{'  ' if number else '- '}{name}: {_yaml(value)}"


def as_geojson(cameras: Iterable[camera_pb2.Camera]) -> Mapping[str, Any]:
    """Return a FeatureCollection (RFC 7946): a Point where the place is known, and a property a field."""
    return {"type": "FeatureCollection", "features": [_feature(camera) for camera in cameras]}


def _feature(camera: camera_pb2.Camera) -> Mapping[str, Any]:
    properties = written(camera)
    place = properties.pop("place", None)
    geometry = None
    if place is not None:
        geometry = {"type": "Point", "coordinates": [place["lon"], place["lat"]]}
        if "heading_deg" in place:
            properties["heading_deg"] = place["heading_deg"]
    return {"type": "Feature", "id": camera.id, "geometry": geometry, "properties": properties}


def _fields(camera: camera_pb2.Camera) -> Iterator[tuple[str, Any]]:
    yield "id", camera.id
    if camera.name != camera.id:
        yield "name", camera.name
    yield "source", camera.source
    if camera.credentials_secret:
        yield "credentials", {"secret": camera.credentials_secret}
    if camera.purpose:
        yield "purpose", camera.purpose
    if camera.HasField("place"):
        yield "place", _place(camera.place)
    yield "district", camera.district
    if camera.labels:
        yield "labels", list(camera.labels)
    yield "sampling", _sampling(camera.sampling)
    yield "time_zone", camera.time_zone
    yield "retention_days", camera.retention_days
    yield "evidence_every_s", _short(camera.evidence_every_s)
    if camera.zones:
        yield "zones", [{"id": zone.id, "polygon": _points(zone.polygon)} for zone in camera.zones]
    if camera.lines:
        yield "lines", [_line(line) for line in camera.lines]


def _place(place: camera_pb2.GeoPlace) -> Mapping[str, float]:
    heading = {"heading_deg": _short(place.heading_deg)} if place.HasField("heading_deg") else {}
    return {"lon": place.lon, "lat": place.lat, **heading}


def _sampling(sampling: camera_pb2.Sampling) -> Mapping[str, Any]:
    takes_all = sampling.pictures == camera_pb2.Sampling.PICTURES_ALL
    gaps = {"min_gap_s": _short(sampling.min_gap_s), "max_gap_s": _short(sampling.max_gap_s)}
    return {"pictures": "all" if takes_all else "keyframes", **gaps}


def _line(line: camera_pb2.Line) -> Mapping[str, Any]:
    start, end = _points([line.start, line.end])
    return {"id": line.id, "from": start, "to": end}


def _points(points: Iterable[camera_pb2.Point]) -> Sequence[Sequence[float]]:
    return [[_fraction(point.x), _fraction(point.y)] for point in points]


def _fraction(value: float) -> float:
    """Return the shortest number that is the same in the 32 bits in which the contracts keep it."""
    single = struct.pack("<f", value)
    shorter = (float(f"{value:.{digits}g}") for digits in range(1, 9))
    return _short(next((each for each in shorter if struct.pack("<f", each) == single), value))


def _short(value: float) -> float:
    return int(value) if value == int(value) else value


def _yaml(value: Any) -> str:
    if isinstance(value, str) and _BARE.fullmatch(value) and value.lower() not in _WORDS:
        return value
    text = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08X}" for char in text)
