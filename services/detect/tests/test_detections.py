"""Boxes: areas, overlaps and suppression."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lamplight_detect.detections import Boxes, Detections, area, clip, grown, intersection, iou, suppress

SIDE = st.floats(-50, 300, width=32)


@st.composite
def boxes(draw: st.DrawFn) -> tuple[float, float, float, float]:
    """A box with its corners in order."""
    left, right = sorted((draw(SIDE), draw(SIDE)))
    top, bottom = sorted((draw(SIDE), draw(SIDE)))
    return left, top, right, bottom


@st.composite
def found(draw: st.DrawFn) -> Detections:
    """Any detections of three classes."""
    said = draw(st.lists(st.tuples(boxes(), st.floats(0, 1, width=32), st.integers(0, 2)), max_size=12))
    return Detections(
        np.array([box for box, _, _ in said], np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in said], np.float32),
        np.array([class_id for *_, class_id in said], np.int64),
    )


def one(*box: float) -> Boxes:
    """Return one box."""
    return np.array([box], np.float32)


def test_half_of_a_box_is_a_third_of_the_union() -> None:
    """Two equal boxes that share half of themselves overlap by a third."""
    assert iou(one(0, 0, 10, 10), one(5, 0, 15, 10))[0, 0] == pytest.approx(1 / 3)


def test_empty_boxes_overlap_nothing() -> None:
    """A box without area has no overlap, not even with itself."""
    assert iou(one(3, 3, 3, 9), one(3, 3, 3, 9))[0, 0] == 0


def test_growing_adds_at_each_side() -> None:
    """A tenth of each side is added on both ends."""
    assert grown(one(10, 20, 30, 60), 0.1).tolist() == [[8, 16, 32, 64]]


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    """Detections cannot be made of arrays of different lengths."""
    with pytest.raises(ValueError, match="expected"):
        Detections(np.zeros((2, 4), np.float32), np.zeros(1, np.float32), np.zeros(1, np.int64))


@given(found(), found())
def test_overlaps_are_shares_and_symmetric(ours: Detections, theirs: Detections) -> None:
    """An overlap lies from 0 to 1 and does not depend on the order."""
    there, back = iou(ours.boxes_xyxy, theirs.boxes_xyxy), iou(theirs.boxes_xyxy, ours.boxes_xyxy)
    assert ((there >= 0) & (there <= 1 + 1e-5)).all()
    assert np.allclose(there, back.T, atol=1e-5)
    shared = intersection(ours.boxes_xyxy, theirs.boxes_xyxy)
    assert (shared <= area(ours.boxes_xyxy)[:, None] * (1 + 1e-5) + 1e-3).all()


@given(found())
def test_what_is_kept_overlaps_no_more_than_allowed_and_explains_the_rest(given_: Detections) -> None:
    """No two kept boxes of a class overlap beyond the limit, and every dropped one overlaps a surer kept one."""
    kept = suppress(given_, 0.5)
    over = iou(kept.boxes_xyxy, kept.boxes_xyxy) > 0.5
    over &= kept.class_ids[:, None] == kept.class_ids[None, :]
    np.fill_diagonal(over, val=False)
    assert not over.any()
    assert (np.diff(kept.scores) <= 0).all()
    reach = (iou(given_.boxes_xyxy, kept.boxes_xyxy) > 0.5) & (given_.class_ids[:, None] == kept.class_ids[None, :])
    surer = reach & (kept.scores[None, :] >= given_.scores[:, None])
    is_kept = [any((kept.boxes_xyxy == box).all(axis=1)) for box in given_.boxes_xyxy]
    assert (surer.any(axis=1) | np.array(is_kept, np.bool_)).all()


@given(found())
def test_suppressing_again_changes_nothing(given_: Detections) -> None:
    """Suppression is done in one go."""
    once = suppress(given_, 0.4, across_classes=True)
    twice = suppress(once, 0.4, across_classes=True)
    assert twice.boxes_xyxy.tolist() == once.boxes_xyxy.tolist()


@given(found())
def test_clipped_boxes_lie_within(given_: Detections) -> None:
    """No side of a clipped box lies outside the picture."""
    cut = clip(given_.boxes_xyxy, (100, 200))
    assert ((cut >= 0) & (cut <= np.array([200, 100, 200, 100]))).all()
