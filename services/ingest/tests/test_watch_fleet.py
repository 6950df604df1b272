"""Watching: one camera's run, and a fleet that follows what partitions hold, with sources and a bus made up."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest
from fake_table import FakeTable
from google.protobuf.message import Message
from lamplight.camera.v1 import camera_pb2
from lamplight.command.v1 import command_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight.observation.v1 import observation_pb2
from lamplight_ingest import fleet as fleets
from lamplight_ingest.adapters.threads import InThread, Threads
from lamplight_ingest.fleet import Fleet
from lamplight_ingest.handler import CameraHandler
from lamplight_ingest.life import State
from lamplight_ingest.model import LiveSource, Picture, SourceAway, SourceRefused
from lamplight_ingest.placement import CONTEST_S, HAND_OVER_S
from lamplight_ingest.run import Around, CameraRun
from lamplight_ingest.runtime import Runtime
from lamplight_ingest.sampler import Plan
from lamplight_ingest.watch import Watch
from lamplight_kit.clock import ManualClock
from lamplight_kit.errors import Refuse
from lamplight_kit.kafka.types import Outbox, Outgoing, Record

ALL = Plan(wants_all=True, min_gap_s=0.2, max_gap_s=30)


def picture(at_ns: int, *, is_key: bool = True, lost: bool = False) -> Picture:
    """Return a picture taken when it came."""
    return Picture("h264", b"unit", is_key=is_key, received_ns=at_ns, source_at_ns=at_ns, lost_before=lost)


class Script:
    """A source that gives what it was told to, and raises where an exception stands."""

    transport = "script"

    def __init__(self, steps: Sequence[Picture | Exception], *, ends: bool = True) -> None:
        """Play `steps`."""
        self.steps = steps
        self.ends = ends
        self.closed = False

    def open(self) -> None:
        """Begin."""

    def pictures(self) -> Iterator[Picture]:
        """Yield or raise, step by step."""
        for step in self.steps:
            if isinstance(step, Exception):
                raise step
            yield step

    def close(self) -> None:
        """End."""
        self.closed = True


class Feed(Script):
    """A live source whose pictures a test puts in; None breaks it off."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__([], ends=False)
        self.queue: queue.Queue[Picture | None] = queue.Queue()

    def pictures(self) -> Iterator[Picture]:
        """Yield what is put in, until closed."""
        while not self.closed:
            try:
                step = self.queue.get(timeout=0.05)
            except queue.Empty:
                continue
            if step is None:
                text = "cable cut"
                raise SourceAway(text)
            yield step


def test_frames_carry_what_the_contract_wants() -> None:
    """Numbers without a gap, time, epoch; a loss is told once, and what follows waits for a keyframe."""
    watch = Watch("quay", 7, ALL, ManualClock())
    steps = [picture(10**9 * at, is_key=at in (1, 5), lost=at == 3) for at in range(7)]
    frames = list(watch.frames(lambda: Script(steps)))
    assert [(frame.seq, frame.at_ns // 10**9, frame.after_gap) for frame in frames] == [
        (0, 1, False),
        (1, 2, False),
        (2, 5, True),
        (3, 6, False),
    ]
    assert {(frame.camera_id, frame.epoch, frame.at_is_receipt) for frame in frames} == {("quay", 7, False)}
    assert (watch.counts.came, watch.counts.framed, watch.counts.lost) == (7, 4, 1)
    assert watch.keyframe_interval_s == 4


@pytest.mark.parametrize(
    ("steps", "state", "reason"),
    [
        ([picture(1)], State.GONE, "come to its end"),
        ([], State.GONE, "no keyframe"),
        ([picture(1, is_key=False)], State.REFUSED, "1 pictures found and no keyframe"),
        ([SourceAway("cable cut")], State.GONE, "cable cut"),
        ([SourceRefused("password wrong")], State.REFUSED, "password wrong"),
        ([picture(1), SourceAway("cable cut")], State.CONNECTING, "cable cut"),
    ],
)
def test_how_a_source_ends_is_the_cameras_state(steps: list[Picture | Exception], state: State, reason: str) -> None:
    """Nothing of a source's is raised, everything is told."""
    told: list[State] = []
    watch = Watch("quay", 1, ALL, ManualClock(), lambda life: told.append(life.state))
    source = Script(steps)
    list(watch.frames(lambda: source))
    assert source.closed
    assert watch.life.state is (State.REFUSED if reason == "no keyframe" else state)
    assert reason in watch.life.reason
    assert told[-1] is watch.life.state


# -- the handler -------------------------------------------------------------------------------------------------


def record(command: command_pb2.Command, key: str, partition: int = 0) -> Record:
    """Return a command as it comes."""
    return Record("commands", partition, 0, key, command)


def camera(camera_id: str = "quay", **fields: object) -> camera_pb2.Camera:
    """Return a camera."""
    return camera_pb2.Camera(id=camera_id, source="script", district="east", **fields)  # type: ignore[arg-type] # a table of fields


def applying(wished: camera_pb2.Camera, command_id: str) -> command_pb2.Command:
    """Return the command that writes `wished`."""
    return command_pb2.Command(command_id=command_id, apply_camera=wished)


def test_commands_become_versions_and_tombstones() -> None:
    """Each change counts up and names its command; what is not of cameras is passed over."""
    handler = CameraHandler()
    handler.restore(0, [])
    out = handler.handle(
        [record(applying(camera(), "c1"), "quay"), record(applying(camera(name="Quay"), "c2"), "quay")]
    )
    written = [made.message for made in out if isinstance(made.message, camera_pb2.Camera)]
    assert [(made.version, made.last_command_id) for made in written] == [(1, "c1"), (2, "c2")]
    assert written[0].sampling.min_gap_s == 2
    others = [command_pb2.Command(remove_rule_id="r"), command_pb2.Command(remove_camera_id="absent")]
    assert handler.handle([record(command, "quay") for command in others]) == []
    removed = handler.handle([record(command_pb2.Command(remove_camera_id="quay"), "quay")])
    assert removed == [Outgoing("cameras", "quay", None, 0)]
    assert handler.holding().cameras == {}


def test_a_command_under_another_key_is_refused() -> None:
    """It would be applied by a worker that does not own the camera."""
    with pytest.raises(Refuse, match="another"):
        CameraHandler().handle([record(applying(camera("quay"), "c1"), "other")])


def test_what_is_forgotten_comes_back_as_it_was_committed() -> None:
    """An uncommitted change is gone after forget and restore; epochs of others are known."""
    handler = CameraHandler()
    first = handler.handle([record(applying(camera(), "c1"), "quay")])[0].message
    handler.handle([record(applying(camera(name="lost"), "c2"), "quay")])
    handler.forget(0)
    assert handler.holding().partitions == frozenset()
    state = camera_pb2.CameraState(camera_id="quay", epoch=4)
    handler.restore(0, [Record("cameras", 0, 0, "quay", first), Record("camera-states", 0, 0, "quay", state)])
    assert (handler.holding().cameras, handler.holding().epochs) == ({"quay": first}, {"quay": 4})


# -- the fleet ---------------------------------------------------------------------------------------------------


@dataclass
class FakeBus:
    """An outbox that shows what was put, and a table of states that it feeds."""

    put_records: list[Outgoing] = field(default_factory=list)
    states: FakeTable = field(default_factory=FakeTable)

    def put(self, records: Sequence[Outgoing]) -> None:
        """Take records."""
        self.put_records += records
        for made in records:
            if made.topic == "camera-states" and isinstance(made.message, camera_pb2.CameraState):
                self.states.values[made.key] = made.message

    def changes(self, camera_id: str) -> list[tuple[int, str]]:
        """Return epoch and state of each change told of a camera."""
        told = [made.message.state_changed for made in self.put_records if made.topic == "observations" and made.key]  # type: ignore[union-attr] # an Observation
        return [(change.epoch, change.state) for change in told if change.camera_id == camera_id]


class World:
    """A fleet with everything around it made up; `look` is what its thread would do."""

    def __init__(self) -> None:
        """Hold no partition yet."""
        self.clock = ManualClock()
        self.handler = CameraHandler()
        self.bus = FakeBus()
        self.cameras = FakeTable()
        self.feeds: list[Feed] = []
        self.frames: list[frame_pb2.Frame] = []
        self.threads = Threads()
        self.runtime = Runtime(self.clock)
        self.runtime.start()
        around = self.around = Around(self.make, self, self.clock, "worker", 15.0, self.runtime)
        self.failed: list[BaseException] = []
        self.fleet = Fleet(self.handler, self.bus, self.cameras, self.bus.states, around, self.failed.append)

    def make(self, _: camera_pb2.Camera) -> LiveSource:
        """Return a new feed."""
        self.feeds.append(Feed())
        return InThread(self.feeds[-1], self.threads)

    def offer(self, frame: frame_pb2.Frame) -> None:
        """Take a frame."""
        self.frames.append(frame)

    def apply(self, wished: camera_pb2.Camera, command_id: str, *, commit: bool = True) -> None:
        """Let the handler apply, and the table show what was committed."""
        for made in self.handler.handle([record(applying(wished, command_id), wished.id)]):
            if commit and made.message is not None:
                assert isinstance(made.message, Message)
                self.cameras.values[made.key] = made.message

    def look(self, seconds: float = 0.0) -> None:
        """Let time pass and the fleet look."""
        self.clock.turn(seconds)
        self.fleet.look()

    def until(self, find: Callable[[], bool]) -> None:
        """Wait for other threads to have done something."""
        end_s = time.monotonic() + 10
        while not find():
            assert time.monotonic() < end_s
            threading.Event().wait(0.01)


@pytest.fixture
def world() -> Iterator[World]:
    """A world that holds partition 0."""
    made = World()
    made.handler.restore(0, [])
    yield made
    made.fleet.stop(5)
    made.runtime.stop(5)


def test_a_camera_runs_and_tells_its_states(world: World) -> None:
    """Connecting at once, live with its first picture, on both topics, in epoch 1."""
    world.apply(camera(), "c1")
    world.look()
    assert world.bus.changes("quay") == [(1, "connecting")]
    world.until(lambda: len(world.feeds) == 1)
    world.feeds[0].queue.put(picture(world.clock.now_ns()))
    world.until(lambda: len(world.frames) == 1)
    assert world.bus.changes("quay") == [(1, "connecting"), (1, "live")]
    told = world.bus.states.values["quay"]
    assert isinstance(told, camera_pb2.CameraState)
    assert (told.district, told.worker, told.transport) == ("east", "worker", "script")


def test_a_change_that_was_not_committed_has_no_effect(world: World) -> None:
    """Neither a camera nor its removal, until the table shows it."""
    world.apply(camera(), "c1", commit=False)
    world.look()
    assert world.bus.changes("quay") == []
    world.apply(camera(), "c1")
    world.look()
    world.handler.handle([record(command_pb2.Command(remove_camera_id="quay"), "quay")])
    world.look(10)
    assert world.bus.changes("quay") == [(1, "connecting")]
    del world.cameras.values["quay"]
    world.look()
    assert world.bus.changes("quay")[-1] == (1, "gone")


def test_a_takeover_is_an_epoch_above_every_known_one(world: World) -> None:
    """Whether it was known at the start or shows later."""
    seen = camera_pb2.CameraState(camera_id="quay", epoch=41)
    world.apply(camera(), "c1")
    held = world.cameras.values["quay"]
    world.handler.restore(0, [Record("cameras", 0, 0, "quay", held), Record("camera-states", 0, 0, "quay", seen)])
    world.look()
    assert world.bus.changes("quay") == [(42, "connecting")]
    world.bus.states.values["quay"] = camera_pb2.CameraState(camera_id="quay", epoch=50)
    world.look()
    assert world.bus.changes("quay")[-1] == (42, "connecting")
    world.look(CONTEST_S)
    assert world.bus.changes("quay")[-1] == (51, "connecting")


def test_only_a_change_of_the_source_begins_it_anew(world: World) -> None:
    """A new zone does not cost a picture; a new sampling does."""
    world.apply(camera(), "c1")
    world.look()
    world.apply(camera(zones=[camera_pb2.Zone(id="bay")]), "c2")
    world.look()
    assert world.bus.changes("quay") == [(1, "connecting")]
    world.apply(camera(sampling=camera_pb2.Sampling(min_gap_s=9)), "c3")
    world.look()
    assert world.bus.changes("quay")[-1] == (2, "connecting")


def test_a_partition_that_comes_back_soon_disturbs_no_camera(world: World) -> None:
    """A failed transaction forgets and restores; a partition that stays away is let go without a word."""
    world.apply(camera(), "c1")
    world.look()
    held = world.cameras.values["quay"]
    own = world.bus.states.values["quay"]
    world.handler.forget(0)
    world.look(1)
    world.handler.restore(0, [Record("cameras", 0, 0, "quay", held), Record("camera-states", 0, 0, "quay", own)])
    world.look(5)
    assert world.bus.changes("quay") == [(1, "connecting")]
    world.handler.forget(0)
    world.look()
    world.look(HAND_OVER_S)
    world.until(lambda: all(feed.closed for feed in world.feeds))
    assert world.bus.changes("quay") == [(1, "connecting")]


def another_has(world: World, state: camera_pb2.CameraState.State) -> None:
    """Let another worker have told of the camera, in a higher epoch."""
    told = camera_pb2.CameraState(camera_id="quay", epoch=2, worker="other", state=state)
    world.bus.states.values["quay"] = told


def test_a_camera_that_moves_is_watched_until_the_other_has_it(world: World) -> None:
    """Pictures go on while the other connects; once it has an answer, this one lets go, and never spoke over it."""
    world.apply(camera(), "c1")
    world.look()
    world.until(lambda: len(world.feeds) == 1)
    world.handler.forget(0)
    another_has(world, camera_pb2.CameraState.STATE_CONNECTING)
    world.look(5)
    world.feeds[0].queue.put(picture(world.clock.now_ns()))
    world.until(lambda: len(world.frames) == 1)
    assert world.bus.changes("quay") == [(1, "connecting")]
    assert not world.feeds[0].closed
    another_has(world, camera_pb2.CameraState.STATE_LIVE)
    world.look(1)
    world.until(lambda: world.feeds[0].closed)
    assert world.bus.changes("quay") == [(1, "connecting")]


def test_a_worker_that_leaves_waits_until_another_has_its_cameras(world: World) -> None:
    """It stops at once where there is no other, and where the other has them."""
    world.apply(camera(), "c1")
    world.look()
    world.until(lambda: len(world.feeds) == 1)
    another_has(world, camera_pb2.CameraState.STATE_CONNECTING)
    leaving = threading.Thread(target=world.fleet.stop, args=(20,))
    leaving.start()
    leaving.join(0.5)
    assert leaving.is_alive()
    assert not world.feeds[0].closed
    another_has(world, camera_pb2.CameraState.STATE_REFUSED)
    leaving.join(5)
    assert not leaving.is_alive()
    world.until(lambda: world.feeds[0].closed)


def test_ticks_move_time_on_each_partition_once_a_second(world: World) -> None:
    """With the partition named and no key; none for a partition that is not held."""
    world.handler.restore(7, [])
    for _ in range(10):
        world.look(0.2)
    ticks = [made for made in world.bus.put_records if made.topic == "observations" and not made.key]
    assert [made.partition for made in ticks] == [0, 7, 0, 7]
    times = [made.message.tick.at_ns for made in ticks if isinstance(made.message, observation_pb2.Observation)]
    assert times[2] - times[0] == pytest.approx(10**9, abs=2e8)


def test_silence_is_noticed_and_an_overwritten_state_told_again(world: World) -> None:
    """Stalled after the patience of a camera whose interval is unknown; an old holder's late word does not stay."""
    world.apply(camera(), "c1")
    world.look()
    world.until(lambda: len(world.feeds) == 1)
    world.look(31)
    world.until(lambda: world.bus.changes("quay")[-1] == (1, "stalled"))
    world.bus.states.values["quay"] = camera_pb2.CameraState(camera_id="quay", epoch=0, reason="late")
    for _ in range(fleets.REFRESH_TICKS + 1):
        world.look(1)
    told = world.bus.states.values["quay"]
    assert isinstance(told, camera_pb2.CameraState)
    assert told.epoch == 1


def test_verdicts_and_drops_reach_their_camera(world: World) -> None:
    """A drop makes the camera begin again with a keyframe; those of another epoch are not its own."""
    world.apply(camera(sampling=camera_pb2.Sampling(pictures=camera_pb2.Sampling.PICTURES_ALL)), "c1")
    world.look()
    world.until(lambda: len(world.feeds) == 1)
    feed, at_ns = world.feeds[0], world.clock.now_ns()
    feed.queue.put(picture(at_ns))
    world.until(lambda: len(world.frames) == 1)
    world.fleet.dropped(world.frames[0], "slow_detect")
    world.fleet.dropped(frame_pb2.Frame(camera_id="quay", epoch=9), "slow_detect")
    world.fleet.sent(world.frames[0])
    world.fleet.answered(frame_pb2.Verdict(camera_id="quay", epoch=1, wanted_gap_s=7), 0.1)
    feed.queue.put(picture(at_ns + 10**9, is_key=False))
    feed.queue.put(picture(at_ns + 2 * 10**9))
    feed.queue.put(picture(at_ns + 8 * 10**9))
    world.until(lambda: len(world.frames) == 3)
    assert [(frame.is_key, frame.after_gap, frame.examine) for frame in world.frames] == [
        (True, False, True),
        (True, True, False),
        (True, False, True),
    ]


def test_pictures_that_detect_refuses_are_told_in_the_state(world: World) -> None:
    """Live, with the reason; one record a change on `camera-states`, none on `observations`; and back again."""
    world.apply(camera(), "c1")
    world.look()
    world.until(lambda: len(world.feeds) == 1)
    world.feeds[0].queue.put(picture(world.clock.now_ns()))
    world.until(lambda: len(world.frames) == 1)
    changes, told = world.bus.changes("quay"), len(world.bus.put_records)

    def answer(*reasons: str) -> list[str]:
        for reason in reasons:
            outcome = frame_pb2.Verdict.OUTCOME_REFUSED if reason else frame_pb2.Verdict.OUTCOME_UNCHANGED
            world.fleet.answered(frame_pb2.Verdict(camera_id="quay", epoch=1, outcome=outcome, reason=reason), 0.1)
        states = [made.message for made in world.bus.put_records[told:]]
        assert all(isinstance(state, camera_pb2.CameraState) for state in states)
        assert {state.state for state in states} <= {camera_pb2.CameraState.STATE_LIVE}  # type: ignore[union-attr] # as asserted
        return [state.reason for state in states]  # type: ignore[union-attr] # as asserted

    assert answer("broken", "broken", "", "broken", "other", "broken") == []
    refusing = "pictures come, but detect refuses them: 7 bytes of http://***@cam"
    assert answer(*(f"{count} bytes of http://a:b@cam" for count in (7, 8, 9, 10))) == [refusing]
    assert answer("other") == [refusing]
    assert answer("", "") == [refusing, "pictures come"]
    assert world.bus.changes("quay") == changes


def test_a_verdict_says_nothing_of_a_camera_that_is_not_live(world: World) -> None:
    """A late one does not hide why the camera is gone."""
    world.apply(camera(), "c1")
    world.look()
    before = world.bus.states.values["quay"]
    refused = frame_pb2.Verdict(camera_id="quay", epoch=1, outcome=frame_pb2.Verdict.OUTCOME_REFUSED, reason="broken")
    for _ in range(5):
        world.fleet.answered(refused, 0.1)
    assert world.bus.states.values["quay"] == before


def test_a_fault_of_our_own_costs_one_camera_one_try(world: World) -> None:
    """It is told by its name, without its text, and tried again."""
    script = Script([ValueError("pass-word-never-shown")], ends=False)
    world.fleet._around = replace(world.around, make_source=lambda _: InThread(script, world.threads))
    world.apply(camera(), "c1")
    world.look()
    world.until(lambda: world.bus.changes("quay")[-1] == (1, "gone"))
    assert "pass-word" not in str(world.bus.states.values["quay"])
    assert "ValueError" in str(world.bus.states.values["quay"])


def test_a_cameras_own_numbers_stand_in_its_state(world: World) -> None:
    """What came, its bits, and the last error with its time, which outlives the next picture."""
    world.apply(camera(), "c1")
    world.look()
    world.until(lambda: len(world.feeds) == 1)
    world.feeds[0].queue.put(None)
    world.until(lambda: world.bus.changes("quay")[-1] == (1, "gone"))
    failed_ns = world.clock.now_ns()
    world.until(lambda: len(world.feeds) == 2)
    for number in range(4):
        world.feeds[1].queue.put(replace(picture(failed_ns + number * 2 * 10**9), before_bytes=99_996))
    world.until(lambda: len(world.frames) == 4)
    for _ in range(fleets.REFRESH_TICKS + 1):
        world.look(1)
    told = world.bus.states.values["quay"]
    assert isinstance(told, camera_pb2.CameraState)
    assert (told.pictures_came, told.pictures_spared) == (4, 0)
    assert (told.last_error, told.last_error_ns) == ("cable cut", failed_ns)
    assert 0 <= told.bits_per_s <= 8 * 400_020 / 20


@pytest.mark.parametrize("what", ["look", "state", "patience_s"])
def test_a_fault_in_looking_after_a_camera_costs_that_camera_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """It is told as gone by the fault's class, rests, and is begun anew in a higher epoch; others never notice."""
    real = getattr(CameraRun, what)
    faults = [3]

    def broken(run: CameraRun) -> object:
        if run.camera.id == "quay" and faults[0]:
            faults[0] -= 1
            text = "never-shown"
            raise UnicodeError(text)
        return real(run)

    world.apply(camera("other"), "c2")
    world.look()
    monkeypatch.setattr(CameraRun, what, broken)
    world.apply(camera(), "c1")
    for _ in range(8):
        world.look(1)
    ticks = [made for made in world.bus.put_records if made.topic == "observations" and not made.key]
    assert len(ticks) >= 8
    assert (1, "gone") in world.bus.changes("quay")
    assert "never-shown" not in str(world.bus.put_records)
    assert "UnicodeError" in str(world.bus.put_records)
    for _ in range(30):
        world.look(5)
    assert not faults[0]
    assert world.bus.changes("quay")[-1][1] in ("connecting", "stalled")
    assert world.bus.changes("quay")[-1][0] > 1
    assert {epoch for epoch, _ in world.bus.changes("other")} == {1}
    assert not world.failed


def test_a_camera_that_cannot_be_begun_costs_itself_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again after a rest that grows, and the others are begun."""
    begun: list[str] = []

    def plan(sampling: camera_pb2.Sampling) -> Plan:
        begun.append("tried")
        if sampling.min_gap_s == 99:
            raise ZeroDivisionError
        return ALL

    monkeypatch.setattr("lamplight_ingest.run.plan_of", plan)
    world.apply(camera("a-broken", sampling=camera_pb2.Sampling(min_gap_s=99)), "c1")
    world.apply(camera("other"), "c2")
    world.look()
    assert world.bus.changes("other") == [(1, "connecting")]
    for _ in range(40):
        world.look(0.2)
    assert 3 <= len(begun) <= 8


def test_a_fault_while_telling_leaves_whoever_made_the_change_alone(world: World) -> None:
    """A verdict of detect's, and a source's own failure, cost that camera's run."""
    world.apply(camera(), "c1")
    world.look()
    world.until(lambda: len(world.feeds) == 1)
    real = world.fleet._outbox
    world.fleet._outbox = Broken(real, "quay")
    world.feeds[0].queue.put(None)
    world.until(lambda: world.fleet._runs["quay"].fault == "BufferError")
    world.fleet._outbox = real
    world.look(1)
    assert world.bus.changes("quay")[-1] == (1, "gone")
    for _ in range(3):
        world.look(2)
    assert world.bus.changes("quay")[-1] == (2, "connecting")


def test_a_fault_of_all_cameras_together_ends_the_process(world: World) -> None:
    """So that whatever watches over it starts it anew; the service is not left running without its thread."""
    world.handler.holding = lambda: 1 / 0  # type: ignore[assignment,return-value] # a fault
    world.fleet.start()
    world.until(lambda: bool(world.failed))
    assert isinstance(world.failed[0], ZeroDivisionError)
    assert world.fleet.unready()


@dataclass
class Broken:
    """An outbox that takes nothing of one camera."""

    real: Outbox
    camera_id: str

    def put(self, records: Sequence[Outgoing]) -> None:
        """Take records, but for those of the camera."""
        if any(made.key == self.camera_id for made in records):
            raise BufferError
        self.real.put(records)


def test_a_change_waits_for_no_look_at_all_cameras(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that is added, changed or removed is so as soon as the table shows it."""
    monkeypatch.setattr(fleets, "LOOK_S", 3600.0)
    world.fleet.start()
    world.until(lambda: world.fleet.unready() is None)
    world.apply(camera(), "c1")
    world.fleet.changed("quay")
    world.until(lambda: world.bus.changes("quay") == [(1, "connecting")])
    world.apply(camera(sampling=camera_pb2.Sampling(min_gap_s=9)), "c2")
    world.fleet.changed("quay")
    world.until(lambda: world.bus.changes("quay")[-1] == (2, "connecting"))
    world.handler.handle([record(command_pb2.Command(remove_camera_id="quay"), "quay")])
    del world.cameras.values["quay"]
    world.fleet.changed("quay")
    world.until(lambda: world.bus.changes("quay")[-1] == (2, "gone"))
