"""Labelled pictures of a video as parts of it: the whole of it goes through the gate as `lamplight redact` does it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lamplight_detect.decode import Unreadable
from lamplight_detect.gate import GateClosed, RedactedPicture
from lamplight_detect.privacy_bench.labels import Labelled
from lamplight_detect.privacy_bench.outside.looking import Looking
from lamplight_detect.privacy_bench.rows import Limits, measure, told
from lamplight_detect.privacy_bench.tally import Tally
from lamplight_detect.redact import Progress, Redactor

VIDEO = "video"
ALONE = "video without a valid background"
LEAST_FROM_16, MOST_ON_STREETS, MOST_REFUSED = 0.995, 0.05, 0.02
LIMITS = Limits(from_16_px=LEAST_FROM_16, streets=MOST_ON_STREETS, refused=MOST_REFUSED)
"""Of pictures that a valid background vouched for; without one they are held to none."""
TOLD_EVERY = 50


@dataclass
class VideoTally:
    """The count of labelled pictures with a valid background, and without; and `vouched_pictures` of all there are."""

    vouched: Tally = field(default_factory=Tally)
    alone: Tally = field(default_factory=Tally)
    videos: int = 0
    pictures: int = 0
    vouched_pictures: int = 0

    def rows(self, *, is_outside: bool) -> list[dict[str, object]]:
        """Return the measures; there are none of a kind of pictures of which there is none."""
        rows: list[dict[str, object]] = []
        for name, tally, limits in ((VIDEO, self.vouched, LIMITS), (ALONE, self.alone, Limits())):
            if tally.over_masked or tally.over_masked_streets or tally.refused:
                rows.extend(told(name, tally, limits, is_outside=is_outside))
        if self.pictures:
            unit = f"of {self.pictures} pictures, videos: {self.videos}"
            rows.append(measure(f"{VIDEO}: share with a valid background", self.vouched_pictures / self.pictures, unit))
        return rows


def by_video(entries: Sequence[Labelled]) -> Mapping[Path, Mapping[int, Labelled]]:
    """Return the labelled pictures of each video, by number; single pictures are left out."""
    found: dict[Path, dict[int, Labelled]] = {}
    for entry in entries:
        if entry.number is not None:
            found.setdefault(entry.path, {})[entry.number] = entry
    return found


def measured(redactor: Redactor, entries: Sequence[Labelled], looking: Looking) -> VideoTally:
    """Return the count of all labelled pictures of videos, each as its whole video makes it.

    Where the gate refuses any picture of a video, or a labelled one is not there, all of its labelled pictures are
    counted as refused, since nothing of it would leave.
    """
    tally = VideoTally()
    for path, labels in by_video(entries).items():
        try:
            _add(redactor, path, labels, tally, looking)
        except (Unreadable, GateClosed) as error:
            sys.stderr.write(f"{VIDEO}: refused: {path.name}: {error}\n")
            tally.vouched.refused += len(labels)
    return tally


def _add(redactor: Redactor, path: Path, labels: Mapping[int, Labelled], tally: VideoTally, looking: Looking) -> None:
    searched = redactor.searched(redactor.open_video(path), _progress(path.name))
    shown: dict[int, RedactedPicture] = {}
    for number, (aside, one) in enumerate(zip(searched.asides, redactor.open_video(path).pictures(), strict=True)):
        if number in labels:
            shown[number] = redactor.gate.show(aside, one.bgr, searched.backdrop)
    absent = sorted(labels.keys() - shown.keys())
    if absent:
        message = f"pictures {absent} of {len(searched.asides)} found, all labelled ones expected; correct the labels"
        raise Unreadable(message)
    for number, picture in shown.items():
        kind = tally.vouched if searched.vouched[number] else tally.alone
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
