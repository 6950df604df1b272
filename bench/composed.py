"""Compose clips in which people come into real places whose ground has become valid, and label everybody exactly.

`.venv/bin/python bench/composed.py MEDIA OUT` writes them and their `labels.jsonl` into the folder OUT, for
`lamplight bench privacy OUT --condition video`. MEDIA is the folder of footage.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from composing.clips import CLIPS, lines, write
from composing.cutouts import people
from composing.places import PLACES

SPANS_PX = ((16, 24), (24, 40), (40, 80), (80, 1 << 30))


def main() -> int:
    """Write the clips and say how many people are labelled, by height and by what they do."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("media", type=Path, help="the folder of footage")
    parser.add_argument("out", type=Path, help="the folder to write into")
    parser.add_argument("--clip", action="append", choices=[clip.name for clip in CLIPS], help="this one alone")
    parser.add_argument("--grey", action="store_true", help="everybody in clothes of the ground's grey")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    everybody = people(given.media)
    labels: list[dict[str, Any]] = []
    for clip in CLIPS:
        if given.clip is None or clip.name in given.clip:
            labels += write(clip, PLACES[clip.place](given.media), everybody, given.out, is_grey=given.grey)
    (given.out / "labels.jsonl").write_text(lines(labels), encoding="utf-8")
    print(f"{len(everybody)} people cut out; {len(labels)} labelled pictures")
    for row in counted(labels):
        print(row)
    return 0


def counted(labels: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each span of heights: how many are labelled there, by what they do."""
    boxes = [box for entry in labels for box in entry["bboxes"] if box["category"] == "person" and "iscrowd" not in box]
    for low, high in SPANS_PX:
        here = [box for box in boxes if low <= box["bbox"][3] < high]
        doing = Counter(str(box["doing"]) for box in here)
        name = f"{low} to {high} px" if high < SPANS_PX[-1][1] else f"above {low} px"
        told = ", ".join(f"{count} {what}" for what, count in sorted(doing.items()))
        yield f"{name}: {len(here)} people: {told}"


if __name__ == "__main__":
    sys.exit(main())
