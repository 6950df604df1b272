"""All cameras of this worker: starts, restarts and stops them as the partitions held say; tells states, ticks.

The handler says what is to be watched, this thread makes it so, over and over, so that nothing hangs on the moment
at which a command or a rebalance was handled. What the handler says takes effect once the table of cameras, which shows
committed records alone, says the same: a command whose transaction fails has no effect. The cameras of a partition
that goes are watched until its next holder has them (`placement`): it writes a higher epoch, so nothing counts twice.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import structlog
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight.observation.v1 import observation_pb2
from lamplight_kit.clock import Clock
from lamplight_kit.kafka.types import Outbox, Outgoing, TableView

from lamplight_ingest import faults, metrics
from lamplight_ingest.handler import CameraHandler, Holding
from lamplight_ingest.life import State
from lamplight_ingest.placement import LEAVE_S, Told, contests, is_handed_over, lets_go
from lamplight_ingest.run import Around, CameraRun

LOOK_S = 0.2
TICK_S = 1.0
REFRESH_TICKS = 30
_COMPARED = frozenset({frame_pb2.Verdict.OUTCOME_UNCHANGED, frame_pb2.Verdict.OUTCOME_CHANGED})
_log = structlog.get_logger()


class Fleet:
    """A component of `lamplight_kit.service`; also told of what becomes of frames (`sent`, `dropped`, `answered`)."""

    name = "cameras"

    def __init__(
        self,
        handler: CameraHandler,
        outbox: Outbox,
        cameras: TableView,
        states: TableView,
        around: Around,
        on_failed: Callable[[BaseException], None],
    ) -> None:
        """Watch what `handler` holds; tell states and ticks through `outbox`; read `cameras` and `camera-states`.

        `on_failed` gets what ended the thread, and has to end the process: a worker without it watches nothing.
        """
        self._on_failed = on_failed
        self._rests = faults.Rests()
        self._handler = handler
        self._outbox = outbox
        self._cameras = cameras
        self._states = states
        self._around = around
        self._runs: dict[str, CameraRun] = {}
        self._partition_of: dict[str, int] = {}
        self._lost_at_s: dict[int, float] = {}
        self._rival_since_s: dict[str, float] = {}
        self._told_interval_s: dict[str, float] = {}
        self._ticks = 0
        self._next_tick_s = 0.0
        self._stopping = threading.Event()
        self._changed: deque[str] = deque()
        self._woken = threading.Event()
        self._has_looked = False
        self._thread = threading.Thread(target=self._main, name="cameras", daemon=True)

    # -- the component -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin in a thread."""
        self._thread.start()

    def changed(self, camera_id: str) -> None:
        """The table shows another camera of this id, or none; any thread."""
        self._changed.append(camera_id)
        self._woken.set()

    def unready(self) -> str | None:
        """Say why cameras are not watched, or None where they are."""
        return None if self._has_looked and self._thread.is_alive() else "not begun, or ended"

    def stop(self, timeout_s: float) -> None:
        """Stop all cameras once other workers have them; wait at most `timeout_s` for their sources to let go."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._hand_over(min(LEAVE_S, timeout_s / 2))
        until_s = self._clock.monotonic_s() + min(timeout_s, 2.0)
        for run in self._runs.values():
            run.stop()
        for run in self._runs.values():
            run.join(max(0.0, until_s - self._clock.monotonic_s()))

    def _hand_over(self, patience_s: float) -> None:
        """Watch on until the others, if there are any, have the cameras: the stage has left the group before."""
        pause = threading.Event()
        for _ in range(int(patience_s / LOOK_S) if self._has_peers() else 0):
            for camera_id in [name for name, run in self._runs.items() if is_handed_over(run.epoch, self._told(name))]:
                self._end(camera_id)
            if not self._runs:
                return
            pause.wait(LOOK_S)

    def _has_peers(self) -> bool:
        states = self._states.items().values()
        return any(isinstance(told, camera_pb2.CameraState) and told.worker != self._around.worker for told in states)

    # -- what becomes of frames ----------------------------------------------------------------------------------

    def sent(self, frame: frame_pb2.Frame) -> None:
        """Detect has been sent `frame`."""
        metrics.SENT.labels(self._around.worker).inc()
        run = self._run_of(frame.camera_id, frame.epoch)
        if run is not None:
            run.count_sent()

    def dropped(self, frame: frame_pb2.Frame, reason: str) -> None:
        """`frame` was dropped before detect took it; its camera goes on with a keyframe."""
        metrics.DROPPED.labels(self._around.worker, reason).inc()
        run = self._run_of(frame.camera_id, frame.epoch)
        if run is not None:
            run.count_dropped()

    def answered(self, verdict: frame_pb2.Verdict, answer_s: float) -> None:
        """Detect has answered after `answer_s` seconds."""
        outcome = frame_pb2.Verdict.Outcome.Name(verdict.outcome).removeprefix("OUTCOME_").lower()
        metrics.VERDICTS.labels(self._around.worker, outcome).inc()
        metrics.ANSWER_SECONDS.labels(self._around.worker).observe(answer_s)
        run = self._run_of(verdict.camera_id, verdict.epoch)
        if run is not None:
            self._each([run.camera.id], lambda _: self._judge(run, verdict))

    def _judge(self, run: CameraRun, verdict: frame_pb2.Verdict) -> None:
        run.watch.wanting(verdict.wanted_gap_s)
        if verdict.outcome in _COMPARED:
            run.watch.learnt(verdict.seq, is_changed=verdict.outcome == frame_pb2.Verdict.OUTCOME_CHANGED)
        is_refused = verdict.outcome == frame_pb2.Verdict.OUTCOME_REFUSED
        if is_refused:
            run.watch.lost()  # what follows would build on a picture that detect does not have
        if run.watch.judged((verdict.reason or "no reason told") if is_refused else ""):
            self._tell_state(run)
            _log.info("camera", camera_id=run.camera.id, epoch=run.epoch, reason=run.life.reason)

    # -- the thread ----------------------------------------------------------------------------------------------

    @property
    def _clock(self) -> Clock:
        return self._around.clock

    def _main(self) -> None:
        try:
            due_s = 0.0
            while not self._stopping.is_set():
                self._woken.wait(max(0.0, due_s - self._clock.monotonic_s()))
                self._woken.clear()
                self.look_at_changed()
                if self._clock.monotonic_s() >= due_s:
                    self.look()
                    due_s = self._clock.monotonic_s() + LOOK_S
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends the process, not just this thread
            self._on_failed(error)

    def look_at_changed(self) -> None:
        """Make so at once what has just changed: a camera that somebody waits for is not to wait for all the others."""
        names = set()
        while self._changed:
            names.add(self._changed.popleft())
        if names:
            holding, now_s = self._handler.holding(), self._clock.monotonic_s()
            self._each(names & self._runs.keys(), lambda camera_id: self._keep_or_end(camera_id, holding, now_s))
            begun = names & holding.cameras.keys()
            self._each(begun, lambda camera_id: self._begin_if_due(camera_id, holding, now_s))

    def look(self) -> None:
        """Make what is watched what is to be watched; once a second look after all of it."""
        holding = self._handler.holding()
        now_s = self._clock.monotonic_s()
        for partition in holding.partitions:
            self._lost_at_s.pop(partition, None)
        self._each(list(self._runs), lambda camera_id: self._keep_or_end(camera_id, holding, now_s))
        self._each(holding.cameras, lambda camera_id: self._begin_if_due(camera_id, holding, now_s))
        if now_s >= self._next_tick_s:
            late = now_s >= self._next_tick_s + TICK_S
            self._next_tick_s = TICK_S + (now_s if late else self._next_tick_s)
            self._tick(holding)
        for camera_id in [name for name, run in self._runs.items() if run.fault]:
            self._lay_aside(self._runs[camera_id], holding, now_s)
        self._has_looked = True

    def _each(self, camera_ids: Iterable[str], act: Callable[[str], None]) -> None:
        """Do `act` for each camera; a fault of our own in it costs that camera alone."""
        for camera_id in camera_ids:
            try:
                act(camera_id)
            except Exception as error:  # noqa: BLE001 - a camera costs only itself
                if camera_id in self._runs:
                    self._runs[camera_id].faulted(error)
                else:
                    self._not_begun(camera_id, error)

    def _not_begun(self, camera_id: str, error: Exception) -> None:
        metrics.FAULTS.labels(self._around.worker).inc()
        self._rests.begin(camera_id, self._clock.monotonic_s())
        _log.error("fault of our own", camera_id=camera_id, error=type(error).__name__, where=faults.where(error))

    def _lay_aside(self, run: CameraRun, holding: Holding, now_s: float) -> None:
        """Tell a camera as gone that a fault of our own ended, and let it rest; it is begun anew after that."""
        camera_id = run.camera.id
        self._rests.begin(camera_id, now_s)
        self._end(camera_id)
        if camera_id in holding.cameras and self._told(camera_id).epoch <= run.epoch:
            self._outbox.put(list(_gone(run, self._clock.now_ns(), self._around.worker)))

    def _keep_or_end(self, camera_id: str, holding: Holding, now_s: float) -> None:
        run, camera, partition = self._runs[camera_id], holding.cameras.get(camera_id), self._partition_of[camera_id]
        if partition not in holding.partitions:
            away_s = now_s - self._lost_at_s.setdefault(partition, now_s)
            if self._cameras.get(camera_id) is None or lets_go(run.epoch, away_s, self._told(camera_id)):
                self._end(camera_id)
            return
        if not self._is_committed(camera_id, camera):
            return
        if camera is not None:
            if _is_another(run.camera, camera) or self._is_contested(run, holding, now_s):
                self._end(camera_id)
                self._begin(camera, holding, above=run.epoch)
            self._runs[camera_id].camera = camera
        else:
            run.watch.end("the camera was removed")
            self._end(camera_id)

    def _is_contested(self, run: CameraRun, holding: Holding, now_s: float) -> bool:
        known_epoch = self._known_epoch(run.camera.id, holding)
        if known_epoch <= run.epoch:
            self._rival_since_s.pop(run.camera.id, None)
            return False
        return contests(run.epoch, known_epoch, now_s - self._rival_since_s.setdefault(run.camera.id, now_s))

    def _is_committed(self, camera_id: str, camera: camera_pb2.Camera | None) -> bool:
        """Tell whether what the handler says of a camera (None: nothing) is what the topic holds."""
        return self._cameras.get(camera_id) == camera

    def _begin_if_due(self, camera_id: str, holding: Holding, now_s: float) -> None:
        camera = holding.cameras[camera_id]
        if camera_id in self._runs or self._rests.rests(camera_id, now_s) or not self._is_committed(camera_id, camera):
            return
        self._begin(camera, holding)

    def _begin(self, camera: camera_pb2.Camera, holding: Holding, above: int = 0) -> None:
        epoch = max(above, self._known_epoch(camera.id, holding)) + 1
        run = CameraRun(camera, epoch, self._around, self._turned)
        self._runs[camera.id] = run
        self._partition_of[camera.id] = holding.partition_of[camera.id]
        run.start()

    def _end(self, camera_id: str) -> None:
        self._runs.pop(camera_id).stop()
        self._told_interval_s.pop(camera_id, None)
        self._rival_since_s.pop(camera_id, None)

    def _told(self, camera_id: str) -> Told:
        told = self._states.get(camera_id)
        if not isinstance(told, camera_pb2.CameraState):
            return Told()
        return Told(told.epoch, told.state != camera_pb2.CameraState.STATE_CONNECTING)

    def _known_epoch(self, camera_id: str, holding: Holding) -> int:
        return max(self._told(camera_id).epoch, holding.epochs.get(camera_id, 0))

    def _tick(self, holding: Holding) -> None:
        self._ticks += 1
        tick = observation_pb2.Tick(at_ns=self._clock.now_ns(), worker=self._around.worker)
        message = observation_pb2.Observation(tick=tick)
        self._outbox.put([Outgoing("observations", "", message, number) for number in sorted(holding.partitions)])
        counts = dict.fromkeys(State, 0)
        turns = {camera_id: (self._ticks + place) % REFRESH_TICKS == 0 for place, camera_id in enumerate(self._runs)}

        def look_after(camera_id: str) -> None:
            run = self._runs[camera_id]
            run.look()
            counts[run.life.state] += 1
            if self._partition_of[camera_id] in holding.partitions:
                self._refresh(run, is_turn=turns[camera_id])

        self._each(turns, look_after)
        self._rests.keep(frozenset(holding.cameras))
        counts[State.GONE] += self._rests.count(self._clock.monotonic_s())
        for state, count in counts.items():
            metrics.CAMERAS.labels(self._around.worker, state.value).set(count)

    def _refresh(self, run: CameraRun, *, is_turn: bool) -> None:
        """Tell a state again where the topic's is not ours: a new measure, counts, or one that an old holder wrote."""
        interval_s, told_s = run.watch.keyframe_interval_s, self._told_interval_s.get(run.camera.id)
        is_news = interval_s is not None and (told_s is None or abs(interval_s - told_s) > told_s / 5)
        if is_news or (is_turn and self._states.get(run.camera.id) != run.state()):
            self._tell_state(run)

    def _tell_state(self, run: CameraRun) -> None:
        if self._told(run.camera.id).epoch <= run.epoch:
            self._outbox.put(list(self._state_records(run)))

    def _state_records(self, run: CameraRun) -> Iterator[Outgoing]:
        if run.watch.keyframe_interval_s is not None:
            self._told_interval_s[run.camera.id] = run.watch.keyframe_interval_s
        yield Outgoing("camera-states", run.camera.id, run.state())

    def _turned(self, run: CameraRun) -> None:
        """Tell a change of state, on both topics; called from the thread that made it.

        Of a camera that another worker has nothing more is told: a lower epoch must not stand where a higher one stood.
        """
        life = run.life
        if self._told(run.camera.id).epoch > run.epoch:
            return
        changed = observation_pb2.StateChanged(
            camera_id=run.camera.id,
            epoch=run.epoch,
            at_ns=life.since_ns,
            state=life.state.value,
            reason=life.reason,
        )
        message = observation_pb2.Observation(state_changed=changed)
        self._outbox.put([*self._state_records(run), Outgoing("observations", run.camera.id, message)])
        _log.info("camera", camera_id=run.camera.id, epoch=run.epoch, state=life.state.value, reason=life.reason)

    def _run_of(self, camera_id: str, epoch: int) -> CameraRun | None:
        run = self._runs.get(camera_id)
        return run if run is not None and run.epoch == epoch else None


def _is_another(before: camera_pb2.Camera, after: camera_pb2.Camera) -> bool:
    """Tell whether a change of a camera needs its source anew."""
    return (before.source, before.credentials_secret, before.sampling) != (
        after.source,
        after.credentials_secret,
        after.sampling,
    )


def _gone(run: CameraRun, at_ns: int, worker: str) -> Iterator[Outgoing]:
    """Return the records that tell of a camera whose run a fault ended: made of nothing that the run itself says."""
    camera_id, reason = run.camera.id, faults.told(run.fault)
    state = camera_pb2.CameraState(
        camera_id=camera_id,
        epoch=run.epoch,
        state=camera_pb2.CameraState.STATE_GONE,
        since_ns=at_ns,
        reason=reason,
        worker=worker,
        last_error=reason,
        last_error_ns=at_ns,
        district=run.camera.district,
    )
    yield Outgoing("camera-states", camera_id, state)
    changed = observation_pb2.StateChanged(
        camera_id=camera_id, epoch=run.epoch, at_ns=at_ns, state=State.GONE.value, reason=reason
    )
    yield Outgoing("observations", camera_id, observation_pb2.Observation(state_changed=changed))
