"""Running the gate over a labelled folder in each condition, and saying what came of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

import numpy as np
from lamplight_kit.errors import BadInput, Problem
from numpy.typing import NDArray

from lamplight_detect.bench import machine
from lamplight_detect.bootstrap import local
from lamplight_detect.change import small_luma
from lamplight_detect.decode import Unreadable, decode_still
from lamplight_detect.gate import GateClosed, View
from lamplight_detect.privacy_bench import videos
from lamplight_detect.privacy_bench.conditions import CONDITIONS, HALF
from lamplight_detect.privacy_bench.labels import NAME, Labelled, labelled
from lamplight_detect.privacy_bench.outside.looking import Looking, outsiders
from lamplight_detect.privacy_bench.rows import Limits, told
from lamplight_detect.privacy_bench.tally import Tally
from lamplight_detect.redact import Redactor

LIMITS = Limits(from_16_px=0.97, from_40_px=0.995, photographs=0.20, streets=0.10, refused=0.02)
ALL = (*CONDITIONS, videos.VIDEO)


def run(
    folder: Path,
    models: Path | None = None,
    conditions: Sequence[str] = ALL,
    *,
    every: int = 1,
    outside: bool = False,
    crops: Path | None = None,
) -> dict[str, object]:
    """Return the bench as `lamplight bench` prints it; `folder` holds pictures and labels.jsonl (docs/privacy.md).

    In all conditions but `video` pictures are taken as single ones: no motion and no hold help. In `video` those of a
    video are taken as what `lamplight redact` makes of the whole of it, or of one of `every` of its pictures. Each
    person of 16 px or more who is not masked is named on stderr. With `outside`, detectors of other families look at
    what has left; whatever they find that is not explained is named there too, and kept in the folder `crops` as a part
    of the redacted picture where one is given. BadInput where a condition is unknown, or nothing is labelled that it
    measures.
    """
    entries = labelled(folder)
    _check(folder, conditions, entries)
    redactor = local(models=models).redactor
    measures: list[dict[str, object]] = []
    with outsiders(models) if outside else nullcontext(()) as detectors:
        for name in conditions:
            looking = Looking(redactor, detectors, crops, name)
            if name == videos.VIDEO:
                both = videos.measured(redactor, entries, looking, every)
                for kind, tally in zip(both.names, (both.vouched, both.alone), strict=True):
                    _name(kind, tally)
                measures.extend(both.rows(is_outside=outside))
                continue
            tally = measured(redactor, entries, name, looking)
            _name(name, tally)
            measures.extend(told(name, tally, LIMITS, is_outside=outside))
    return {"bench": "privacy", "machine": machine(), "measures": measures}


def _check(folder: Path, conditions: Sequence[str], entries: Sequence[Labelled]) -> None:
    unknown = [name for name in conditions if name not in ALL]
    if unknown:
        cure = f"name one of {', '.join(ALL)}"
        raise BadInput((Problem("condition", unknown[0], "a condition that is measured", cure),))
    if set(conditions) == {videos.VIDEO} and not videos.by_video(entries):
        cure = 'label some, each with its "picture"; docs/privacy.md shows how'
        raise BadInput((Problem("", "no picture of a video", "at least one", cure, str(folder / NAME)),))


def _name(condition: str, tally: Tally) -> None:
    """Name on stderr who was missed, and who was found outside."""
    for miss in tally.missed:
        sys.stderr.write(f"{condition}: not masked: {miss}\n")
    for find in tally.found_outside:
        sys.stderr.write(f"{condition}: found outside: {find}\n")


def measured(redactor: Redactor, entries: list[Labelled], condition: str, looking: Looking) -> Tally:
    """Return the count of all pictures in one condition."""
    gate = redactor.gate
    tally = Tally()
    for entry in entries:
        try:
            bgr = CONDITIONS[condition](shown(redactor, entry))
            view = View(bgr, small_luma(bgr), 0)
            picture = gate.release_still(view, gate.look(view)).picture
        except (Unreadable, GateClosed):
            tally.refused += 1
            continue
        labels = entry.scaled(HALF) if condition == "half size" else entry
        tally.add(labels, picture.mask, gate.policy)
        looking.look(picture, labels, tally)
    return tally


def shown(redactor: Redactor, entry: Labelled) -> NDArray[np.uint8]:
    """Return the picture [H, W, 3] of an entry; raises Unreadable where there is none of its number."""
    if entry.number is None:
        return decode_still(entry.path.read_bytes())
    for picture in islice(redactor.open_video(entry.path).pictures(), entry.number, None):
        return picture.bgr
    message = f"no picture {entry.number} in {entry.path.name} found, one expected; correct the label"
    raise Unreadable(message)
