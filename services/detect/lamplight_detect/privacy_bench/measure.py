"""Running the gate over a labelled folder in each condition, and saying what came of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lamplight_detect.bench import machine
from lamplight_detect.bootstrap import local
from lamplight_detect.change import small_luma
from lamplight_detect.decode import Unreadable, decode_still
from lamplight_detect.gate import GateClosed, View
from lamplight_detect.privacy_bench.conditions import CONDITIONS, HALF
from lamplight_detect.privacy_bench.labels import Labelled, labelled
from lamplight_detect.privacy_bench.outside.looking import Looking, outsiders
from lamplight_detect.privacy_bench.tally import HEIGHTS_PX, Tally, mean, wilson
from lamplight_detect.redact import Redactor

LEAST_FROM_40, LEAST_FROM_16 = 0.995, 0.97
MOST_OVER_MASKED, MOST_ON_STREETS, MOST_REFUSED = 0.20, 0.10, 0.02
NO_LIMIT_PX = 1 << 20


def run(
    folder: Path,
    models: Path | None = None,
    conditions: Sequence[str] = tuple(CONDITIONS),
    *,
    outside: bool = False,
    crops: Path | None = None,
) -> dict[str, object]:
    """Return the bench as `lamplight bench` prints it; `folder` holds pictures and labels.jsonl (docs/privacy.md).

    Pictures are taken as single ones: no motion and no hold help. Each person of 16 px or more who is not masked is
    named on stderr. With `outside`, detectors of other families look at what has left; whatever they find that is not
    explained is named there too, and kept in the folder `crops` as a part of the redacted picture where one is given.
    """
    entries = labelled(folder)
    redactor = local(models=models).redactor
    measures: list[dict[str, object]] = []
    with outsiders(models) if outside else nullcontext(()) as detectors:
        for name in conditions:
            tally = measured(redactor, entries, name, Looking(redactor, detectors, crops, name))
            for miss in tally.missed:
                sys.stderr.write(f"{name}: not masked: {miss}\n")
            for find in tally.found_outside:
                sys.stderr.write(f"{name}: found outside: {find}\n")
            measures.extend(told(name, tally, is_outside=outside))
    return {"bench": "privacy", "machine": machine(), "measures": measures}


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


def told(condition: str, tally: Tally, *, is_outside: bool = False) -> list[dict[str, object]]:
    """Return the measures of one condition; heights of which there is nobody have none."""
    spans: list[tuple[str, tuple[int, int], float | None]] = [
        ("from 16 px", tally.of(16), LEAST_FROM_16),
        ("from 40 px", tally.of(40), LEAST_FROM_40),
    ]
    for low, high in HEIGHTS_PX:
        spans.append((f"{low} to {high} px" if high < NO_LIMIT_PX else f"above {low} px", tally.of(low, high), None))
    rows = [_share(f"{condition}: {name}", counted, limit) for name, counted, limit in spans if counted[1]]
    kinds = (
        ("photographs", tally.over_masked, MOST_OVER_MASKED),
        ("streets", tally.over_masked_streets, MOST_ON_STREETS),
    )
    for name, shares, limit in kinds:
        if shares:
            unit = f"of {len(shares)} pictures"
            rows.append(_measure(f"{condition}: over-masked {name}", mean(shares), unit, limit, "at most"))
    pictures = len(tally.over_masked) + len(tally.over_masked_streets) + tally.refused
    refused = tally.refused / pictures
    rows.append(_measure(f"{condition}: refused", refused, f"of {pictures} pictures", MOST_REFUSED, "at most"))
    if is_outside:
        unit = f"finds not explained ({tally.explained_outside} are of masks, or of people counted above)"
        rows.append(_measure(f"{condition}: found outside", len(tally.found_outside), unit, 0, "at most"))
    return rows


def _share(name: str, counted: tuple[int, int], limit: float | None) -> dict[str, object]:
    hits, count = counted
    low, high = wilson(hits, count)
    unit = f"masked, {hits} of {count} people, 95 %: {low:.3f} to {high:.3f}"
    return _measure(name, hits / count, unit, limit, "at least")


def _measure(name: str, value: float, unit: str, limit: float | None, limit_is: str) -> dict[str, object]:
    return {
        "name": name,
        "value": round(value, 4),
        "unit": unit,
        "limit": limit,
        "limit_is": None if limit is None else limit_is,
        "ratio": None,
    }
