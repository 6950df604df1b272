"""One camera being watched: pictures of its source become Frames, and its life goes on; the same live and in replay."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Generator
from dataclasses import dataclass

from lamplight.frame.v1 import frame_pb2
from lamplight_kit.clock import Clock

from lamplight_ingest import life as lives
from lamplight_ingest.interval import KeyInterval
from lamplight_ingest.life import Life, Moment, State
from lamplight_ingest.model import (
    STANDS_ALONE,
    Hinting,
    LiveSource,
    Picture,
    Resting,
    Source,
    SourceAway,
    SourceError,
    SourceRefused,
    SourceSilent,
)
from lamplight_ingest.refusals import Refusals
from lamplight_ingest.sampler import Choice, Plan, Sampler
from lamplight_ingest.scrub import scrub
from lamplight_ingest.timing import stamp

MOST_UNJUDGED = 64
"""Pictures on whose verdict the sampler waits, at the most."""


@dataclass(slots=True)
class Counts:
    """Of this epoch: pictures that came, that became frames, that were spared since nothing had happened, and losses.

    `video_bytes` is what came in all, as far as it was counted.
    """

    came: int = 0
    framed: int = 0
    lost: int = 0
    spared: int = 0
    video_bytes: int = 0


class Watch:
    """What is known of one camera in one epoch; `turned` is told each change of state, from the thread that made it.

    A replay calls `frames`; a live run tells what comes by `opened`, `took`, `finished` and `failed`. Calls may come
    from several threads.
    """

    def __init__(
        self, camera_id: str, epoch: int, plan: Plan, clock: Clock, turned: Callable[[Life], None] = lambda _: None
    ) -> None:
        """Begin the camera's life in `epoch`."""
        self.camera_id = camera_id
        self.epoch = epoch
        self._clock = clock
        self._turned = turned
        self._lock = threading.RLock()
        self._sampler = Sampler(plan)
        self._interval = KeyInterval()
        self._refusals = Refusals()
        self._gap = False
        self._came_at_ns: int | None = None
        self._levels: OrderedDict[int, float | None] = OrderedDict()
        self._life = lives.begin(self._now())
        self._source: Source | LiveSource | None = None
        self._resting: Resting | None = None
        self.counts = Counts()
        self.last_error = ("", 0)

    @property
    def life(self) -> Life:
        """Where the camera stands."""
        return self._life

    @property
    def plan(self) -> Plan:
        """The camera's sampling plan."""
        return self._sampler.plan

    @property
    def keyframe_interval_s(self) -> float | None:
        """Measured seconds between keyframes; None until measured."""
        return self._interval.seconds

    def frames(self, make: Callable[[], Source]) -> Generator[frame_pb2.Frame, None, None]:
        """Make and open a source, yield its frames, close it; how it went is in `life`, no source's error is raised."""
        source: Source | None = None
        try:
            self._source = source = make()
            source.open()
            self.opened()
            for picture in source.pictures():
                frame = self.took(picture)
                if frame is not None:
                    yield frame
            self.finished()
        except SourceError as error:
            self.failed(error)
        finally:
            if source is not None:
                source.close()
            self.lost()

    def close(self) -> None:
        """End the source that `frames` reads, if it reads one; it ends with its next picture."""
        if self._source is not None and not isinstance(self._source, LiveSource):
            self._source.close()

    def asks(self, source: LiveSource) -> None:
        """Pictures are asked of `source` from now on."""
        self._source = source
        self._resting = source if isinstance(source, Resting) else None  # once: asking a protocol is slow

    def queued(self) -> None:
        """The source is not asked before others have had their turns."""
        self._turn(lives.queued)

    def admitted(self) -> None:
        """The source may be asked from now on."""
        self._turn(lives.admitted)

    def opened(self) -> None:
        """The source has answered."""
        self._turn(lives.opened)

    def failed(self, error: SourceError) -> None:
        """The source cannot be had, or broke off."""
        kinds = {SourceRefused: State.REFUSED, SourceSilent: State.STALLED}
        state = next((state for kind, state in kinds.items() if isinstance(error, kind)), State.GONE)
        self._fail(state, str(error))

    def finished(self) -> None:
        """The source has ended by itself; raises `SourceError` where that is not how it should end."""
        ends = self._source is not None and self._source.ends
        if ends and self.counts.framed:
            self.end("the source has come to its end")
        elif ends:
            text = f"{self.counts.came} pictures found and no keyframe among them, one expected; give another file"
            raise SourceRefused(text)
        else:
            text = "the source ended its stream"
            raise SourceAway(text)

    @property
    def transport(self) -> str:
        """What receives the camera: rtsp, http-snapshot, …; empty until it is known."""
        return self._source.transport if self._source else ""

    def lost(self) -> None:
        """A frame was dropped on its way, or the source broke off: what follows comes after a gap."""
        with self._lock:
            self._gap = True
            self._sampler = self._sampler.after_loss()

    def wanting(self, gap_s: float) -> None:
        """Detect wants `gap_s` seconds between pictures of this camera; 0 leaves it to the plan."""
        with self._lock:
            self._sampler = self._sampler.wanting(gap_s)

    def learnt(self, seq: int, *, is_changed: bool) -> None:
        """Detect has compared the picture of frame `seq` with the one before."""
        with self._lock:
            if seq in self._levels:
                self._sampler = self._sampler.judged(self._levels.pop(seq), is_changed=is_changed)

    def judged(self, refused_because: str) -> bool:
        """Detect refused a picture for this reason, or took it (empty); tell whether the life's reason changed.

        The state does not change by it, so `turned` is not told.
        """
        with self._lock:
            self._refusals = self._refusals.after(refused_because)
            before, self._life = self._life, self._judged(self._life)
            return before.reason != self._life.reason

    def _judged(self, life: Life) -> Life:
        """Return `life` with detect's word: what lasts, or, once nothing more comes, what it said last."""
        why = self._refusals.lasting or (self._refusals.reason if life.over else "")
        return lives.judged(life, scrub(why))

    def look(self, patience_s: float) -> None:
        """Notice silence: call now and then."""
        self._turn(lambda life, now: lives.waited(life, now, patience_s, self._hint, self._rest()))

    def _hint(self) -> str:
        return self._source.hint() if isinstance(self._source, Hinting) else ""

    def _rest(self) -> str:
        return self._resting.rest if self._resting is not None else ""

    def end(self, reason: str) -> None:
        """End the camera's life."""
        self._turn(lambda life, now: self._judged(lives.ended(life, now, reason)))

    def fault(self, reason: str) -> None:
        """A fault of our own ended the source, for this reason."""
        self._fail(State.GONE, reason)

    def took(self, picture: Picture) -> frame_pb2.Frame | None:
        """A picture has come; return the frame that is to go on, if it is."""
        at_ns, is_receipt = stamp(picture, self._came_at_ns)
        self._came_at_ns = at_ns
        stands_alone = picture.codec in STANDS_ALONE
        with self._lock:
            if picture.lost_before:
                self.counts.lost += 1
                self.lost()
            choice, self._sampler = self._sampler.choose(
                at_ns,
                is_key=picture.is_key,
                stands_alone=stands_alone,
                leads=picture.leads,
                between_bytes=picture.before_bytes,
            )
            self._interval = self._interval.after(at_ns) if picture.is_key else self._interval
            self._count(picture, is_spared=choice is Choice.SPARE)
            self._turn(lives.pictured)
            if choice in (Choice.SKIP, Choice.SPARE):
                return None
            gap, self._gap = self._gap, False
            seq = self.counts.framed
            self.counts.framed = seq + 1
            if choice is Choice.EXAMINE and picture.before_bytes is not None:
                self._levels[seq] = self._sampler.examined_level
                while len(self._levels) > MOST_UNJUDGED:
                    self._levels.popitem(last=False)
        return frame_pb2.Frame(
            camera_id=self.camera_id,
            epoch=self.epoch,
            seq=seq,
            at_ns=at_ns,
            at_is_receipt=is_receipt,
            codec=picture.codec,
            data=picture.data,
            extradata=picture.extradata,
            is_key=picture.is_key,
            after_gap=gap,
            same_as_before=picture.same_as_before,
            examine=choice is Choice.EXAMINE,
            rotation_deg=picture.rotation_deg,
        )

    def _fail(self, state: State, reason: str) -> None:
        reason = scrub(reason)  # the last place before it is written: valid text, whatever a source said
        self.last_error = (reason, self._clock.now_ns())
        self._turn(lambda life, now: lives.failed(life, now, state, reason=reason))

    def _count(self, picture: Picture, *, is_spared: bool) -> None:
        self.counts.came += 1
        self.counts.spared += is_spared
        self.counts.video_bytes += len(picture.data) + (picture.before_bytes or 0)

    def _turn(self, step: Callable[[Life, Moment], Life]) -> None:
        with self._lock:
            before, self._life = self._life, step(self._life, self._now())
            after = self._life
            if (before.state, before.reason) != (after.state, after.reason):
                self._turned(after)

    def _now(self) -> Moment:
        return Moment(self._clock.now_ns(), self._clock.monotonic_s())
