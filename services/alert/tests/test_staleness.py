"""How long a camera may show nothing before what is open is stale: by its sampling and its keyframes."""

from __future__ import annotations

from typing import Any

import pytest
from lamplight.alert.v1 import alert_pb2
from lamplight.camera.v1 import camera_pb2

KEYFRAMES, ALL = camera_pb2.Sampling.PICTURES_KEYFRAMES, camera_pb2.Sampling.PICTURES_ALL
OPENED, CLEARED = alert_pb2.Condition.CHANGE_OPENED, alert_pb2.Condition.CHANGE_CLEARED
STALE = alert_pb2.Condition.CHANGE_STALE


def sampled(world: Any, pictures: camera_pb2.Sampling.Pictures.ValueType, interval_s: float | None) -> None:
    """Sample the camera at most 5 s apart, its keyframes measured at `interval_s`."""
    world.camera.sampling.CopyFrom(camera_pb2.Sampling(pictures=pictures, max_gap_s=5))
    world.states.rows["canal-12"] = camera_pb2.CameraState(camera_id="canal-12", keyframe_interval_s=interval_s)


def test_keyframes_far_apart_are_no_gap(world: Any, film: Any) -> None:
    """A camera of a keyframe every 25 s opens, stays open without a word, and resolves by what its pictures show."""
    sampled(world, KEYFRAMES, 25.0)
    world.rule("thing", "thing.still_s >= 20.0", for_s=20, clear_s=20)
    changes = []
    for at_s in range(200):
        changes += [(at_s, one.change) for one in world.feed(film.tick(at_s))]
        if at_s % 25 == 0:
            things = [film.car(60 + at_s)] if at_s < 120 else []
            changes += [(at_s, one.change) for one in world.feed(world.seen(at_s, things=things))]
    assert changes == [(25, OPENED), (150, CLEARED)]


@pytest.mark.parametrize(
    ("pictures", "interval_s", "stale_s"),
    [(KEYFRAMES, None, 16), (KEYFRAMES, 2.0, 16), (KEYFRAMES, 24.3, 56), (ALL, 25.0, 16)],
)
def test_two_gaps_and_five_seconds(
    pictures: Any, interval_s: float | None, stale_s: int, world: Any, film: Any
) -> None:
    """The longer of both counts; where all pictures are taken keyframes are of no account."""
    sampled(world, pictures, interval_s)
    world.rule("thing", "thing.still_s >= 20.0")
    assert [one.change for one in world.feed(world.seen(0, things=[film.car(20)]))] == [OPENED]
    assert not world.feed(film.tick(stale_s - 1))
    assert [one.change for one in world.feed(film.tick(stale_s))] == [STALE]


def test_a_new_measure_counts_at_once(world: Any, film: Any) -> None:
    """The first measure may come after the first pictures, as the table shows it."""
    sampled(world, KEYFRAMES, None)
    world.rule("thing", "thing.still_s >= 20.0")
    world.feed(world.seen(0, things=[film.car(20)]))
    sampled(world, KEYFRAMES, 25.0)
    assert not world.feed(film.tick(30))
