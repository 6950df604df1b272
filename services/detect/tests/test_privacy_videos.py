"""The privacy bench over videos: the whole clip goes through the gate, and its labelled pictures are counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from lamplight_detect.gate import RedactedPicture
from lamplight_detect.privacy_bench import measure, run, videos
from lamplight_detect.privacy_bench.labels import Labelled
from lamplight_detect.privacy_bench.outside.looking import Looking
from lamplight_detect.privacy_bench.tally import Tally
from lamplight_detect.redact import Redactor
from lamplight_detect.testing import Room
from lamplight_kit.errors import BadInput
from test_background import HW, Shown, Watcher, street, with_block

CLIP = Path("clip.mp4")
PICTURES = 90
EARLY, LATE = 3, 80
NO_BOXES = np.zeros((0, 4), np.float32)


def person_at(number: int) -> tuple[int, int, int, int]:
    """Return the box of who walks through the clip, in its picture of this number."""
    left = 3 * number % 130
    return left, 40, left + 20, 90


def label(number: int, *boxes: tuple[int, int, int, int]) -> Labelled:
    """Return the labels of a street's picture in the clip."""
    people = np.array(boxes, np.float32).reshape(-1, 4)
    return Labelled(CLIP, people, NO_BOXES, NO_BOXES, number, is_street=True)


@dataclass
class Clip:
    """Somebody walks over a street, found by `watcher` in each picture."""

    watcher: Watcher
    rate: Fraction = Fraction(10)
    damaged: int = 0
    expected: int = PICTURES

    def pictures(self) -> Iterator[Shown]:
        """Yield the same pictures each time."""
        for number in range(self.expected):
            box = person_at(number)
            left, top, right, bottom = map(float, box)
            self.watcher.said = [("person", (left, top, right, bottom), 0.5)]
            yield Shown(with_block(street(number), box), number / 10)


@dataclass(frozen=True)
class Witness(Looking):
    """Keeps what has left in place of looking at it."""

    seen: list[RedactedPicture] = field(default_factory=list)

    def look(self, picture: RedactedPicture, labels: Labelled, tally: Tally) -> None:
        """Keep it."""
        assert labels.number is not None
        assert tally.over_masked_streets
        self.seen.append(picture)


@pytest.fixture
def redactor(room: Room) -> Redactor:
    """A redactor on a room that finds who wears red, and opens the clip."""
    watcher = Watcher(room.things.manifest, HW)
    room.things = watcher
    room.gate.things = watcher
    return Redactor(room.gate, room.sealer, lambda _path: Clip(watcher))


def short(redactor: Redactor) -> Redactor:
    """Return it with a clip of eight pictures."""
    watcher = redactor.gate.things
    assert isinstance(watcher, Watcher)
    return replace(redactor, open_video=lambda _path: Clip(watcher, expected=8))


@dataclass
class Faint(Clip):
    """Nobody walks; the whole street passes faintly for a vehicle in each picture."""

    score: float = 0.2

    def pictures(self) -> Iterator[Shown]:
        """Yield the same pictures each time."""
        for number in range(self.expected):
            self.watcher.said = [("car", (0.0, 0.0, float(HW[1]), float(HW[0])), self.score)]
            yield Shown(street(number), number / 10)


def test_what_is_too_faint_for_a_band_is_learnt(redactor: Redactor) -> None:
    """Streets pass faintly for vehicles: one too faint for its size is compared with and never fills, a sure one no."""
    watcher = redactor.gate.things
    assert isinstance(watcher, Watcher)
    seen = [redactor.searched(Faint(watcher, score=score), lambda *_: None) for score in (0.2, 0.6)]
    assert [any(one.vouched) for one in seen] == [True, False]
    assert seen[0].backdrop is not None
    assert not seen[0].backdrop.may.any()


def test_pictures_count_apart_by_whether_the_background_vouched_for_them(redactor: Redactor) -> None:
    """A filled hole is a mask; who is labelled where nobody was found is a miss; the limit binds vouched ones alone."""
    entries = [
        label(EARLY, person_at(EARLY)),
        label(LATE, person_at(LATE), (5, 5, 15, 35)),
        Labelled(Path("still.jpg"), NO_BOXES, NO_BOXES, NO_BOXES),
    ]
    witness = Witness(redactor, (), None, videos.VIDEO)
    tally = videos.measured(redactor, entries, witness)
    assert (tally.alone.of(16), tally.vouched.of(16)) == ((1, 1), (1, 2))
    assert tally.vouched.missed == [f"clip.mp4 #{LATE} [5, 5, 15, 35]"]
    assert [picture.filled_holes > 0 for picture in witness.seen] == [True, True]
    rows = {str(row["name"]): row for row in tally.rows(is_outside=False)}
    assert rows["video: from 16 px"]["limit"] == 0.995
    assert rows["video: over-masked streets"]["limit"] == 0.05
    for name in ("from 16 px", "over-masked streets"):
        assert rows[f"video, without a valid background: {name}"]["limit"] is None
    share = rows["video: share with a valid background"]
    assert (share["value"], share["unit"]) == (
        round(tally.vouched_pictures / PICTURES, 4),
        "of 90 pictures, videos: 1",
    )
    assert 0 < tally.vouched_pictures < PICTURES
    assert json.loads(json.dumps(rows))


def test_a_long_video_may_be_thinned_and_says_so(redactor: Redactor) -> None:
    """One of two pictures and the labelled ones are gone through, each with its own label, and the rows say it."""
    entries = [label(number, person_at(number)) for number in (3, 6, 7)]
    looking = Looking(redactor, (), None, videos.VIDEO)
    tally = videos.measured(short(redactor), entries, looking, every=2)
    assert tally.pictures == 4 + 2
    assert (tally.alone.of(16), tally.vouched.of(16)) == ((3, 3), (0, 0))
    names = [str(row["name"]) for row in tally.rows(is_outside=False)]
    assert all(name.startswith("video, 1 of 2 pictures") for name in names)


def test_one_refused_picture_refuses_all_that_are_labelled(
    redactor: Redactor, room: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `redact` writes nothing then, nothing is counted as masked; the reason is told."""
    room.faces.fault = lambda: 1 / 0  # type: ignore[assignment,return-value] # a fault
    tally = videos.measured(redactor, [label(EARLY), label(LATE)], Looking(redactor, (), None, videos.VIDEO))
    assert (tally.vouched.refused, tally.vouched.people, tally.pictures) == (2, [], 0)
    assert [row["name"] for row in tally.rows(is_outside=False)] == ["video: refused"]
    assert "video: refused: clip.mp4: ZeroDivisionError" in capsys.readouterr().err


def test_a_label_past_the_end_is_refused(redactor: Redactor, capsys: pytest.CaptureFixture[str]) -> None:
    """What the clip does not hold cannot be counted, nor forgotten."""
    tally = videos.measured(short(redactor), [label(8)], Looking(redactor, (), None, videos.VIDEO))
    assert tally.vouched.refused == 1
    assert "no pictures [8] in clip.mp4 found" in capsys.readouterr().err


def test_the_bench_takes_the_conditions_that_are_named(
    redactor: Redactor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`video` and `clean` both take a video's picture; a condition that is unknown, or has nothing, is bad input."""
    monkeypatch.setattr(measure, "local", lambda **_: SimpleNamespace(redactor=redactor))
    (tmp_path / "clip.mp4").touch()
    left, top, right, bottom = person_at(LATE)
    box = {"bbox": [left, top, right - left, bottom - top], "category": "person"}
    labels = tmp_path / "labels.jsonl"
    labels.write_text(json.dumps({"file": "clip.mp4", "picture": LATE, "scene": "street", "bboxes": [box]}) + "\n")
    result = run(tmp_path, conditions=("clean", "video"))
    rows = {row["name"]: row["value"] for row in json.loads(json.dumps(result))["measures"]}
    assert (rows["clean: from 16 px"], rows["video: from 16 px"]) == (1.0, 1.0)
    assert "video, without a valid background: from 16 px" not in rows
    assert "video: clip.mp4: 80 of 90 pictures searched" in capsys.readouterr().err
    with pytest.raises(BadInput, match="'night' found"):
        run(tmp_path, conditions=("night",))
    labels.write_text(json.dumps({"file": "clip.mp4", "bboxes": []}) + "\n")
    with pytest.raises(BadInput, match="no picture of a video"):
        run(tmp_path, conditions=("video",))
