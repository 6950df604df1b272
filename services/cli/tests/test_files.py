"""What users write: read whole, and every mistake named with its line."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lamplight.camera.v1 import camera_pb2
from lamplight.rule.v1 import rule_pb2
from lamplight_cli.apply import Wishes
from lamplight_cli.files.cameras import read_cameras
from lamplight_cli.files.destinations import read_destinations
from lamplight_cli.files.document import Document
from lamplight_cli.files.rules import read_rules
from lamplight_cli.files.situations import read_situations
from lamplight_cli.watching import cameras_of
from lamplight_kit.errors import BadInput, Problem

CAMERAS = """\
version: 1
defaults: {time_zone: Europe/London, retention_days: 14, sampling: {pictures: keyframes, min_gap_s: 2, max_gap_s: 30}}
cameras:
- id: canal-12
  name: Canal Road underpass
  source: rtsp://camera-12.example/stream2
  credentials: {secret: canal-12}
  purpose: Tell the road desk when the underpass floods.
  place: {lon: -0.0912, lat: 51.5216, heading_deg: 140}
  district: east
  labels: [underpass, bus stop]
  zones: [{id: bus_lane, polygon: [[0.1, 0.6], [0.4, 0.6], [0.4, 0.9], [0.1, 0.9]]}]
  lines: [{id: stop_line, from: [0.2, 0.5], to: [0.8, 0.5]}]
  views: []
- id: yard
  source: clips/yard.mp4
  sampling: {pictures: all}
"""
RULES = """\
version: 1
rules:
- id: standing-in-bus-lane
  cameras: ["canal-*", "label:underpass", "!canal-9"]
  over: thing
  when: thing.class_name in ["car"] && thing.still_s >= 20.0
  for_s: 0
  clear_s: 10
  schedule: Mo-Fr 07:00-19:00
  severity: warning
  deliver: [road-desk]
"""


def write(folder: Path, name: str, text: str) -> Path:
    """Write a user's file."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(path: Path) -> tuple[Problem, ...]:
    """Return what is wrong in a user's file, by its name."""
    readers = {"cameras": read_cameras, "rules": read_rules, "destinations": read_destinations}
    with pytest.raises(BadInput) as caught:
        readers[path.stem](path)
    return caught.value.problems


def test_every_field_of_a_camera_arrives(tmp_path: Path) -> None:
    """The design's own example becomes the message that ingest takes."""
    first, second = read_cameras(write(tmp_path, "cameras.yaml", CAMERAS)).cameras
    assert (first.id, first.name, first.district) == ("canal-12", "Canal Road underpass", "east")
    assert first.source == "rtsp://camera-12.example/stream2"
    assert first.credentials_secret == "canal-12"
    assert (first.place.lon, first.place.heading_deg) == (-0.0912, 140)
    assert list(first.labels) == ["underpass", "bus stop"]
    assert [(zone.id, len(zone.polygon)) for zone in first.zones] == [("bus_lane", 4)]
    assert (first.lines[0].id, round(first.lines[0].end.x, 3)) == ("stop_line", 0.8)
    assert (first.retention_days, first.time_zone) == (14, "Europe/London")
    assert second.source == str(tmp_path / "clips" / "yard.mp4")


def test_defaults_are_merged_field_by_field(tmp_path: Path) -> None:
    """A camera's own `pictures` keeps the default's gaps."""
    _, second = read_cameras(write(tmp_path, "cameras.yaml", CAMERAS)).cameras
    assert second.sampling.pictures == camera_pb2.Sampling.PICTURES_ALL
    assert (second.sampling.min_gap_s, second.sampling.max_gap_s) == (2, 30)
    assert (second.name, second.district, second.retention_days) == ("yard", "city", 14)


def test_all_pictures_are_examined_five_times_a_second_unless_told(tmp_path: Path) -> None:
    """`min_gap_s` of `all` is 0.2, of `keyframes` 2."""
    text = "version: 1\ncameras:\n- {id: a, source: a.mp4, sampling: {pictures: all}}\n- {id: b, source: b.mp4}\n"
    first, second = read_cameras(write(tmp_path, "cameras.yaml", text)).cameras
    assert (round(first.sampling.min_gap_s, 3), second.sampling.min_gap_s) == (0.2, 2)


def test_every_field_of_a_rule_arrives(tmp_path: Path) -> None:
    """The design's own example becomes the message that alert takes."""
    (rule,) = read_rules(write(tmp_path, "rules.yaml", RULES)).rules
    assert (rule.id, rule.over, rule.severity) == (
        "standing-in-bus-lane",
        rule_pb2.OVER_THING,
        rule_pb2.SEVERITY_WARNING,
    )
    assert list(rule.cameras) == ["canal-*", "label:underpass", "!canal-9"]
    assert (rule.for_s, rule.clear_s, list(rule.deliver)) == (0, 10, ["road-desk"])


def test_every_field_of_a_destination_arrives(tmp_path: Path) -> None:
    """A destination becomes the message that alert keeps."""
    text = "version: 1\ndestinations:\n- {id: desk, kind: ngsi-ld, address: 'https://desk.example/x', secret: desk}\n"
    (found,) = read_destinations(write(tmp_path, "destinations.yaml", text)).destinations
    assert (found.id, found.kind, found.secret) == ("desk", rule_pb2.Destination.KIND_NGSI_LD, "desk")


SECRETS = (
    "rtsp://user:{p}@host/x", "rtsp:/user:{p}@host/x", "user:{p}@10.0.0.1/stream", "//user:{p}@10.0.0.1/stream",
    "http://h/user:{p}@x", "rtsp://h/x#user:{p}@h", "http://h/snap.jpg?user=admin&password={q}", "mqtt:user:{p}@h",
    "https://h/hook?token={q}",
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    shape=st.sampled_from(SECRETS),
    text=st.text(max_size=12),
    place=st.sampled_from(["id", "source", "name", "purpose", "labels", "time_zone", "district", "address"]),
)
def test_no_password_is_taken_or_told(
    tmp_path_factory: pytest.TempPathFactory, shape: str, text: str, place: str
) -> None:
    """Whatever it is and wherever the URL that holds it was put, the file is refused in words that do not hold it."""
    inner = text if place in ("source", "address") or "://" in shape else "".join(text.split())
    password = f"zq{inner}qz"
    address = shape.format(p=password, q=quote(password, safe=""))
    camera: dict[str, object] = {"id": "a", "source": "x", place: [address] if place == "labels" else address}
    name, top = "cameras.yaml", {"version": 1, "cameras": [camera]}
    if place == "address":
        name, top = "destinations.yaml", {"version": 1, "destinations": [{"id": "a", "kind": "mqtt", place: address}]}
    found = str(problems_of(write(tmp_path_factory.mktemp("files"), name, json.dumps(top, ensure_ascii=False))))
    assert "zq" not in found
    assert "qz" not in found


def test_a_mail_address_and_odd_paths_are_taken(tmp_path: Path) -> None:
    """Only what stands after a colon and before an @ is a password."""
    text = "version: 1\ncameras:\n- {id: a, source: clips/a@b.mp4, name: quay, purpose: ask desk@city.example}\n"
    (camera,) = read_cameras(write(tmp_path, "cameras.yaml", text)).cameras
    assert camera.purpose == "ask desk@city.example"
    assert camera.source == str(tmp_path / "clips" / "a@b.mp4")


def test_half_characters_are_no_text(tmp_path: Path) -> None:
    """They are refused with their line, since no message can carry them."""
    text = 'version: 1\ncameras:\n- {id: a, source: x, name: "\\ud800"}\n'
    (problem,) = problems_of(write(tmp_path, "cameras.yaml", text))
    assert problem.path == "cameras[0].name"


@pytest.mark.parametrize(
    ("value", "told", "expected"),
    [
        ("2024-02-30", "2024-02-30", "a date"),
        ("2024-01-01 25:61:61", "2024-01-01 25:61:61", "a date"),
        ("!!int abc", "abc", "a whole number"),
        ("!!float abc", "abc", "a number"),
        ("!!bool maybe", "maybe", "true or false"),
        ('"\\U00110000"', "00110000", "a character"),
        ("9" * 5_000, "9" * 60 + "…", "a whole number"),
        ("0x" + "f" * 5_000, "0x" + "f" * 58 + "…", "a whole number"),
        ("0x" + "f" * 260, "0x" + "f" * 58 + "…", "a whole number"),
    ],
)
def test_what_yaml_takes_for_a_number_or_date_and_is_none(tmp_path: Path, value: str, told: str, expected: str) -> None:
    """Is told with its line and what to do; so are a rule's."""
    for name in ("cameras.yaml", "rules.yaml"):
        kind = name.removesuffix(".yaml")
        (problem,) = problems_of(write(tmp_path, name, f"version: 1\n{kind}:\n- id: a\n  name: {value}\n"))
        assert (problem.line, problem.value) == (4, told)
        assert problem.expected.startswith(expected)
        assert "mend it" in problem.cure


def test_a_whole_number_that_is_no_float_is_out_of_range(tmp_path: Path) -> None:
    """As any other: no comparison of it fails."""
    large = "9" * 300
    camera = f"{{id: a, source: x, retention_days: {large}, place: {{lon: {large}, lat: 1}}}}"
    text = f"version: 1\ncameras:\n- {camera}\n"
    paths = [problem.path for problem in problems_of(write(tmp_path, "cameras.yaml", text))]
    assert sorted(paths) == ["cameras[0].place.lon", "cameras[0].retention_days"]


def test_a_password_in_broken_yaml_is_not_told(tmp_path: Path) -> None:
    """A field written twice is told with neither of its values."""
    text = "version: 1\ncameras:\n- id: a\n  source: rtsp://u:hush@h/1\n  source: rtsp://u:hush@h/2\n"
    (problem,) = problems_of(write(tmp_path, "cameras.yaml", text))
    assert "hush" not in str(problem)


def test_a_password_of_a_command_line_is_not_told() -> None:
    """What `watch` is asked to watch holds none either."""
    with pytest.raises(BadInput) as caught:
        cameras_of(["rtsp://user:hush@host/x"], None)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "path", "value", "cure"),
    [
        ("- {id: a, source: x, zonse: []}", 3, "cameras[0].zonse", "zonse", "did you mean 'zones'?"),
        ("- {source: x}", 3, "cameras[0]", "no id", "add `id: …`"),
        ("- id: Canal 12\n  source: x", 3, "cameras[0].id", "Canal 12", "write 'canal-12', say"),
        ("- id: 12\n  source: x", 3, "cameras[0].id", "12", 'put it in quotes: "12"'),
        ("- {id: a, source: x}\n- {id: a, source: y}", 4, "cameras[1]", "a", "line 3 has this one"),
        ("- id: a\n  source: rtsp://me:hush@camera.example/1", 4, "cameras[0].source", "rtsp://***@", "name a secret"),
        ("- id: a\n  source: rtps://camera.example/1", 4, "cameras[0].source", "rtps", "did you mean rtsp"),
        ("- {id: a, source: x}\n- id: b\n  source: y\n  time_zone: Europe/Lundon", 6, "cameras[1].time_zone",
         "Europe/Lundon", "did you mean 'Europe/London'?"),
        ("- id: a\n  source: x\n  retention_days: 400", 5, "cameras[0].retention_days", "400", "in that range"),
        ("- id: a\n  source: x\n  place: {lon: 1}", 5, "cameras[0].place", "no lat", "add `lat: …`"),
        ("- id: a\n  source: x\n  zones:\n  - id: z\n    polygon: [[0, 0], [1.5, 0], [1, 1]]", 7,
         "cameras[0].zones[0].polygon[1][0]", "1.5", "in that range"),
        ("- id: a\n  source: x\n  zones: [{id: z, polygon: [[0, 0], [1, 1]]}]", 5,
         "cameras[0].zones[0].polygon", "2 corners", "add corners"),
        ("- id: a\n  source: x\n  sampling: {pictures: keyfrmes}", 5, "cameras[0].sampling.pictures", "key", "did"),
        ("- id: a\n  source: x\n  sampling: {min_gap_s: 60}", 5, "cameras[0].sampling.min_gap_s", "60", "the larger"),
        ("- id: a\n  source: x\n  views: [{id: v}]", 5, "cameras[0].views", "[{id}]", "write []"),
        ("- id: a\n  source: x\n  name:", 5, "cameras[0].name", "nothing", "remove the field"),
        ("- id: a\n  source: x\n  source: y", 5, "", "duplicate key", "mend the line"),
        ("- id: a\n   source: x", 4, "", "mapping values are not allowed", "mend the line"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_camera_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, path: str, value: str, cure: str
) -> None:
    """File, line, path, the value found and the cure are all there; a password never is."""
    (problem, *_) = problems_of(write(tmp_path, "cameras.yaml", f"version: 1\ncameras:\n{text}\n"))
    assert problem.file == str(tmp_path / "cameras.yaml")
    assert (problem.line, problem.path) == (line, path)
    assert value in problem.value
    assert cure in problem.cure
    assert "hush" not in str(problem)


def test_a_mistake_in_the_defaults_is_named_once(tmp_path: Path) -> None:
    """Two cameras that take the same wrong default make one problem, at the default's line."""
    text = "version: 1\ndefaults: {retention_days: 0}\ncameras:\n- {id: a, source: x}\n- {id: b, source: y}\n"
    (problem,) = problems_of(write(tmp_path, "cameras.yaml", text))
    assert (problem.line, problem.path) == (2, "defaults.retention_days")


@pytest.mark.parametrize(
    ("old", "new", "line", "path", "cure"),
    [
        ("over: thing", "over: things", 5, "rules[0].over", "did you mean 'thing'?"),
        ("severity: warning", "severity: high", 10, "rules[0].severity", "choose one of them"),
        ("clear_s: 10", "clear_s: -1", 8, "rules[0].clear_s", "in that range"),
        ("  when: thing.class_name", "  whne: thing.class_name", 6, "rules[0].whne", "did you mean 'when'?"),
        ("version: 1", "version: 2", 1, "version", "in that range"),
        ("deliver: [road-desk]", "deliver: road-desk", 11, "rules[0].deliver", "one item a line"),
    ],
)
def test_a_mistake_in_a_rule_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, path: str, cure: str
) -> None:
    """As for cameras."""
    problems = problems_of(write(tmp_path, "rules.yaml", RULES.replace(old, new)))
    found = next(problem for problem in problems if problem.path == path)
    assert found.line == line
    assert cure in found.cure


@pytest.mark.parametrize("text", ["", "[]", "- a", "version: 1\n", "just words", "\x00", "{"])
def test_a_file_that_is_something_else_is_bad_input(tmp_path: Path, text: str) -> None:
    """No text makes the reader crash."""
    assert problems_of(write(tmp_path, "rules.yaml", text))


def test_all_files_are_checked_before_any_is_applied(tmp_path: Path) -> None:
    """The mistakes of all files come at once; a file that is not there is one."""
    cameras = write(tmp_path, "cameras.yaml", "version: 1\ncameras: [{id: a}]\n")
    with pytest.raises(BadInput) as caught:
        Wishes.read(cameras, tmp_path / "none.yaml", None)
    assert [Path(problem.file).name for problem in caught.value.problems] == ["cameras.yaml", "none.yaml"]


def test_what_a_service_finds_wrong_gets_the_users_line(tmp_path: Path) -> None:
    """A path that the file does not hold gets the line of as much of it as there is."""
    document = Document.read(write(tmp_path, "rules.yaml", RULES))
    found = document.at_lines(
        [Problem("rules[0].when", "x", "y", "z"), Problem("rules[0].name", "x", "y", "z"), Problem("", "x", "y", "z")]
    )
    assert [problem.line for problem in found.problems] == [6, 3, 1]


JPEG, PNG = b"\xff\xd8\xff\xe0 rest", b"\x89PNG\r\n\x1a\n rest"


def make_situation(folder: Path, pictures: dict[str, bytes], text: str | None = None) -> Path:
    """Make a situation's folder."""
    for name, content in pictures.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if text is not None:
        write(folder, "situation.yaml", text)
    return folder


def test_a_situation_is_read_with_its_pictures(tmp_path: Path) -> None:
    """Examples and counter-examples, by their first bytes and not their names; a folder of several, or one alone."""
    pictures = {"examples/One Tree.JPG": JPEG, "examples/b.png": PNG, "counter/c.jpg": PNG, "examples/notes.txt": b""}
    text = "name: Tree on the road\ncameras: [canal-*]\nzones: [lane]\nthreshold: 0.7\n"
    folder = make_situation(tmp_path / "all" / "fallen-tree", pictures, text)
    for path in (folder, folder.parent):
        (found,) = read_situations(path)
        assert (found.situation.id, found.situation.name) == ("fallen-tree", "Tree on the road")
        assert round(found.situation.threshold, 3) == 0.7
        assert [(each.reference_id, each.codec, each.is_counter_example) for each in found.examples] == [
            ("examples-one-tree.jpg", "mjpeg", False),
            ("examples-b.png", "png", False),
            ("counter-c.jpg", "png", True),
        ]


@pytest.mark.parametrize(
    ("name", "pictures", "text", "value"),
    [
        ("tree", {"counter/a.jpg": JPEG}, None, "no example"),
        ("tree", {"examples/a.jpg": b"GIF89a"}, None, "no picture"),
        ("Tree House", {"examples/a.jpg": JPEG}, None, "Tree House"),
        ("tree", {"examples/a.jpg": JPEG}, "treshold: 0.5\n", "treshold"),
        ("tree", {"examples/a b.jpg": JPEG, "examples/a-b.jpg": JPEG}, None, "a-b.jpg"),
    ],
)
def test_a_mistake_in_a_situation_is_named(
    tmp_path: Path, name: str, pictures: dict[str, bytes], text: str | None, value: str
) -> None:
    """The file is named, and what is wrong with it."""
    make_situation(tmp_path / name, pictures, text)
    with pytest.raises(BadInput) as caught:
        read_situations(tmp_path)
    assert any(value in problem.value and problem.file for problem in caught.value.problems)


def test_a_file_that_is_not_there_is_named_once(tmp_path: Path) -> None:
    """What concerns the whole file has no field before it."""
    with pytest.raises(BadInput) as raised:
        read_rules(tmp_path / "none.yaml")
    assert ": :" not in str(raised.value)
    assert str(tmp_path / "none.yaml") in str(raised.value)
