"""cameras.yaml: `version`, `defaults` that every camera takes, and the cameras; CSV and GeoJSON stand for the same."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lamplight.camera.v1 import camera_pb2
from lamplight_contracts.secrets import has_secret

from lamplight_cli.files.document import Document, Node, nearest, once
from lamplight_cli.files.tables import SUFFIXES, read_table

_OF_ALL = (
    "purpose",
    "credentials",
    "place",
    "district",
    "labels",
    "sampling",
    "time_zone",
    "retention_days",
    "evidence_every_s",
)
_OF_ONE = ("id", "name", "source", *_OF_ALL, "zones", "lines", "views")
_UNFIT = re.compile(r"[\s\x00-\x20\x7f<>\"'`{}|\\^,;()&=+$!*]")
_PICTURES = {"keyframes": camera_pb2.Sampling.PICTURES_KEYFRAMES, "all": camera_pb2.Sampling.PICTURES_ALL}
_SCHEMES = ("rtsp", "rtsps", "http", "https")
_MIN_GAP_S = {"keyframes": 2.0, "all": 0.2}
_MAX_GAP_S = 30.0
_RETENTION_DAYS = 7
_EVIDENCE_EVERY_S = 300.0
_DISTRICT = "city"


@dataclass(frozen=True)
class CamerasFile:
    """The cameras of a file, in its order."""

    document: Document
    cameras: Sequence[camera_pb2.Camera]


def read_cameras(path: Path, ignore: Collection[str] = ()) -> CamerasFile:
    """Read and check the whole file; raises `BadInput` with every mistake in it.

    A source that is a path stands from the file's own folder. `ignore` names columns of a CSV, or properties of a
    GeoJSON, that are passed over.
    """
    document = read_table(path, ignore) if path.suffix.lower() in SUFFIXES else Document.read(path)
    top = document.root.fields(("version", "defaults", "cameras"), ("version", "cameras"))
    if "version" in top:
        top["version"].whole(1, 1)
    defaults = top["defaults"].fields(_OF_ALL) if "defaults" in top else {}
    nodes = top["cameras"].items("a list of cameras") if "cameras" in top else []
    cameras = [_camera(node, defaults, path.absolute().parent) for node in nodes]
    once([(camera.id, node) for camera, node in zip(cameras, nodes, strict=True)], "camera")
    document.check()
    return CamerasFile(document, cameras)


def plain_camera(camera_id: str, source: str) -> camera_pb2.Camera:
    """Return a camera of which nothing is known: every picture is wanted."""
    sampling = camera_pb2.Sampling(
        pictures=camera_pb2.Sampling.PICTURES_ALL, min_gap_s=_MIN_GAP_S["all"], max_gap_s=_MAX_GAP_S
    )
    return camera_pb2.Camera(
        id=camera_id,
        name=camera_id,
        source=source,
        district=_DISTRICT,
        sampling=sampling,
        time_zone="UTC",
        retention_days=_RETENTION_DAYS,
        evidence_every_s=_EVIDENCE_EVERY_S,
    )


@cache
def usual() -> Mapping[str, Any]:
    """Return the fields that a camera has where its file does not say them."""
    sampling = {"pictures": "keyframes", "min_gap_s": _MIN_GAP_S["keyframes"], "max_gap_s": _MAX_GAP_S}
    return {
        "sampling": sampling,
        "time_zone": "UTC",
        "retention_days": _RETENTION_DAYS,
        "evidence_every_s": _EVIDENCE_EVERY_S,
    }


def _camera(node: Node, defaults: Mapping[str, Node], folder: Path) -> camera_pb2.Camera:
    own = node.fields(_OF_ONE, ("id", "source"))
    given = {**defaults, **own}
    camera = camera_pb2.Camera(
        id=own["id"].identifier() if "id" in own else "",
        source=_source(own["source"], folder) if "source" in own else "",
        sampling=_sampling(defaults.get("sampling"), own.get("sampling")),
        retention_days=given["retention_days"].whole(1, 365, "days") if "retention_days" in given else _RETENTION_DAYS,
        evidence_every_s=(
            given["evidence_every_s"].number(1, 86_400, "seconds") if "evidence_every_s" in given else _EVIDENCE_EVERY_S
        ),
        time_zone=_time_zone(given["time_zone"]) if "time_zone" in given else "UTC",
        district=given["district"].identifier() if "district" in given else _DISTRICT,
        labels=_labels(given["labels"]) if "labels" in given else (),
        purpose=given["purpose"].words() if "purpose" in given else "",
        zones=_zones(own["zones"]) if "zones" in own else (),
        lines=_lines(own["lines"]) if "lines" in own else (),
    )
    camera.name = own["name"].words() if "name" in own else camera.id
    if "place" in given:
        camera.place.CopyFrom(_place(given["place"]))
    if "credentials" in given:
        camera.credentials_secret = _secret(given["credentials"])
    if "views" in own and list(own["views"].items("a list of views")):
        own["views"].wrong("an empty list: turning cameras are not served yet", "write [], or remove the field")
    return camera


def _source(node: Node, folder: Path) -> str:
    expected = "rtsp(s):// or http(s)://, a video file or a folder of pictures"
    source = node.text(expected)
    if has_secret(source, whole=True):
        # First of all: a password may look like a path, a port or a wrong scheme.
        cure = "name a secret instead: `credentials: {secret: …}`"
        node.wrong("an address without user and password", cure)
        return ""
    if "://" not in source:
        return str((folder / source).resolve()) if source else ""
    try:
        parts = urlsplit(source)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        host, parts = None, urlsplit("")
    if host and _UNFIT.search(host):
        node.wrong(
            "a host of letters, digits, dots and dashes, or an IP address", "take spaces and signs out of the host"
        )
    elif parts.scheme not in _SCHEMES or not host:
        near = nearest(parts.scheme, _SCHEMES)
        node.wrong(expected, f"did you mean {near}://?" if near and host else "mend the address")
    return source


def _secret(node: Node) -> str:
    found = node.fields(("secret",), ("secret",))
    return found["secret"].identifier() if "secret" in found else ""


def _labels(node: Node) -> Sequence[str]:
    return [item.words() for item in node.items("a list of labels")]


@cache
def _time_zones() -> frozenset[str]:
    """Return the names of all zones: looked for on the disk, so once."""
    return frozenset(zoneinfo.available_timezones())


def _time_zone(node: Node) -> str:
    name = node.text("an IANA time zone such as Europe/London")
    known = _time_zones()
    if name and name not in known:
        near = nearest(name, known)
        node.wrong(
            "an IANA time zone such as Europe/London", f"did you mean {near!r}?" if near else "choose one of them"
        )
    return name


def _place(node: Node) -> camera_pb2.GeoPlace:
    found = node.fields(("lon", "lat", "heading_deg"), ("lon", "lat"))
    place = camera_pb2.GeoPlace(
        lon=found["lon"].number(-180, 180, "degrees east") if "lon" in found else 0,
        lat=found["lat"].number(-90, 90, "degrees north") if "lat" in found else 0,
    )
    if "heading_deg" in found:
        place.heading_deg = found["heading_deg"].number(0, 360, "degrees clockwise from north")
    return place


def _sampling(default: Node | None, own: Node | None) -> camera_pb2.Sampling:
    known = ("pictures", "min_gap_s", "max_gap_s")
    found: dict[str, Node] = {}
    for node in (default, own):
        if node is not None:
            found.update(node.fields(known))
    pictures = (found["pictures"].choice(tuple(_PICTURES)) if "pictures" in found else "") or "keyframes"
    sampling = camera_pb2.Sampling(
        pictures=_PICTURES[pictures],
        min_gap_s=found["min_gap_s"].number(0, 3_600, "seconds") if "min_gap_s" in found else _MIN_GAP_S[pictures],
        max_gap_s=found["max_gap_s"].number(0.04, 3_600, "seconds") if "max_gap_s" in found else _MAX_GAP_S,
    )
    if sampling.max_gap_s < sampling.min_gap_s:
        node = found.get("max_gap_s") or found["min_gap_s"]
        node.wrong(f"max_gap_s of at least min_gap_s ({sampling.min_gap_s:g})", "make max_gap_s the larger one")
    return sampling


def _zones(node: Node) -> Sequence[camera_pb2.Zone]:
    zones = []
    named: list[tuple[str, Node]] = []
    for item in node.items("a list of zones {id, polygon}"):
        found = item.fields(("id", "polygon"), ("id", "polygon"))
        zone = camera_pb2.Zone(id=found["id"].identifier() if "id" in found else "")
        if "polygon" in found:
            corners = [_point(corner) for corner in found["polygon"].items("a list of corners [x, y]")]
            if 0 < len(corners) < 3:
                found["polygon"].wrong("at least three corners", "add corners", f"{len(corners)} corners")
            zone.polygon.extend(corners)
        zones.append(zone)
        named.append((zone.id, found.get("id", item)))
    once(named, "zone of this camera")
    return zones


def _lines(node: Node) -> Sequence[camera_pb2.Line]:
    lines = []
    named: list[tuple[str, Node]] = []
    for item in node.items("a list of lines {id, from, to}"):
        found = item.fields(("id", "from", "to"), ("id", "from", "to"))
        line = camera_pb2.Line(id=found["id"].identifier() if "id" in found else "")
        for name, point in (("from", line.start), ("to", line.end)):
            if name in found:
                point.CopyFrom(_point(found[name]))
        lines.append(line)
        named.append((line.id, found.get("id", item)))
    once(named, "line of this camera")
    return lines


def _point(node: Node) -> camera_pb2.Point:
    numbers = node.items("[x, y] as fractions of the picture, 0 to 1")
    if len(numbers) != 2:
        if numbers:
            node.wrong("[x, y] as fractions of the picture, 0 to 1", "write two numbers")
        return camera_pb2.Point()
    x, y = (number.number(0, 1, "as a fraction of the picture") for number in numbers)
    return camera_pb2.Point(x=x, y=y)
