"""The gate: what it masks, and that it releases nothing when anything is wrong."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lamplight_detect.change import small_luma
from lamplight_detect.detections import Detections
from lamplight_detect.gate import Gate, GateClosed, Policy, Recent, RedactedPicture, Released, Sample, Source, View, cut
from lamplight_detect.gate.masks import FILL, covered, painted, redact
from lamplight_detect.gate.motion import coarse, fine, moving
from lamplight_detect.gate.people import in_tiles, kept
from lamplight_detect.models.finder import ModelFault
from lamplight_detect.testing import Room, Said, SaidFinder, detections, noise
from lamplight_kit.seal import verify
from lamplight_models import manifest
from numpy.typing import NDArray

NS = 1_000_000_000
HW = (120, 160)
THINGS = manifest("nanodet")


def view(bgr: NDArray[np.uint8], at_s: float = 0) -> View:
    """Return the picture as the gate takes it."""
    return View(bgr, small_luma(bgr), round(at_s * NS))


def released(room: Room, bgr: NDArray[np.uint8], recent: Recent | None = None, at_s: float = 0) -> Released:
    """Send a picture through the gate."""
    seen = view(bgr, at_s)
    return room.gate.release(seen, room.gate.look(seen), recent or Recent())


def is_solid(picture: RedactedPicture, box: tuple[int, int, int, int]) -> bool:
    """Tell whether every pixel in a box is the fill."""
    left, top, right, bottom = box
    return bool((picture.bgr[top:bottom, left:right] == FILL).all())


def test_a_redacted_picture_cannot_be_made_by_hand() -> None:
    """Nothing but the gate makes a RedactedPicture."""
    with pytest.raises(TypeError, match="gate"):
        RedactedPicture(noise(), np.zeros(HW, np.bool_), {}, {}, 1.0, object())


def test_a_redacted_picture_cannot_be_drawn_on(room: Room) -> None:
    """What has left the gate is read-only."""
    with pytest.raises(ValueError, match="read-only"):
        released(room, noise()).picture.bgr[0, 0] = 0


@pytest.mark.parametrize(
    ("said", "box"),
    [
        ([("person", (40, 30, 60, 90), 0.13)], (38, 24, 62, 96)),
        ([("person", (40, 30, 52, 60), 0.11)], (39, 27, 53, 63)),
        ([("person", (40, 30, 60, 90), 0.5), ("bicycle", (35, 60, 80, 100), 0.2)], (35, 60, 80, 100)),
        ([("person", (40, 30, 60, 90), 0.5), ("suitcase", (54, 60, 75, 95), 0.2)], (54, 60, 75, 95)),
        ([("person", (40, 30, 60, 90), 0.5), ("suitcase", (40, 60, 100, 100), 0.36)], (40, 60, 100, 100)),
        ([("car", (40, 40, 60, 55), 0.16)], (40, 46, 60, 55)),
        ([("car", (40, 40, 100, 80), 0.31)], (40, 54, 100, 82)),
    ],
    ids=["person", "small person", "what is ridden", "what is carried", "a large load", "small plate", "plate"],
)
def test_what_must_not_be_seen_is_solid(room: Room, said: list[Said], box: tuple[int, int, int, int]) -> None:
    """People from low scores on, what goes with them, and a band on each vehicle, with their margins."""
    room.things.said = said
    assert is_solid(released(room, noise()).picture, box)


def test_faces_are_solid(room: Room) -> None:
    """A face is masked with a margin."""
    room.faces.said = [("", (40, 40, 50, 55), 0.31)]
    picture = released(room, noise()).picture
    assert is_solid(picture, (38, 37, 52, 58))
    assert picture.masks == {"person": 0, "face": 1, "motion": 0, "plate": 0}


def test_boxes_that_mask_the_same_person_count_once(room: Room) -> None:
    """Several boxes of one person are all masked, and counted as one."""
    room.things.said = [("person", (40, 30, 60, 90), 0.6), ("person", (38, 30, 58, 92), 0.3)]
    assert released(room, noise()).picture.masks["person"] == 1


def test_a_large_faint_box_is_not_believed(room: Room) -> None:
    """The larger a box, the surer it must be."""
    room.things.said = [("person", (0, 0, 150, 110), 0.25)]
    assert released(room, noise()).picture.masked_share == 0
    sizes = [((0, 0, 10, 20), 0.11), ((0, 0, 30, 60), 0.11), ((0, 0, 50, 110), 0.19), ((0, 0, 100, 60), 0.34)]
    found = detections(THINGS, [("person", box, score) for box, score in sizes])
    assert kept(found, HW, Policy()).tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    "said",
    [
        [("bus", (20, 20, 120, 100), 0.39)],
        [("airplane", (0, 0, 70, 60), 0.29)],
        [("person", (40, 30, 50, 50), 0.5), ("bicycle", (42, 20, 112, 100), 0.6)],
        [("person", (40, 30, 60, 90), 0.19), ("bicycle", (55, 60, 95, 110), 0.6)],
        [("person", (40, 30, 60, 90), 0.5), ("bicycle", (50, 50, 110, 100), 0.29)],
        [("person", (40, 30, 60, 90), 0.5), ("suitcase", (40, 60, 100, 100), 0.34)],
    ],
    ids=["a house", "a street", "too large to ride", "a faint rider", "a faint bicycle", "a wall"],
)
def test_what_is_large_and_faint_shows_beside_the_people(room: Room, said: list[Said]) -> None:
    """Houses that pass faintly for buses have no band; bicycles go with somebody sure who is of their size."""
    room.things.said = said
    assert not released(room, noise()).picture.mask[80:100, 65:95].any()


def test_a_large_face_must_be_surer(room: Room) -> None:
    """An animal's head that fills the view passes faintly for a face."""
    room.faces.said = [("", (40, 40, 80, 75), 0.49)]
    assert released(room, noise()).picture.masked_share == 0
    room.faces.said = [("", (40, 40, 80, 75), 0.51)]
    assert released(room, noise()).picture.masked_share > 0


class TiledFinder(SaidFinder):
    """Says nothing of the whole picture, and `in_tile` of each tile."""

    in_tile: list[Said]

    def find(self, picture: NDArray[np.uint8], at_least: float) -> Detections:
        """Return what the picture is said to hold."""
        is_whole = max(picture.shape[:2]) == max(HW)
        return Detections.none() if is_whole else detections(self.manifest, self.in_tile).at_least(at_least)


@pytest.mark.parametrize(
    ("box", "score", "is_kept"),
    [
        ((10, 10, 20, 30), 0.11, True),
        ((10, 10, 30, 50), 0.34, False),
        ((10, 10, 30, 50), 0.36, True),
        ((84, 10, 94, 30), 0.24, False),
        ((84, 10, 94, 30), 0.26, True),
        ((0, 10, 10, 30), 0.24, False),
    ],
    ids=["small", "medium", "medium and sure", "cut", "cut and sure", "at another edge"],
)
def test_a_tile_is_believed_less_of_what_it_shows_no_better(
    room: Room, box: tuple[int, int, int, int], score: float, *, is_kept: bool
) -> None:
    """People who are not small, or whom an inner edge of the tile cuts, must be surer; the picture's own edge cuts all.

    The finder says the same of each of four tiles; the one whose outer edge the box is at takes it at any score.
    """
    finder = TiledFinder(THINGS)
    finder.in_tile = [("person", box, score)]
    found = in_tiles(finder, noise(), Policy(), 12)
    inner = {84: 2, 0: 2}.get(box[0], 0)
    assert len(found) == (4 if is_kept else inner)


class TurnedFinder(SaidFinder):
    """Says of upright pictures nothing, of pictures turned by a quarter `turned`, of tiles `in_tile`; counts itself."""

    turned: list[Said]
    in_tile: list[Said]
    asked = 0

    def find(self, picture: NDArray[np.uint8], at_least: float) -> Detections:
        """Return what the picture is said to hold."""
        self.asked += 1
        said = {HW: [], HW[::-1]: self.turned}.get((picture.shape[0], picture.shape[1]), self.in_tile)
        return detections(self.manifest, said).at_least(at_least)


@pytest.mark.parametrize(
    ("turned", "calls"),
    [([], 9), ([("person", (10, 10, 40, 90), 0.34)], 9), ([("person", (10, 10, 40, 90), 0.36)], 13)],
    ids=["nothing", "faint", "one turn"],
)
def test_a_turn_is_searched_in_tiles_where_something_speaks_for_it(room: Room, turned: list[Said], calls: int) -> None:
    """Upright: whole, tiles, mirrored; each turn: whole; tiles in the turn that is likelier than the others."""
    finder = TurnedFinder(THINGS)
    finder.turned, finder.in_tile = turned, []
    gate = Gate(finder, room.faces, Policy())
    seen = view(noise())
    gate.release(seen, gate.look(seen), Recent())
    assert finder.asked == calls


def test_people_in_tiles_are_masked_where_they_are(room: Room) -> None:
    """What only a tile shows is masked in the whole picture's own pixels, if it is small enough."""

    class TileFinder(SaidFinder):
        def find(self, picture: NDArray[np.uint8], at_least: float) -> Detections:
            if picture.shape[:2] == HW:
                return Detections.none()
            return detections(self.manifest, [("person", (10, 10, 20, 30), 0.2)]).at_least(at_least)

    gate = Gate(TileFinder(THINGS), room.faces, Policy())
    seen = view(noise())
    picture = gate.release(seen, gate.look(seen), Recent()).picture
    assert is_solid(picture, (10, 10, 20, 30))
    assert is_solid(picture, (160 - 94 + 10, 120 - 71 + 10, 160 - 94 + 20, 120 - 71 + 30))


def test_what_moves_is_masked_in_live_video(room: Room) -> None:
    """A block that has moved since the last picture is masked where it is and where it was; not across a long gap."""
    before, after = noise(), noise()
    before[40:70, 20:40] = 255
    after[40:70, 80:100] = 0
    recent = Recent().with_sample(released(room, before).sample, Policy())
    picture = released(room, after, recent, 1).picture
    assert is_solid(picture, (82, 42, 98, 68))
    assert picture.masks["motion"] >= 1
    assert released(room, after, recent, 60).picture.masks["motion"] == 0


def test_a_scene_cut_is_no_motion() -> None:
    """Where nearly all has changed, the camera has moved, and that says nothing about people."""
    ours, theirs = small_luma(noise(1, (240, 320))), small_luma(255 - noise(2, (240, 320)) // 2)
    assert not moving(
        np.zeros_like(ours), [np.where(np.indices(ours.shape)[1] % 4 < 3, theirs, 0).astype(np.uint8)]
    ).any()


@pytest.mark.parametrize(("at_s", "is_held"), [(0.5, True), (2.0, True), (4.0, True), (30.0, False)])
def test_masks_are_held(room: Room, at_s: float, is_held: bool) -> None:
    """Where somebody was masked a moment ago stays masked for a second or two pictures, in live video."""
    room.things.said = [("person", (40, 30, 60, 90), 0.5)]
    recent = Recent().with_sample(released(room, noise()).sample, Policy())
    room.things.said = []
    assert is_solid(released(room, noise(), recent, at_s).picture, (40, 30, 60, 90)) == is_held


def test_a_hold_outlives_its_seconds_while_pictures_are_few() -> None:
    """Two samples are held however far apart in a live source; at many pictures a second, one second of them is."""
    policy = Policy()
    luma, grid = small_luma(noise()), np.ones((15, 20), np.bool_)
    recent = Recent()
    for number in range(30):
        recent = recent.with_sample(Sample(number * NS // 10, HW, luma, grid), policy)
    assert len(recent.samples) == 11
    slow = Recent()
    for number in range(5):
        slow = slow.with_sample(Sample(number * 2 * NS, HW, luma, grid), policy)
    assert len(slow.samples) == 3


def test_grids_cover_what_they_are_made_of() -> None:
    """A coarse mask made fine again covers every pixel of the first."""
    mask = np.random.default_rng(1).random((61, 83)) > 0.99
    assert (fine(coarse(mask), (61, 83)) >= mask).all()


FAULTS: dict[str, Callable[[], Detections]] = {}


def fault(name: str) -> Callable[[Callable[[], Detections]], Callable[[], Detections]]:
    """Add a fault to the matrix."""

    def add(make: Callable[[], Detections]) -> Callable[[], Detections]:
        FAULTS[name] = make
        return make

    return add


@fault("raises")
def _raises() -> Detections:
    message = "something of onnxruntime's"
    raise RuntimeError(message)


@fault("refuses")
def _refuses() -> Detections:
    message = "no answer within 1 s"
    raise ModelFault(message)


@fault("out of memory")
def _memory() -> Detections:
    raise MemoryError


@fault("nothing")
def _nothing() -> Detections:
    return None  # type: ignore[return-value] # what a broken finder may return


@fault("NaN box")
def _nan_box() -> Detections:
    return Detections(np.full((1, 4), np.nan, np.float32), np.ones(1, np.float32), np.zeros(1, np.int64))


@fault("NaN score")
def _nan_score() -> Detections:
    return Detections(np.ones((1, 4), np.float32), np.full(1, np.nan, np.float32), np.zeros(1, np.int64))


@fault("boxes far outside")
def _outside() -> Detections:
    return Detections(np.array([[9e5, 0, 9e6, 5]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int64))


@fault("scores above one")
def _score() -> Detections:
    return Detections(np.array([[0, 0, 5, 5]], np.float32), np.full(1, 7, np.float32), np.zeros(1, np.int64))


@pytest.mark.parametrize("name", sorted(FAULTS))
@pytest.mark.parametrize("broken", ["things", "faces"])
def test_any_fault_of_a_model_closes_the_gate(room: Room, name: str, broken: str) -> None:
    """Whatever goes wrong in either model, no picture comes out, and the text says what was found."""
    finder = room.things if broken == "things" else room.faces
    finder.fault = FAULTS[name]
    with pytest.raises(GateClosed, match=r"found|no answer"):
        released(room, noise())


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_in_the_tiles_closes_the_gate(room: Room, name: str) -> None:
    """A model that answers for the whole and fails for a part releases nothing either."""
    seen = view(noise())
    whole = room.gate.look(seen)
    room.things.fault = FAULTS[name]
    with pytest.raises(GateClosed):
        room.gate.release(seen, whole, Recent())


def test_a_model_of_another_role_makes_no_gate(room: Room) -> None:
    """Two models of one role, or in each other's place, are refused at the start."""
    with pytest.raises(GateClosed, match="role"):
        Gate(room.faces, room.things, Policy())


def test_masks_that_are_none_close_the_gate() -> None:
    """Unknown kinds, boxes that are not finite and areas of another size release nothing."""
    with pytest.raises(GateClosed):
        covered(HW, {"hat": np.zeros((1, 4), np.float32)})
    with pytest.raises(GateClosed):
        covered(HW, {"face": np.full((1, 4), np.inf, np.float32)})
    with pytest.raises(GateClosed):
        redact(noise(), {}, np.zeros((5, 5), np.bool_), None, 1.0)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(*[st.floats(0, 150, width=32)] * 2, *[st.floats(4, 60, width=32)] * 2), min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
)
def test_what_is_under_a_mask_changes_nothing(
    room: Room, people: list[tuple[float, float, float, float]], seed: int
) -> None:
    """With the models' answers held, two pictures that differ only under masks leave as the very same bytes."""
    room.things.said = [
        ("person", (left, min(top, 110), min(left + width, 160), min(top + height, 120)), 0.6)
        for left, top, width, height in people
    ]
    ours = noise()
    first = released(room, ours).picture
    theirs = np.where(first.mask[..., None], noise(seed), ours).astype(np.uint8)
    second = released(room, theirs).picture
    source = Source("cam", 5)
    assert room.sealer.sealed(first, source) == room.sealer.sealed(second, source)
    box, none = np.array([[10, 10, 150, 100]], np.float32), np.zeros((0, 4), np.float32)
    crops = [room.sealer.sealed(cut(one, box, none, 64), source) for one in (first, second)]
    assert crops[0] == crops[1]


def test_a_part_keeps_its_masks_and_gets_more(room: Room) -> None:
    """A crop shows nothing of what was masked, and masks what it is told to besides; it fits its longest side."""
    room.things.said = [("person", (40, 30, 60, 90), 0.5)]
    picture = released(room, noise()).picture
    part = cut(picture, np.array([[30, 20, 110, 100]], np.float32), np.array([[80, 40, 110, 70]], np.float32), 40)
    assert max(part.frame_hw) == 40
    assert part.masked_share > 0.2
    with pytest.raises(GateClosed, match="empty"):
        cut(picture, np.array([[500, 500, 600, 600]], np.float32), np.zeros((0, 4), np.float32), 40)


def test_painting_covers_every_pixel_that_a_box_touches() -> None:
    """Edges between pixels are rounded outwards."""
    assert painted((4, 4), np.array([[0.9, 1.1, 2.1, 2]], np.float32)).astype(int).tolist() == [
        [0, 0, 0, 0],
        [1, 1, 1, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]


def test_a_seal_proves_what_was_done(room: Room) -> None:
    """A reader verifies the seal with the published key and reads what was masked and by what."""
    room.things.said = [("person", (40, 30, 60, 90), 0.5)]
    picture = released(room, noise()).picture
    sealed = verify(room.sealer.sealed(picture, Source("cam", 77)), room.keys)
    said = sealed.attestation
    assert (said.camera_id, said.at_ns, said.height_px, said.width_px) == ("cam", 77, 120, 160)
    assert said.masks == {"person": 1, "face": 0, "motion": 0, "plate": 0}
    assert said.thresholds["small_score"] == pytest.approx(0.1)
    assert said.masked_share == pytest.approx(picture.masked_share)
    grid = np.unpackbits(np.frombuffer(said.mask_grid, np.uint8))[: said.grid_rows * said.grid_columns]
    assert grid.reshape(said.grid_rows, said.grid_columns)[3, 3] == 1
    decoded = cv2.imdecode(np.frombuffer(sealed.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert np.abs(decoded[48:80, 48:52].astype(int) - FILL).max() < 12


def test_a_sealed_picture_holds_nothing_but_itself(room: Room) -> None:
    """Beside the seal there is no metadata segment: no EXIF, no comment, no profile."""
    sealed = room.sealer.sealed(released(room, noise()).picture, Source("", 0))
    head = sealed[: sealed.index(b"\xff\xda")]
    assert b"Exif" not in head
    assert not any(bytes([0xFF, marker]) in head[4:20] for marker in (0xE1, 0xE2, 0xFE))
