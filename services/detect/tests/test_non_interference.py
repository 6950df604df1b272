"""Non-interference: what is under the masks changes nothing that leaves, now or later.

The models' answers and the small copies (which tell motion, change and health) are held fixed; both are made of
raw pixels, and what is told from them is in the masks' shape, the counts and the flags: docs/privacy.md says so. All
else that leaves must come of unmasked pixels alone. Vectors are made of the regions' bytes, which are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight_detect.adapters.key_file import SigningKey
from lamplight_detect.background.tints import small_tints
from lamplight_detect.change import small_luma
from lamplight_detect.decode import Picture
from lamplight_detect.decode.pictures import Stamp
from lamplight_detect.detections import Detections
from lamplight_detect.examine import Examiner
from lamplight_detect.gate import Gate, RedactedPicture, Sealer, Source
from lamplight_detect.gate.encode import QUALITY
from lamplight_detect.gate.masks import FILL
from lamplight_detect.gate.sharpened import Blur
from lamplight_detect.handler import Detector
from lamplight_detect.redact import Redactor
from lamplight_detect.releaser import Pace
from lamplight_detect.testing import UPRIGHT_ALONE, Said, Shelf, detections
from lamplight_kit.onnx import Manifest
from lamplight_models import manifest
from numpy.typing import NDArray

NS = 1_000_000_000
START = 1_700_000_000 * NS
HW = (48, 64)
THINGS, FACES = manifest("nanodet"), manifest("centerface")
ZONE = camera_pb2.Zone(id="left", polygon=[camera_pb2.Point(x=x, y=y) for x, y in ((0, 0), (0.6, 0), (0.6, 1), (0, 1))])
CAMERA = camera_pb2.Camera(
    id="cam", zones=[ZONE], sampling=camera_pb2.Sampling(min_gap_s=0.2, max_gap_s=30), evidence_every_s=1
)
OFTEN = Pace(0.1, 0.1, 0.1)
Bgr = NDArray[np.uint8]


@dataclass
class Scripted:
    """A finder whose answers are written beforehand: by the number of the picture, whatever it shows."""

    manifest: Manifest
    script: Sequence[Sequence[Said]]
    number: int = 0

    def find(self, picture: Bgr, at_least: float) -> Detections:
        """Answer for whole pictures; nothing for parts."""
        if picture.shape[:2] != HW:
            return Detections.none()
        return detections(self.manifest, self.script[self.number]).at_least(at_least)


class Watching(Sealer):
    """A sealer that keeps what passed through it, by time: the pictures that leave, before they are encoded."""

    def __init__(self, key: SigningKey) -> None:
        """Seal with `key`."""
        super().__init__(key, {"things": "0" * 64}, UPRIGHT_ALONE.numbers())
        self.passed: dict[int, list[RedactedPicture]] = {}

    def sealed(self, picture: RedactedPicture, source: Source, quality: int = QUALITY) -> bytes:
        """Keep it, and seal it."""
        self.passed.setdefault(source.at_ns, []).append(picture)
        return super().sealed(picture, source, quality)


@dataclass
class Run:
    """What left in one run: records and pictures as bytes, and the pictures before they were encoded."""

    records: list[tuple[str, str, bytes]] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)
    passed: dict[int, list[RedactedPicture]] = field(default_factory=dict)

    def mask(self, number: int, gap_ns: int) -> NDArray[np.bool_]:
        """Return the mask under which a picture left as a whole; none of it where it never did."""
        whole = [one.mask for one in self.passed.get(START + number * gap_ns, ()) if one.frame_hw == HW]
        return whole[0] if whole else np.zeros(HW, np.bool_)


@dataclass(frozen=True)
class Case:
    """A sequence: what the models say of each picture, what it shows, and the time between two."""

    things: tuple[tuple[Said, ...], ...]
    faces: tuple[tuple[Said, ...], ...]
    seed: int
    gap_s: float
    is_quiet: bool

    @property
    def gap_ns(self) -> int:
        """The gap in nanoseconds."""
        return round(self.gap_s * NS)

    def shown(self) -> list[Bgr]:
        """Return the pictures: one scene with a little noise, or each its own."""
        random = np.random.default_rng(self.seed)
        scene = random.integers(60, 200, (*HW, 3), np.uint8)
        if self.is_quiet:
            return [(scene + random.integers(0, 3, (*HW, 3), np.uint8)).astype(np.uint8) for _ in self.things]
        return [random.integers(60, 200, (*HW, 3), np.uint8) for _ in self.things]


BOX = st.tuples(st.integers(0, 50), st.integers(0, 34), st.integers(6, 30), st.integers(8, 30)).map(
    lambda box: (float(box[0]), float(box[1]), float(min(box[0] + box[2], 64)), float(min(box[1] + box[3], 48)))
)
SCORE = st.sampled_from([0.4, 0.6, 0.8])
THING = st.tuples(st.sampled_from(["person", "person", "car", "bicycle", "suitcase"]), BOX, SCORE)
FACE = st.tuples(st.just("face"), BOX, SCORE)


def cases(most: int) -> st.SearchStrategy[Case]:
    """Return sequences of up to `most` pictures."""
    return st.integers(1, most).flatmap(
        lambda count: st.builds(
            Case,
            st.tuples(*[st.lists(THING, max_size=3).map(tuple)] * count),
            st.tuples(*[st.lists(FACE, max_size=1).map(tuple)] * count),
            st.integers(0, 2**32 - 1),
            st.sampled_from([0.4, 2.0, 100.0]),
            st.booleans(),
        )
    )


def finders(case: Case) -> tuple[Scripted, Scripted]:
    """Return both models, as the case scripts them."""
    return Scripted(THINGS, case.things), Scripted(FACES, case.faces)


def live(case: Case, pictures: Sequence[Bgr], key: SigningKey) -> Run:
    """Run the pictures through a whole detect, as one camera's."""
    things, faces = finders(case)
    sealer, shelf = Watching(key), Shelf()
    gate = Gate(things, faces, UPRIGHT_ALONE)
    examiner = Examiner(gate, sealer, shelf, lambda _, camera, at_ns, __: f"{camera}/{at_ns}", OFTEN)
    detector = Detector(examiner, situation_zones=lambda _: frozenset({"left"}))
    run = Run(passed=sealer.passed, pictures=shelf.pictures)
    for number, bgr in enumerate(pictures):
        things.number = faces.number = number
        frame = frame_pb2.Frame(
            camera_id="cam", epoch=1, seq=number, at_ns=START + number * case.gap_ns, codec="png", is_key=True
        )
        frame.examine, frame.data = True, cv2.imencode(".png", bgr)[1].tobytes()
        results = [detector.handle(frame, CAMERA)]
        if number == len(pictures) - 1:
            results.append(detector.flush("cam"))
        for result in results:
            for record in result.records:
                content = b"" if record.message is None else record.message.SerializeToString(deterministic=True)  # type: ignore[union-attr] # all are messages
                run.records.append((record.topic, record.key, content))
    return run


def differing(pictures: Sequence[Bgr], run: Run, case: Case, seed: int) -> list[Bgr]:
    """Return the pictures with anything at all under each one's own masks."""
    random = np.random.default_rng(seed)
    masks = [run.mask(number, case.gap_ns) for number in range(len(pictures))]
    return [
        np.where(mask[..., None], random.integers(0, 256, (*HW, 3), np.uint8), bgr).astype(np.uint8)
        for bgr, mask in zip(pictures, masks, strict=True)
    ]


def held(pictures: Sequence[Bgr]) -> Callable[[Bgr], NDArray[np.uint8]]:
    """Return a maker of small grey copies that gives those of `pictures`, over and over, whatever it is shown."""
    copies = [small_luma(bgr) for bgr in pictures]
    calls = iter(range(1 << 30))
    return lambda _: copies[next(calls) % len(copies)]


def held_tints(pictures: Sequence[Bgr], others: Sequence[Bgr]) -> Callable[[Bgr, tuple[int, ...]], Bgr]:
    """Return a maker of small colour copies that takes each of `others` for the one of `pictures` in its place."""
    known = {other.tobytes(): bgr for bgr, other in zip(pictures, others, strict=True)}
    return lambda bgr, small_hw: small_tints(known.get(bgr.tobytes(), bgr), small_hw)


def compare_live(case: Case, seed: int, key: SigningKey, patch: pytest.MonkeyPatch) -> None:
    """Expect that two runs whose pictures differ under the masks alone write the same bytes."""
    pictures = case.shown()
    patch.setattr("lamplight_detect.examine.small_luma", held(pictures))
    first = live(case, pictures, key)
    assert first.pictures  # or else nothing was compared
    others = differing(pictures, first, case, seed)
    patch.setattr("lamplight_detect.background.tints.small_tints", held_tints(pictures, others))
    second = live(case, others, key)
    assert first.pictures == second.pictures
    assert first.records == second.records


def compare_seen(case: Case, seed: int, key: SigningKey) -> None:
    """Expect of two such runs, grey copies and all, that nothing but masks tells them apart."""
    pictures = case.shown()
    first = live(case, pictures, key)
    second = live(case, differing(pictures, first, case, seed), key)
    for at_ns, ours in first.passed.items():
        for one, other in zip(ours, second.passed.get(at_ns, ()), strict=False):
            if one.frame_hw != other.frame_hw or one.frame_hw != HW:
                continue  # a region may be cut, and shrunk, or not
            clear = ~(one.mask | other.mask)
            assert np.array_equal(one.bgr[clear], other.bgr[clear])
            assert (other.bgr[other.mask & ~clear & one.mask] == FILL).all() or _is_filled(other)
    same = [[one.mask.tobytes() for one in passed] for passed in first.passed.values()] == [
        [one.mask.tobytes() for one in passed] for passed in second.passed.values()
    ]
    if same and [one[0] for one in first.records] == [one[0] for one in second.records]:
        assert first.pictures == second.pictures


def _is_filled(picture: RedactedPicture) -> bool:
    """Tell whether a picture's masks are filled with its background, and so are not solid."""
    return bool((picture.bgr[picture.mask] != FILL).any())


@dataclass
class Clip:
    """A video in memory."""

    shown: Sequence[Bgr]
    told: Callable[[int], None]
    gap_s: float
    rate: Fraction = Fraction(10)
    damaged: int = 0
    expected: int = 0

    def pictures(self) -> Iterator[Picture]:
        """Yield its pictures, telling the number of each."""
        for number, bgr in enumerate(self.shown):
            self.told(number)
            yield Timed(bgr, STAMP, number * self.gap_s)


STAMP = Stamp("", 0, 0, 0, at_is_receipt=False, same_as_before=False, rotation_deg=0)


@dataclass(frozen=True)
class Timed(Picture):
    """A picture of a video."""

    at_s: float = 0.0


def redacted(case: Case, pictures: Sequence[Bgr], key: SigningKey, folder: Path) -> tuple[bytes, bytes, list[Bgr]]:
    """Return the redacted video and its seal, and the masks under which its pictures left."""
    things, faces = finders(case)

    def told(number: int) -> None:
        things.number = faces.number = number

    gate = Gate(things, faces, UPRIGHT_ALONE)
    masks: list[Bgr] = []
    show = gate.show

    def shown(*arguments: object) -> object:
        picture = show(*arguments)  # type: ignore[arg-type] # passed on as they come
        masks.append(picture.mask)
        return picture

    gate.show = shown  # type: ignore[assignment,method-assign] # looks at what leaves
    maker = Redactor(gate, Watching(key), lambda _: Clip(pictures, told, case.gap_s))
    result = maker.redact_video(Path("x"), folder / "out.mp4")
    assert not result.refused
    return (folder / "out.mp4").read_bytes(), (folder / "out.mp4.seal").read_bytes(), masks


def compare_video(case: Case, seed: int, key: SigningKey, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Expect that two videos which differ under the masks alone become the same file, with the same seal."""
    pictures = case.shown()
    patch.setattr("lamplight_detect.redact.small_luma", held(pictures))
    ours, seal, masks = redacted(case, pictures, key, folder)
    random = np.random.default_rng(seed)
    others = [
        np.where(mask[..., None], random.integers(0, 256, (*HW, 3), np.uint8), bgr).astype(np.uint8)
        for bgr, mask in zip(pictures, masks, strict=True)
    ]
    patch.setattr("lamplight_detect.background.tints.small_tints", held_tints(pictures, others))
    assert redacted(case, others, key, folder)[:2] == (ours, seal)


QUIETLY = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
short = settings(max_examples=200, deadline=None, suppress_health_check=QUIETLY)
long = settings(max_examples=5000, deadline=None, suppress_health_check=QUIETLY)
SEED = st.integers(0, 2**32 - 1)


@short
@given(cases(3), SEED)
def test_what_is_under_the_masks_changes_nothing_that_leaves(
    signing_key: SigningKey, monkeypatch: pytest.MonkeyPatch, case: Case, seed: int
) -> None:
    """Observations, places, regions, sealed pictures, of this picture and of later ones: the same bytes."""
    compare_live(case, seed, signing_key, monkeypatch)


@settings(max_examples=50, deadline=None, suppress_health_check=QUIETLY)
@given(cases(3), SEED)
def test_what_moved_and_is_sharpened_changes_nothing_that_leaves_either(
    signing_key: SigningKey, monkeypatch: pytest.MonkeyPatch, case: Case, seed: int
) -> None:
    """With how the camera moved held fixed: the sharpened picture is shown to models, and leaves in no form."""
    monkeypatch.setattr("lamplight_detect.gate.searcher.blur_of", lambda *_: Blur(7, 3))
    compare_live(case, seed, signing_key, monkeypatch)


@settings(max_examples=50, deadline=None, suppress_health_check=QUIETLY)
@given(cases(4), SEED)
def test_what_is_under_the_masks_shows_in_their_shape_alone(signing_key: SigningKey, case: Case, seed: int) -> None:
    """With nothing held fixed but the models, motion and change may mask more or less; unmasked pixels are the same."""
    compare_seen(case, seed, signing_key)


@settings(max_examples=25, deadline=None, suppress_health_check=QUIETLY)
@given(cases(3), SEED)
def test_what_is_under_the_masks_changes_no_redacted_video(
    signing_key: SigningKey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: Case, seed: int
) -> None:
    """The file and its seal are the same, byte by byte."""
    compare_video(case, seed, signing_key, tmp_path, monkeypatch)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@long
@given(st.one_of(cases(4), cases(4), cases(4), cases(30)), SEED)
def test_what_is_under_the_masks_changes_nothing_five_thousand_times(
    signing_key: SigningKey, monkeypatch: pytest.MonkeyPatch, case: Case, seed: int
) -> None:
    """The same, with sequences long enough for a background to be learnt."""
    compare_live(case, seed, signing_key, monkeypatch)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@settings(max_examples=1000, deadline=None, suppress_health_check=QUIETLY)
@given(cases(4), SEED)
def test_what_is_under_the_masks_shows_in_their_shape_alone_a_thousand_times(
    signing_key: SigningKey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: Case, seed: int
) -> None:
    """The same, long; and videos."""
    compare_seen(case, seed, signing_key)
    compare_video(case, seed, signing_key, tmp_path, monkeypatch)


def test_the_property_sees_a_leak(signing_key: SigningKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that lets one masked pixel through, or blurs instead of masking, is found by the property."""
    person: tuple[Said, ...] = (("person", (10.0, 8.0, 40.0, 44.0), 0.8),)
    case = Case((person, person), ((), ()), 1, 2.0, is_quiet=True)
    compare_live(case, 7, signing_key, monkeypatch)

    def blurred(bgr: Bgr, mask: NDArray[np.bool_]) -> Bgr:
        return np.where(mask[..., None], cv2.blur(bgr, (15, 15)), bgr).astype(np.uint8)

    monkeypatch.setattr("lamplight_detect.gate.masks._filled", blurred)
    with pytest.raises(AssertionError):
        compare_live(case, 7, signing_key, monkeypatch)
