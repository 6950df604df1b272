"""Cameras by CSV and GeoJSON, and written out again: the same cameras, and every mistake where the user finds it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lamplight.camera.v1 import camera_pb2
from lamplight_cli.commands import run
from lamplight_cli.errors import BAD_INPUT
from lamplight_cli.files.camera_out import as_geojson, as_yaml
from lamplight_cli.files.cameras import read_cameras
from lamplight_kit.errors import BadInput, Problem

CSV = """id,name,source,secret,lon,lat,heading_deg,district,labels,pictures,min_gap_s,retention_days,zones
canal-12,"Canal Road, underpass",rtsp://camera-12.example/stream2,canal-12,-0.0912,51.5,140,east,underpass; road,,,14,
12,,http://cam.example/now.jpg,,,,,,,all,0.5,,"[{""id"": ""bay"", ""polygon"": [[0.1, 0.6], [0.4, 0.6], [0.4, 0.9]]}]"
"""


def written(folder: Path, name: str, text: str) -> Path:
    """Write a file."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_csv_stands_for_a_file_of_cameras(tmp_path: Path) -> None:
    """Columns named as the fields; empty cells are left out; ids of digits are texts; semicolons do as well."""
    for text, name in ((CSV, "a.csv"), ("\ufeff" + CSV.replace("\n", "\r\n"), "b.csv")):
        one, two = read_cameras(written(tmp_path, name, text)).cameras
        assert (one.id, one.name, one.credentials_secret) == ("canal-12", "Canal Road, underpass", "canal-12")
        assert (one.place.lon, one.place.heading_deg, list(one.labels)) == (-0.0912, 140, ["underpass", "road"])
        assert (one.retention_days, one.district, one.sampling.min_gap_s) == (14, "east", 2)
        assert (two.id, two.name, two.retention_days, two.district) == ("12", "12", 7, "city")
        assert (two.sampling.pictures, two.sampling.min_gap_s) == (camera_pb2.Sampling.PICTURES_ALL, 0.5)
        assert (two.HasField("place"), two.zones[0].id, len(two.zones[0].polygon)) == (False, "bay", 3)
    semicolons = written(tmp_path, "c.csv", "id;source;purpose\na;rtsp://h/1;Tell, early\n")
    assert read_cameras(semicolons).cameras[0].purpose == "Tell, early"


def problems(folder: Path, name: str, text: str) -> tuple[Problem, ...]:
    """Return what is wrong with a file."""
    with pytest.raises(BadInput) as refused:
        read_cameras(written(folder, name, text))
    return refused.value.problems


@pytest.mark.parametrize(
    ("text", "line", "path", "value", "cure"),
    [
        ("id,source,distrct\na,rtsp://h/1,1", 1, "column distrct", "distrct", "did you mean 'district'?"),
        ("id,source,fid\na,rtsp://h/1,1", 1, "column fid", "fid", ""),
        ("id,name\na,b", 1, "", "no column source", "first line"),
        ('id,source,lon,lat\na,rtsp://h/1,1,2\nb,rtsp://h/2,"51,5",2', 3, "column lon", "51,5", "range"),
        ("id,source,lon,lat\na,rtsp://h/1,1,", 2, "column place", "no lat", "add"),
        ("id,source,zones\na,rtsp://h/1,x", 2, "column zones", "x", "mend the cell"),
        ('id,source\n"a\n",rtsp://h/1\nB,rtsp://h/1', 4, "column id", "B", "write 'b'"),
        ("id,source\na,rtsp://h/1\n\na,rtsp://h/2", 4, "row", "a", "line 2 has this one"),
        ("id,source\na,rtsp://u:hush@h/1", 2, "column source", "***", "name a secret"),
        ("id,source\na,rtsp://h/1,c", 2, "", "3 cells", "quotes"),
        ("id,source,retention_days\na,rtsp://h/1,1.5", 2, "column retention_days", "1.5", "range"),
        ("id,source,pictures\na,rtsp://h/1,keyfrmes", 2, "column pictures", "keyfrmes", "keyframes"),
        ("id,id,source\na,a,rtsp://h/1", 1, "column id", "id", "remove one"),
        ("", 1, "", "no column id", "first line"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_csv_is_named_by_line_and_column(
    tmp_path: Path, text: str, line: int, path: str, value: str, cure: str
) -> None:
    """With the value found and the cure; a password never is."""
    found = problems(tmp_path, "cameras.csv", text)
    (match,) = [each for each in found if (each.line, each.path) == (line, path)][:1] or [found[0]]
    assert (match.line, match.path, match.file) == (line, path, str(tmp_path / "cameras.csv"))
    assert value in match.value
    assert cure in match.cure
    assert "hush" not in str(found)


def collection(*features: dict[str, Any]) -> str:
    """Return a FeatureCollection, a feature a line after the first two."""
    lines = ",\n".join(json.dumps(feature) for feature in features)
    return '{"type": "FeatureCollection",\n"features": [\n' + lines + "\n]}"


def point(lon: float, lat: float) -> dict[str, Any]:
    """Return a place as GeoJSON."""
    return {"type": "Point", "coordinates": [lon, lat]}


def feature(geometry: Any = None, **properties: Any) -> dict[str, Any]:
    """Return a feature of a camera that is right but for `properties`."""
    right = {"id": "a", "source": "rtsp://h/1", **properties}
    return {"type": "Feature", "geometry": geometry, "properties": right}


@pytest.mark.parametrize(
    ("text", "line", "path", "value"),
    [
        (collection(feature(), feature(id="b", distrct="x")), 4, "features[1].properties.distrct", "distrct"),
        (collection(feature(), feature(id="b", district="X y")), 4, "features[1].properties.district", "X y"),
        (collection(feature(point(1, 91))), 3, "features[0].geometry.coordinates[1]", "91"),
        (collection(feature({"type": "Polygon", "coordinates": []})), 3, "features[0].geometry", "Polygon"),
        (collection(feature(sampling={"pictures": "none"})), 3, "features[0].properties.pictures", "none"),
        (collection(feature(source="rtsp://u:hush@h/")), 3, "features[0].properties.source", "***"),
        ('{"type": "Feature"}', 1, "type", "Feature"),
        ('{"type": \n x', 2, "", "Expecting value"),
        ("[]", 1, "type", "list"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_geojson_is_named_by_feature_and_property(
    tmp_path: Path, text: str, line: int, path: str, value: str
) -> None:
    """And by the line on which the feature begins."""
    (problem, *_) = problems(tmp_path, "cameras.geojson", text)
    assert (problem.line, problem.path) == (line, path)
    assert value in problem.value
    assert "hush" not in str(problem)


ids = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,10}", fullmatch=True)
words = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="@:/?&#="), min_size=1).filter(str.strip)
fraction = st.floats(0, 1, width=32)
points = st.builds(camera_pb2.Point, x=fraction, y=fraction)
cameras = st.builds(
    camera_pb2.Camera,
    id=ids,
    name=words,
    source=st.sampled_from(["rtsp://cam.example:8554/a?b=c", "https://cam.example/now.jpg", "/media/a b.mp4", "/x:y"]),
    credentials_secret=st.one_of(st.just(""), ids),
    purpose=st.one_of(st.just(""), words),
    place=st.one_of(
        st.none(),
        st.builds(
            camera_pb2.GeoPlace,
            lon=st.floats(-180, 180),
            lat=st.floats(-90, 90),
            heading_deg=st.one_of(st.none(), st.floats(0, 360)),
        ),
    ),
    district=ids,
    labels=st.lists(words, max_size=3),
    zones=st.lists(
        st.builds(camera_pb2.Zone, id=ids, polygon=st.lists(points, min_size=3, max_size=5)),
        max_size=2,
        unique_by=lambda zone: zone.id,
    ),
    lines=st.lists(
        st.builds(camera_pb2.Line, id=ids, start=points, end=points), max_size=2, unique_by=lambda line: line.id
    ),
    sampling=st.builds(
        camera_pb2.Sampling,
        pictures=st.sampled_from([camera_pb2.Sampling.PICTURES_ALL, camera_pb2.Sampling.PICTURES_KEYFRAMES]),
        min_gap_s=st.floats(0.01, 10),
        max_gap_s=st.floats(10, 3600),
    ),
    time_zone=st.sampled_from(["UTC", "Europe/London", "America/Argentina/Buenos_Aires", "Etc/GMT+5"]),
    retention_days=st.integers(1, 365),
    evidence_every_s=st.floats(1, 86_400),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(cameras, max_size=3, unique_by=lambda camera: camera.id))
def test_what_is_written_out_reads_back_as_the_same(
    tmp_path_factory: pytest.TempPathFactory, wished: list[camera_pb2.Camera]
) -> None:
    """By YAML and by GeoJSON, whatever the names and numbers are."""
    folder = tmp_path_factory.mktemp("round")
    yaml = written(folder, "cameras.yaml", "\n".join(as_yaml(wished)) + "\n")
    geojson = written(folder, "cameras.geojson", json.dumps(as_geojson(wished)))
    if wished:
        assert list(read_cameras(yaml).cameras) == wished
    assert list(read_cameras(geojson).cameras) == wished


def test_importing_writes_a_file_that_can_be_applied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Columns that are none of ours are passed over where that is asked for, else named."""
    table = written(tmp_path, "t.csv", "OBJECTID,id,source\n7,a,rtsp://h/1\n")
    out = tmp_path / "cameras.yaml"
    assert run(["camera", "import", str(table), "-o", str(out)]) == BAD_INPUT
    assert "--ignore OBJECTID" in capsys.readouterr().err
    assert not out.exists()
    assert run(["camera", "import", str(table), "-o", str(out), "--ignore", "OBJECTID"]) == 0
    assert [camera.id for camera in read_cameras(out).cameras] == ["a"]
