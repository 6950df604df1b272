"""What a source is, told from its first pictures, and what may be asked of it; pure."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from lamplight_ingest.model import NS_PER_S, STANDS_ALONE, Picture
from lamplight_ingest.picture_size import frame_hw
from lamplight_ingest.plan import ALL_MIN_GAP_S, KEYFRAMES_MIN_GAP_S
from lamplight_ingest.timing import stamp

ENOUGH_KEYS = 4
LEAST_S = 4.0
DWELL_GAPS = 2
"""Pictures of a thing that it takes to tell that it stands still: one more than its first, and one to be sure."""
_NEARLY = 0.05
COUNTING_GAP_S = 0.5
"""A vehicle crosses a line between two pictures that are further apart, unseen."""


@dataclass(frozen=True)
class Report:
    """What was found; None where it could not be told. Rates, sizes and intervals are measured, not promised."""

    transport: str
    codec: str | None = None
    frame_hw: tuple[int, int] | None = None
    pictures: int = 0
    seconds: float = 0.0
    rate_hz: float | None = None
    keyframe_interval_s: float | None = None
    bitrate_kbps: float | None = None
    time: str | None = None
    notes: Sequence[str] = ()
    error: str | None = None


@dataclass
class Observed:
    """Takes pictures of one source, and reports; `is_enough` once waiting longer tells little more."""

    pictures: list[Picture] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def take(self, picture: Picture) -> None:
        """Take the next picture; its bytes are forgotten but for the first key one's."""
        self.sizes.append(len(picture.data))
        keep = picture if not any(each.is_key for each in self.pictures) else _light(picture)
        self.pictures.append(keep)

    @property
    def seconds(self) -> float:
        """From the first picture to the last, by their own time."""
        at_s = self._at_s()
        return at_s[-1] - at_s[0] if at_s else 0.0

    @property
    def is_enough(self) -> bool:
        """Whether some keyframes and some seconds have come."""
        fresh = [each for each in self.pictures if each.is_key and not each.same_as_before]
        return len(fresh) >= ENOUGH_KEYS and self.seconds >= LEAST_S

    def report(self, transport: str, error: str | None = None) -> Report:
        """Return what the pictures tell."""
        if not self.pictures:
            return Report(transport, error=error or "no picture came; is it switched on, and may it be watched?")
        first_key = next((each for each in self.pictures if each.is_key), self.pictures[0])
        keys_s = self._at_s(keys=True)
        return Report(
            transport=transport,
            codec=first_key.codec,
            frame_hw=frame_hw(first_key.codec, first_key.data),
            pictures=len(self.pictures),
            seconds=round(self.seconds, 2),
            rate_hz=self._rate_hz(),
            keyframe_interval_s=_typical_s(keys_s),
            bitrate_kbps=self._bitrate_kbps(),
            time=self._time(),
            notes=tuple(self._notes(keys_s)),
            error=error,
        )

    def _at_s(self, *, keys: bool = False) -> list[float]:
        """Return when fresh pictures were taken, in order, seconds."""
        fresh = [each for each in self.pictures if not each.same_as_before and (each.is_key or not keys)]
        return sorted(stamp(each)[0] / NS_PER_S for each in fresh)

    def _rate_hz(self) -> float | None:
        """Return the mean rate: pictures are received in bunches, so that the step between two tells little."""
        at_s = self._at_s()
        return round((len(at_s) - 1) / (at_s[-1] - at_s[0]), 3) if at_s and at_s[-1] > at_s[0] else None

    def _bitrate_kbps(self) -> float | None:
        is_stream = self.pictures[0].codec not in STANDS_ALONE
        if self.seconds <= 0 or (not is_stream and self._rate_hz() is None):
            return None
        return round(sum(self.sizes[:-1]) * 8 / self.seconds / 1000, 1)

    def _time(self) -> str:
        own = [not stamp(each)[1] for each in self.pictures if not each.same_as_before]
        return "source" if all(own) else "receipt" if not any(own) else "mixed"

    def _notes(self, keys_s: Sequence[float]) -> Sequence[str]:
        notes = []
        if not any(each.is_key for each in self.pictures):
            notes.append("no keyframe came: shorten the camera's keyframe interval (GOP), or watch longer by --for")
        elif len(keys_s) < 2:
            notes.append("one keyframe came: its interval is longer than was watched; watch longer by --for")
        lost = sum(each.lost_before for each in self.pictures)
        if lost:
            notes.append(f"pictures were lost {lost} times on the way")
        far_s = [abs(each.source_at_ns - each.received_ns) / NS_PER_S for each in self.pictures if each.source_at_ns]
        if far_s and min(far_s) > 5:
            notes.append(f"the source's own time is {min(far_s):.0f} s from ours, so that the receipt counts")
        return notes


@dataclass(frozen=True)
class Allowed:
    """What one sampling of a source serves: `every_s` between examined pictures, `dwell_s` the least `still_s`."""

    pictures: str
    every_s: float
    dwell_s: float
    counts_lines: bool

    @property
    def words(self) -> str:
        """The same in words."""
        lines = "line counts can be told" if self.counts_lines else "line counts cannot be told"
        dwell = f"dwell rules (still_s) below {self.dwell_s:g} s cannot be told"
        return f"pictures: {self.pictures}: examined every {self.every_s:g} s; {dwell}; {lines}"


def allowed(report: Report) -> Sequence[Allowed]:
    """Return what each sampling would serve, as far as was measured."""
    found = []
    if report.keyframe_interval_s is not None:
        found.append(_allowed("keyframes", KEYFRAMES_MIN_GAP_S, report.keyframe_interval_s))
    if report.rate_hz is not None:
        found.append(_allowed("all", ALL_MIN_GAP_S, 1 / report.rate_hz))
    return found


def _allowed(pictures: str, min_gap_s: float, step_s: float) -> Allowed:
    """The next picture that is at least `min_gap_s` after the last is examined, and one comes every `step_s`."""
    every_s = round(step_s * max(1, math.ceil(min_gap_s / step_s - _NEARLY)), 2)
    return Allowed(pictures, every_s, round(DWELL_GAPS * every_s, 2), every_s <= COUNTING_GAP_S)


def _typical_s(at_s: Sequence[float]) -> float | None:
    steps = [later - earlier for earlier, later in itertools.pairwise(at_s) if later > earlier]
    return round(statistics.median(steps), 4) if steps else None


def _light(picture: Picture) -> Picture:
    return Picture(
        picture.codec,
        b"",
        is_key=picture.is_key,
        received_ns=picture.received_ns,
        source_at_ns=picture.source_at_ns,
        same_as_before=picture.same_as_before,
        lost_before=picture.lost_before,
    )
