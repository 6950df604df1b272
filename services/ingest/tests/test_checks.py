"""What a caller wants to write is checked whole: every problem at once, each where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lamplight.camera.v1 import camera_pb2
from lamplight_ingest.checks import problems_of
from lamplight_ingest.doors import Doors

DOORS = Doors(roots=(Path("/media"),), allow_loopback=False)
SQUARE = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)]


def zone(zone_id: str = "bay", corners: list[tuple[float, float]] = SQUARE) -> camera_pb2.Zone:
    """Return a zone."""
    return camera_pb2.Zone(id=zone_id, polygon=[camera_pb2.Point(x=x, y=y) for x, y in corners])


def line(line_id: str = "stop", start: tuple[float, float] = (0, 0), end: tuple[float, float] = (1, 1)) -> Any:
    """Return a line."""
    points = {
        "start": camera_pb2.Point(x=start[0], y=start[1]),
        "end": camera_pb2.Point(x=end[0], y=end[1]),
    }
    return camera_pb2.Line(id=line_id, **points)


def camera(**fields: Any) -> camera_pb2.Camera:
    """Return a camera that is right but for `fields`."""
    right: dict[str, Any] = {
        "id": "quay-1",
        "name": "Quay",
        "source": "rtsp://cam.example/1",
        "district": "east",
        "labels": ["underpass"],
        "zones": [zone()],
        "lines": [line()],
        "time_zone": "Europe/London",
        "retention_days": 7,
        "place": camera_pb2.GeoPlace(lon=-0.1, lat=51.5, heading_deg=140),
    }
    return camera_pb2.Camera(**{**right, **fields})


def test_a_right_camera_has_no_problem() -> None:
    """Nor has one that says only what it must."""
    bare = camera_pb2.Camera(id="a", source="/media/a.mp4", district="east", time_zone="UTC", retention_days=1)
    assert problems_of([camera(), bare], DOORS) == ()


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"id": "Quay"}, ["id"]),
        ({"id": ""}, ["id"]),
        ({"id": "a" * 64}, ["id"]),
        ({"source": ""}, ["source"]),
        ({"source": "gopher://x/"}, ["source"]),
        ({"source": "rtsp://127.0.0.1/x"}, ["source"]),
        ({"source": "/etc/passwd"}, ["source"]),
        ({"source": "rtsp://user@cam.example/"}, ["source"]),
        ({"credentials_secret": "../x"}, ["credentials_secret"]),
        ({"district": ""}, ["district"]),
        ({"retention_days": 0}, ["retention_days"]),
        ({"retention_days": 366}, ["retention_days"]),
        ({"evidence_every_s": -1}, ["evidence_every_s"]),
        ({"time_zone": "Europe/Londn"}, ["time_zone"]),
        ({"time_zone": ""}, ["time_zone"]),
        (
            {"place": camera_pb2.GeoPlace(lon=181, lat=float("nan"), heading_deg=-1)},
            ["place.lon", "place.lat", "place.heading_deg"],
        ),
        ({"sampling": camera_pb2.Sampling(min_gap_s=5, max_gap_s=2)}, ["sampling.max_gap_s"]),
        ({"sampling": camera_pb2.Sampling(min_gap_s=-1)}, ["sampling.min_gap_s"]),
        ({"sampling": camera_pb2.Sampling(min_gap_s=float("inf"))}, ["sampling.min_gap_s"]),
        ({"zones": [zone(corners=SQUARE[:2])]}, ["zones[0].polygon"]),
        ({"zones": [zone(corners=[(0, 0), (0.5, 0.5), (1, 1)])]}, ["zones[0].polygon"]),
        ({"zones": [zone(corners=[(0, 0), (2, 0), (0, 1)])]}, ["zones[0].polygon[1]"]),
        ({"zones": [zone(corners=[(0, 0), (1, 0), (0, float("nan"))])]}, ["zones[0].polygon[2]"]),
        ({"zones": [zone("a"), zone("a")]}, ["zones[1].id"]),
        ({"zones": [zone("Bus Lane")]}, ["zones[0].id"]),
        ({"lines": [line(end=(0, 0))]}, ["lines[0]"]),
        ({"lines": [line(start=(-1, 0))]}, ["lines[0].from"]),
        ({"labels": ["", " x"]}, ["labels[0]", "labels[1]"]),
        ({"name": "x" * 2000}, ["name"]),
        ({"zones": [zone(f"z{at}", [(at % 7 / 9, x / 130) for x in range(100)] + [(1, 1)]) for at in range(64)]}, [""]),
    ],
)
def test_each_mistake_is_found_where_it_is(fields: dict[str, Any], paths: list[str]) -> None:
    """With the path of the field, what was expected, and a cure."""
    problems = problems_of([camera(id="first"), camera(**fields)], DOORS)
    assert [problem.path for problem in problems] == [f"cameras[1].{path}".rstrip(".") for path in paths]
    assert all(problem.expected and problem.cure for problem in problems)


def test_all_mistakes_of_all_cameras_are_told_at_once() -> None:
    """And two cameras of one id are told apart by their place."""
    wrong = [camera(id="a", retention_days=0), camera(id="b"), camera(id="a", time_zone="x")]
    paths = {problem.path for problem in problems_of(wrong, DOORS)}
    assert paths == {"cameras[0].retention_days", "cameras[2].time_zone", "cameras[2].id"}


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    """The text tells the cure and holds nothing of the address."""
    (problem,) = problems_of([camera(source="rtsp://admin:pass-word-never-shown@cam.example/1")], DOORS)
    assert "pass-word" not in str(problem)
    assert "credentials" in problem.cure


@given(
    st.sampled_from(["source", "name", "purpose", "labels"]),
    st.sampled_from(["rtsp://user:{p}@h/x", "http://h/user:{p}@x", "http://h/snap.jpg?user=admin&password={q}"]),
    st.text(max_size=12),
)
def test_no_password_is_taken_or_told(field: str, shape: str, text: str) -> None:
    """Whatever it is, and in whichever text of a camera the URL stands."""
    password = f"zq{text}qz"
    address = shape.format(p=password, q=quote(password, safe=""))
    problems = problems_of([camera(**{field: [address] if field == "labels" else address})], DOORS)
    assert problems
    assert "zq" not in str(problems)
    assert "qz" not in str(problems)


@pytest.mark.parametrize(
    "source", ["rtsp:/user:hunter2@host/x", "user:hunter2@10.0.0.1/stream", "//user:hunter2@10.0.0.1/stream"]
)
def test_a_password_is_no_path(source: str) -> None:
    """What is no URL only because it was miswritten is refused as one."""
    (problem,) = problems_of([camera(source=source)], Doors(roots=None))
    assert "hunter2" not in str(problem)
    assert "credentials" in problem.cure


def test_a_mail_address_is_no_password() -> None:
    """Purposes name whom to ask."""
    assert not problems_of([camera(purpose="Floods: ask desk@city.example", name="Quay @ 7:30")], DOORS)


def test_more_cameras_than_one_call_may_hold() -> None:
    """They are to be applied in parts."""
    (problem,) = problems_of([camera()] * 5001, DOORS)
    assert problem.path == "cameras"
