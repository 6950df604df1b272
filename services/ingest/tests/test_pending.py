"""What waits for detect: bounded, fair, and always decodable."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from lamplight.frame.v1 import frame_pb2
from lamplight_ingest.pending import Pending
from lamplight_ingest.rendezvous import choose


def frame(seq: int, *, camera: str = "quay", is_key: bool = False, size: int = 10) -> frame_pb2.Frame:
    """Return a frame of `size` bytes."""
    return frame_pb2.Frame(camera_id=camera, seq=seq, is_key=is_key, data=bytes(size))


steps = st.lists(
    st.one_of(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(1, 60)), st.none()), max_size=80
)


@given(steps, st.integers(1, 6), st.integers(60, 300))
def test_what_comes_out_is_decodable_and_bounded(
    story: list[tuple[str, bool, int] | None], max_units: int, max_bytes: int
) -> None:
    """Every frame comes out or is dropped, once; one that needs another follows it; a gap is told; bounds hold."""
    pending = Pending(max_bytes, max_units)
    seq: Counter[str] = Counter()
    out: dict[str, list[frame_pb2.Frame]] = {name: [] for name in "abc"}
    dropped: list[frame_pb2.Frame] = []
    given_in = 0

    def take() -> bool:
        taken = pending.take()
        if taken is not None:
            out[taken.camera_id].append(taken)
        return taken is not None

    for step in story:
        if step is None:
            take()
            continue
        camera, is_key, size = step
        dropped += pending.offer(frame(seq[camera], camera=camera, is_key=is_key, size=size))
        seq[camera] += 1
        given_in += 1
        assert pending.bytes <= max_bytes
        assert len(pending) <= 3 * max_units
    while take():
        pass
    assert pending.bytes == 0
    assert len(dropped) + sum(map(len, out.values())) == given_in
    for frames in out.values():
        numbers = [taken.seq for taken in frames]
        assert numbers == sorted(set(numbers))
        for before, after in pairwise(frames):
            follows = after.seq == before.seq + 1
            assert follows or after.is_key
            assert follows or after.after_gap


def test_of_pictures_that_stand_alone_the_newest_waits() -> None:
    """Detect gets what is, not what was."""
    pending = Pending(1000)
    assert pending.offer(frame(1, is_key=True)) == []
    assert [lost.seq for lost in pending.offer(frame(2, is_key=True))] == [1]
    taken = pending.take()
    assert taken is not None
    assert (taken.seq, taken.after_gap) == (2, True)
    assert pending.take() is None


def test_at_all_the_oldest_drop_up_to_the_next_keyframe() -> None:
    """What lies between two keyframes goes with the first."""
    pending = Pending(10_000, max_units=4)
    for seq, is_key in enumerate([True, False, False, True]):
        pending.offer(frame(seq, is_key=is_key))
    assert [lost.seq for lost in pending.offer(frame(4))] == [0, 1, 2]
    assert pending.offer(frame(5)) == []
    taken = [pending.take(), pending.take(), pending.take()]
    assert [(one.seq, one.after_gap) for one in taken if one] == [(3, True), (4, False), (5, False)]


def test_without_a_keyframe_in_hand_the_camera_waits_for_one() -> None:
    """A picture that nothing leads up to is never sent."""
    pending = Pending(10_000, max_units=2)
    pending.offer(frame(0, is_key=True))
    pending.take()
    pending.offer(frame(1))
    pending.offer(frame(2))
    assert [lost.seq for lost in pending.offer(frame(3))] == [1, 2, 3]
    assert [lost.seq for lost in pending.offer(frame(4))] == [4]
    assert pending.offer(frame(5, is_key=True)) == []


def test_cameras_take_turns() -> None:
    """One busy camera does not keep the others waiting."""
    pending = Pending(10_000)
    pending.offer(frame(0, camera="busy", is_key=True))
    for seq in range(1, 9):
        pending.offer(frame(seq, camera="busy"))
    pending.offer(frame(0, camera="calm", is_key=True))
    taken = [pending.take() for _ in range(3)]
    assert [one.camera_id for one in taken if one] == ["busy", "calm", "busy"]


names = st.text("abcdef0123456789-", min_size=1, max_size=12)


@given(st.lists(names, unique=True, min_size=1, max_size=40), st.lists(names, unique=True, min_size=1, max_size=6))
def test_a_replica_that_leaves_moves_only_its_own_cameras(cameras: list[str], replicas: list[str]) -> None:
    """The others stay where they are."""
    before = {camera: choose(camera, replicas) for camera in cameras}
    gone = replicas[0]
    after = {camera: choose(camera, replicas[1:]) for camera in cameras}
    for camera in cameras:
        assert before[camera] == gone or before[camera] == after[camera]
        assert before[camera] == choose(camera, reversed(replicas))


def test_cameras_spread_over_replicas() -> None:
    """No replica of three takes more than half of a thousand cameras."""
    counts = Counter(choose(f"cam-{number}", ["a:1", "b:1", "c:1"]) for number in range(1000))
    assert max(counts.values()) < 500
    assert choose("cam-1", []) is None
