"""Labelled pictures of a video as parts of it: the whole of it goes through the gate as `lamplight redact` does it."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from lamplight_detect.decode import Unreadable
from lamplight_detect.gate import GateClosed, RedactedPicture
from lamplight_detect.privacy_bench.labels import Labelled
from lamplight_detect.privacy_bench.outside.looking import Looking
from lamplight_detect.privacy_bench.rows import Limits, measure, told
from lamplight_detect.privacy_bench.tally import Tally
from lamplight_detect.redact import Progress, Redactor, Shown, Video

VIDEO = "video"
LEAST_FROM_16, MOST_ON_STREETS, MOST_REFUSED = 0.995, 0.05, 0.02
LIMITS = Limits(from_16_px=LEAST_FROM_16, streets=MOST_ON_STREETS, refused=MOST_REFUSED)
"""Of pictures that a valid background vouched for; without one they are held to none."""
TOLD_EVERY = 20


@dataclass
class VideoTally:
    """The count of labelled pictures with a valid background, and without; and `vouched_pictures` of all there are.

    One of `every` pictures was gone through.
    """

    every: int = 1
    vouched: Tally = field(default_factory=Tally)
    alone: Tally = field(default_factory=Tally)
    videos: int = 0
    pictures: int = 0
    vouched_pictures: int = 0

    @property
    def names(self) -> tuple[str, str]:
        """What the pictures with a valid background are called in what is told, and those without."""
        name = VIDEO if self.every == 1 else f"{VIDEO}, 1 of {self.every} pictures"
        return name, f"{name}, without a valid background"

    def rows(self, *, is_outside: bool) -> list[dict[str, object]]:
        """Return the measures; there are none of a kind of pictures of which there is none."""
        rows: list[dict[str, object]] = []
        vouched, alone = self.names
        for name, tally, limits in ((vouched, self.vouched, LIMITS), (alone, self.alone, Limits())):
            if tally.over_masked or tally.over_masked_streets or tally.refused:
                rows.extend(told(name, tally, limits, is_outside=is_outside))
        if self.pictures:
            unit = f"of {self.pictures} pictures, videos: {self.videos}"
            rows.append(
                measure(f"{vouched}: share with a valid background", self.vouched_pictures / self.pictures, unit)
            )
        return rows


def by_video(entries: Sequence[Labelled]) -> Mapping[Path, Mapping[int, Labelled]]:
    """Return the labelled pictures of each video, by number; single pictures are left out."""
    found: dict[Path, dict[int, Labelled]] = {}
    for entry in entries:
        if entry.number is not None:
            found.setdefault(entry.path, {})[entry.number] = entry
    return found


@dataclass
class Thinned:
    """One of `every` pictures of a video, and those of the numbers `kept`, as a slower camera gives them."""

    video: Video
    every: int
    kept: Collection[int]

    def __post_init__(self) -> None:
        """Say of itself what the video says."""
        self.rate: Fraction = self.video.rate
        self.damaged: int = self.video.damaged
        self.expected: int = -(-self.video.expected // self.every)

    def numbered(self) -> Iterator[tuple[int, Shown]]:
        """Yield the pictures with their numbers in the whole video."""
        for number, shown in enumerate(self.video.pictures()):
            if number % self.every == 0 or number in self.kept:
                yield number, shown

    def pictures(self) -> Iterator[Shown]:
        """Yield the pictures."""
        for _, shown in self.numbered():
            yield shown


def measured(redactor: Redactor, entries: Sequence[Labelled], looking: Looking, every: int = 1) -> VideoTally:
    """Return the count of all labelled pictures of videos, each as its whole video makes it.

    Of a long video one of `every` pictures may do, and the labelled ones: it is then measured as a slower camera's.

    Where the gate refuses any picture of a video, or a labelled one is not there, all of its labelled pictures are
    counted as refused, since nothing of it would leave.
    """
    tally = VideoTally(every=every)
    for path, labels in by_video(entries).items():
        try:
            _add(redactor, path, labels, tally, looking)
        except (Unreadable, GateClosed) as error:
            sys.stderr.write(f"{VIDEO}: refused: {path.name}: {error}\n")
            tally.vouched.refused += len(labels)
    return tally


def _add(redactor: Redactor, path: Path, labels: Mapping[int, Labelled], tally: VideoTally, looking: Looking) -> None:
    searched = redactor.searched(Thinned(redactor.open_video(path), tally.every, labels), _progress(path.name))
    again = Thinned(redactor.open_video(path), tally.every, labels).numbered()
    shown: dict[int, tuple[RedactedPicture, Tally]] = {}
    for (number, one), aside, is_vouched in zip(again, searched.asides, searched.vouched, strict=True):
        if number in labels:
            kind = tally.vouched if is_vouched else tally.alone
            shown[number] = redactor.gate.show(aside, one.bgr, searched.backdrop), kind
    absent = sorted(labels.keys() - shown.keys())
    if absent:
        message = f"no pictures {absent} in {path.name} found, all labelled ones expected; correct the labels"
        raise Unreadable(message)
    for number, (picture, kind) in shown.items():
        kind.add(labels[number], picture.mask, redactor.gate.policy)
        looking.look(picture, labels[number], kind)
    tally.videos += 1
    tally.pictures += len(searched.vouched)
    tally.vouched_pictures += sum(searched.vouched)


def _progress(name: str) -> Progress:
    def tell(done: int, expected: int) -> None:
        if done % TOLD_EVERY == 0:
            sys.stderr.write(f"{VIDEO}: {name}: {done} of {expected or 'unknown'} pictures searched\n")

    return tell
