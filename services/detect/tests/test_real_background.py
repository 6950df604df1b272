"""The ground on the default models, with a real person composited into a long scene: they show in no output.

The street and the people are the canary's own. Somebody is there from the first picture to the last, standing or lying;
or walks in and stands; a bag is left. Pictures come every 4 s of the scene's time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from lamplight_detect.background import Scene
from lamplight_detect.bootstrap import sessions_of
from lamplight_detect.canary import expected
from lamplight_detect.change import small_luma
from lamplight_detect.decode import decode_still
from lamplight_detect.gate import Gate, Policy, Recent, RedactedPicture, Sample, View
from lamplight_detect.gate.plates import vehicles
from lamplight_detect.gate.poses import UPRIGHT
from lamplight_detect.learn import learnt
from lamplight_detect.models.centerface import CenterFace
from lamplight_detect.models.nanodet import NanoDet
from lamplight_models import default_folder, missing
from numpy.typing import NDArray

MODELS = default_folder(os.environ)
NS = 1_000_000_000
POLICY = Policy(turned_first=0)
STREET_HW = 240, 320
pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(missing(MODELS)), reason="the models are not ready: run `make models`"),
]
Bgr = NDArray[np.uint8]


@pytest.fixture(scope="module")
def gate() -> Gate:
    """The gate on the default models, of a camera that is known to hang upright."""
    things, faces = sessions_of(MODELS / "nanodet.yaml", MODELS / "centerface.yaml")
    return Gate(NanoDet(things), CenterFace(faces), POLICY)


@pytest.fixture(scope="module")
def somebody() -> Bgr:
    """The canary's large person, cut out with a little of what is around."""
    portrait = expected()[0]
    person = max(portrait.people, key=lambda one: one.height_px)
    left, top, right, bottom = (round(side) for side in person.box_xyxy)
    cut = np.asarray(decode_still(portrait.data))[max(0, top - 4) : bottom + 4, max(0, left - 4) : right + 4]
    return np.ascontiguousarray(cut)


def street(number: int) -> Bgr:
    """Return a bare street with sensor noise."""
    chance = np.random.default_rng(4)
    rough = cv2.resize(chance.integers(95, 125, (12, 16), np.uint8), STREET_HW[::-1], interpolation=cv2.INTER_CUBIC)
    rough[:90] = np.clip(rough[:90].astype(int) + 60, 0, 255).astype(np.uint8)
    bare = np.stack([rough, rough + 4, rough + 9], axis=2).astype(np.int16)
    noise = np.random.default_rng(1000 + number).integers(-3, 4, bare.shape)
    return np.clip(bare + noise, 0, 255).astype(np.uint8)


def put(picture: Bgr, cut: Bgr, left: int, top: int) -> Bgr:
    """Return the picture with the cut-out at a place."""
    picture[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
    return picture


def empty(pictures: int) -> Scene:
    """Return what is learnt of so many pictures of the street in which nothing was masked."""
    scene = Scene(ripe_min=0, learn_gap_s=0)
    for number in range(-pictures, 0):
        picture = street(number)
        view = View(picture, small_luma(picture), number * 4 * NS)
        sample = Sample(view.at_ns, STREET_HW, view.luma, np.zeros((30, 40), np.bool_))
        scene = scene.seen(view).scene.after(view, sample, np.zeros((0, 4), np.float32))
    return scene


def run(gate: Gate, pictures: Iterator[Bgr], scene: Scene) -> Iterator[tuple[RedactedPicture, Scene]]:
    """Yield what leaves of a scene, each picture under the next one's masks, and what is learnt, as live."""
    recent = Recent(turns=UPRIGHT)
    waiting = None
    for number, picture in enumerate(pictures):
        view = View(picture, small_luma(picture), number * 4 * NS)
        seen = scene.seen(view)
        before = Recent(recent.samples, UPRIGHT, seen.unexplained, seen.vouched, is_spared=True)
        searched = gate.search(view, gate.look(view), before)
        scene = seen.scene
        if waiting is not None:
            yield gate.finish(*waiting, searched.sample, scene.backdrop()).picture, scene
        waiting = searched, before
        recent = before.with_sample(searched.sample, POLICY)
        standing = vehicles(searched.found, gate.things.manifest, POLICY).boxes_xyxy
        scene, _ = learnt(gate, scene, view, searched.sample, standing, seen.vouched)


def likeness(picture: Bgr, cut: Bgr, left: int, top: int) -> float:
    """Return how much of the cut-out's own pixels shows at its place, 0 to 1: near enough to be it, far from grey."""
    part = picture[top : top + cut.shape[0], left : left + cut.shape[1]].astype(int)
    inner = slice(cut.shape[0] // 5, -cut.shape[0] // 5), slice(cut.shape[1] // 4, -cut.shape[1] // 4)
    return float((np.abs(part[inner] - cut[inner]).max(axis=2) < 14).mean())


@pytest.mark.soak
@pytest.mark.parametrize("turn", [0, 1], ids=["standing", "lying"])
def test_who_is_there_from_first_to_last_never_fills_a_hole(gate: Gate, somebody: Bgr, turn: int) -> None:
    """Whatever the passes make of them: should they be learnt, no hole is ever filled with them."""
    cut = np.ascontiguousarray(np.rot90(somebody, turn))
    left, top = 120, 80
    last = None
    pictures = (put(street(number), cut, left, top) for number in range(24))
    for picture, scene in run(gate, pictures, Scene(ripe_min=0, learn_gap_s=0)):
        last = scene
        filled = picture.filled if picture.filled is not None else np.zeros(STREET_HW, np.bool_)
        assert not filled[top : top + cut.shape[0], left : left + cut.shape[1]].any()
    assert last is not None
    backdrop = last.backdrop()
    box = np.array([[left, top, left + cut.shape[1], top + cut.shape[0]]], np.float32)
    inside = (slice(top + 8, top + cut.shape[0] - 8), slice(left + 8, left + cut.shape[1] - 8))
    fills = backdrop is not None and backdrop.may[inside].any()
    assert not fills or backdrop.is_anyone(gate.things, box, POLICY.whole_score)  # type: ignore[union-attr] # not None


def test_who_walks_in_and_stays_is_masked_or_gone(gate: Gate, somebody: Bgr) -> None:
    """Standing, then lying where they stood: nothing of them shows, from the first picture on that they are in."""
    lying = np.ascontiguousarray(np.rot90(somebody, 1))

    def pictures() -> Iterator[Bgr]:
        for number in range(3):
            yield put(street(number), somebody, 150, 60)
        for number in range(3, 21):  # more than the minute after which what is calm may be explained
            yield put(street(number), lying, 110, 150)

    shown = [picture for picture, _ in run(gate, pictures(), empty(24))]
    assert all(one.mask[70:180, 160:190].all() for one in shown[:2])
    assert all(one.mask[155:190, 130:220].all() for one in shown[4:])
    standing = [likeness(one.bgr, somebody, 150, 60) for one in shown[:2]]
    fallen = [likeness(one.bgr, lying, 110, 150) for one in shown[4:]]
    assert max(standing) < likeness(street(0), somebody, 150, 60) + 0.1
    assert max(fallen) < likeness(street(0), lying, 110, 150) + 0.1


@pytest.mark.parametrize("turn", range(4))
def test_the_closer_look_finds_people_from_every_side(gate: Gate, turn: int) -> None:
    """People of 120 and 40 px, by day and in infrared, upright or lying, are found in a look at their place."""
    for portrait in expected():
        bgr = np.ascontiguousarray(np.rot90(np.asarray(decode_still(portrait.data)), -turn))
        height, width = decode_still(portrait.data).shape[:2]
        for person in (one for one in portrait.people if one.height_px >= 40):
            left, top, right, bottom = person.box_xyxy
            box = {
                0: (left, top, right, bottom),
                1: (height - bottom, left, height - top, right),
                2: (width - right, height - bottom, width - left, height - top),
                3: (top, width - right, bottom, width - left),
            }[turn]
            view = View(bgr, small_luma(bgr), 0)
            assert gate.is_anyone(view, np.array([box], np.float32)), (portrait.name, person.height_px)


def test_the_closer_look_lets_a_bag_pass(gate: Gate) -> None:
    """A plain thing on the bare street is nobody: it can be explained."""
    picture = street(0)
    picture[150:180, 100:140] = (60, 80, 90)
    assert not gate.is_anyone(View(picture, small_luma(picture), 0), np.array([[96, 146, 144, 184]], np.float32))
