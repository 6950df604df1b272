"""Whether cameras that a caller wants to write can be taken: every problem of all of them, at once."""

from __future__ import annotations

import math
import re
import zoneinfo
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cache

from lamplight.camera.v1 import camera_pb2
from lamplight_contracts.secrets import has_secret, scrub
from lamplight_kit.errors import Problem

from lamplight_ingest import doors as addresses
from lamplight_ingest.doors import Doors

MAX_CAMERAS = 5_000
MAX_CAMERA_BYTES = 60_000  # of the topic's 65536, less what ingest adds
MAX_AREAS = 64
MAX_CORNERS = 128
MAX_TEXT = 1_000
MAX_GAP_S = 3_600.0
MIN_AREA = 1e-6
MIN_LENGTH = 1e-3
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_ID_EXPECTED = "a lower-case letter or digit, then up to 62 of a-z, 0-9, _ and -"

Problems = Iterator[Problem]


def problems_of(cameras: Sequence[camera_pb2.Camera], doors: Doors) -> tuple[Problem, ...]:
    """Return everything wrong in `cameras`, with paths such as `cameras[3].zones[0].polygon`."""
    if len(cameras) > MAX_CAMERAS:
        return (Problem("cameras", str(len(cameras)), f"at most {MAX_CAMERAS} in one call", "apply them in parts"),)
    found = [problem for index, camera in enumerate(cameras) for problem in _camera(f"cameras[{index}]", camera, doors)]
    return (*found, *_repeated("cameras", [camera.id for camera in cameras]))


def _camera(path: str, camera: camera_pb2.Camera, doors: Doors) -> Problems:
    yield from _identifier(f"{path}.id", camera.id)
    yield from _source(f"{path}.source", camera.source, doors)
    if camera.credentials_secret:
        yield from _identifier(f"{path}.credentials_secret", camera.credentials_secret)
    yield from _identifier(f"{path}.district", camera.district)
    yield from _texts(path, camera)
    yield from _place(f"{path}.place", camera)
    yield from _sampling(f"{path}.sampling", camera.sampling)
    yield from _time_zone(f"{path}.time_zone", camera.time_zone)
    if not 1 <= camera.retention_days <= 365:
        yield Problem(f"{path}.retention_days", str(camera.retention_days), "1 to 365 days", "choose a number between")
    yield from _number(f"{path}.evidence_every_s", camera.evidence_every_s, 0, 86_400, "seconds; 0: the default")
    yield from _zones(path, camera)
    yield from _lines(path, camera)
    size = camera.ByteSize()
    if size > MAX_CAMERA_BYTES:
        yield Problem(path, f"{size} bytes", f"at most {MAX_CAMERA_BYTES}", "write fewer or simpler zones")


def _source(path: str, source: str, doors: Doors) -> Problems:
    if has_secret(source, whole=True):
        cure = "take it out of the address, put user:password into a secret and name that under credentials"
        yield Problem(path, _shown(source), "an address without user and password", cure)
        return
    try:
        address = addresses.parse(source)
    except ValueError as error:
        cure = "write rtsp(s)://…, http(s)://…, or the path of a file or folder"
        yield Problem(path, _shown(source), str(error), cure)
        return
    closed = doors.why_closed(address)
    if closed is not None:
        yield Problem(path, _shown(source), "a source that ingest may ask", closed)


def _texts(path: str, camera: camera_pb2.Camera) -> Problems:
    for name, text in (("name", camera.name), ("purpose", camera.purpose)):
        if len(text) > MAX_TEXT:
            yield Problem(f"{path}.{name}", f"{len(text)} characters", f"at most {MAX_TEXT}", "say it shorter")
        yield from _open_text(f"{path}.{name}", text)
    for index, label in enumerate(camera.labels):
        if not 1 <= len(label) <= 63 or label != label.strip():
            expected = "1 to 63 characters without spaces around"
            yield Problem(f"{path}.labels[{index}]", _shown(label), expected, "mend the label")
        yield from _open_text(f"{path}.labels[{index}]", label)
    if len(camera.labels) > MAX_AREAS:
        yield Problem(f"{path}.labels", str(len(camera.labels)), f"at most {MAX_AREAS}", "use fewer labels")


def _open_text(path: str, text: str) -> Problems:
    if has_secret(text):
        yield Problem(path, _shown(text), "a text without a URL's user or password", "take them out of it")


def _shown(text: str) -> str:
    return scrub(text, whole=True)[:100]


def _place(path: str, camera: camera_pb2.Camera) -> Problems:
    if not camera.HasField("place"):
        return
    yield from _number(f"{path}.lon", camera.place.lon, -180, 180, "degrees east")
    yield from _number(f"{path}.lat", camera.place.lat, -90, 90, "degrees north")
    if camera.place.HasField("heading_deg"):
        yield from _number(f"{path}.heading_deg", camera.place.heading_deg, 0, 360, "degrees clockwise from north")


def _sampling(path: str, sampling: camera_pb2.Sampling) -> Problems:
    if sampling.pictures not in camera_pb2.Sampling.Pictures.values():
        yield Problem(f"{path}.pictures", str(sampling.pictures), "keyframes or all", "choose one of them")
    unit = "seconds; 0: the default"
    yield from _number(f"{path}.min_gap_s", sampling.min_gap_s, 0, MAX_GAP_S, unit)
    yield from _number(f"{path}.max_gap_s", sampling.max_gap_s, 0, MAX_GAP_S, unit)
    if 0 < sampling.max_gap_s < sampling.min_gap_s:
        expected = f"at least min_gap_s, which is {sampling.min_gap_s:g}"
        yield Problem(f"{path}.max_gap_s", f"{sampling.max_gap_s:g}", expected, "make it larger, or min_gap_s smaller")


@cache
def _time_zones() -> frozenset[str]:
    """Return the names of all zones: looked for on the disk, so once."""
    return frozenset(zoneinfo.available_timezones())


def _time_zone(path: str, name: str) -> Problems:
    known = _time_zones()
    if name not in known:
        near = get_close_matches(name, sorted(known), 1)
        cure = f"did you mean {near[0]}?" if near else "write UTC, or the name of a place's zone"
        yield Problem(path, _shown(name), "an IANA time zone such as Europe/London", cure)


def _zones(path: str, camera: camera_pb2.Camera) -> Problems:
    if len(camera.zones) > MAX_AREAS:
        yield Problem(f"{path}.zones", str(len(camera.zones)), f"at most {MAX_AREAS}", "draw fewer zones")
    for index, zone in enumerate(camera.zones):
        where = f"{path}.zones[{index}]"
        yield from _identifier(f"{where}.id", zone.id)
        yield from _polygon(f"{where}.polygon", zone.polygon)
    yield from _repeated(f"{path}.zones", [zone.id for zone in camera.zones])


def _polygon(path: str, corners: Sequence[camera_pb2.Point]) -> Problems:
    if not 3 <= len(corners) <= MAX_CORNERS:
        yield Problem(path, f"{len(corners)} corners", f"3 to {MAX_CORNERS}", "draw a closed area")
        return
    outside = [problem for at, corner in enumerate(corners) for problem in _point(f"{path}[{at}]", corner)]
    yield from outside
    if not outside and _area(corners) < MIN_AREA:
        drawn = ", ".join(f"[{corner.x:g}, {corner.y:g}]" for corner in corners)
        yield Problem(path, f"[{drawn}]"[:200], "corners around an area", "move a corner off the line of the others")


def _area(corners: Sequence[camera_pb2.Point]) -> float:
    """Return the area inside `corners` as a share of the picture, by the shoelace formula."""
    ring = [*corners[1:], corners[0]]
    pairs = zip(corners, ring, strict=True)
    return abs(sum(here.x * there.y - there.x * here.y for here, there in pairs)) / 2


def _lines(path: str, camera: camera_pb2.Camera) -> Problems:
    if len(camera.lines) > MAX_AREAS:
        yield Problem(f"{path}.lines", str(len(camera.lines)), f"at most {MAX_AREAS}", "draw fewer lines")
    for index, line in enumerate(camera.lines):
        where = f"{path}.lines[{index}]"
        yield from _identifier(f"{where}.id", line.id)
        yield from _point(f"{where}.from", line.start)
        yield from _point(f"{where}.to", line.end)
        if math.hypot(line.end.x - line.start.x, line.end.y - line.start.y) < MIN_LENGTH:
            value = f"[{line.start.x:g}, {line.start.y:g}] twice"
            yield Problem(where, value, "two different ends", "move one end")
    yield from _repeated(f"{path}.lines", [line.id for line in camera.lines])


def _point(path: str, point: camera_pb2.Point) -> Problems:
    if not (0 <= point.x <= 1 and 0 <= point.y <= 1):
        value = f"[{point.x:g}, {point.y:g}]"
        yield Problem(path, value, "fractions of the picture, 0 to 1", "divide pixels by the picture's size")


def _number(path: str, value: float, least: float, most: float, unit: str) -> Problems:
    if not (math.isfinite(value) and least <= value <= most):
        yield Problem(path, f"{value:g}", f"{least:g} to {most:g} {unit}", "choose a number between")


def _identifier(path: str, text: str) -> Problems:
    if not _ID.fullmatch(text):
        yield Problem(path, _shown(text), _ID_EXPECTED, "choose another id")


def _repeated(path: str, ids: Sequence[str]) -> Problems:
    first: dict[str, int] = {}
    for index, found in enumerate(ids):
        if found and first.setdefault(found, index) != index:
            expected = f"an id of its own, {path}[{first[found]}] has this one"
            yield Problem(f"{path}[{index}].id", _shown(found), expected, "give each an id of its own")
