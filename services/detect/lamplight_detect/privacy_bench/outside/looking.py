"""Letting outside detectors look at each picture that has left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamplight_detect.detections import grown
from lamplight_detect.gate import RedactedPicture, Source, cut
from lamplight_detect.privacy_bench.labels import Labelled
from lamplight_detect.privacy_bench.outside import blazeface, centernet
from lamplight_detect.privacy_bench.outside.find import Find, Outside, explained
from lamplight_detect.privacy_bench.tally import Tally
from lamplight_detect.redact import Redactor
from lamplight_detect.settings import default_models

CROP_MARGIN = 0.5
CROP_SIDE_PX = 320
_NO_BOXES = np.zeros((0, 4), np.float32)
_NOWHERE = Source("", 0)


@contextmanager
def outsiders(models: Path | None) -> Iterator[Sequence[Outside]]:
    """Yield the outside detectors, made ready beside the models where need be; Stop where one cannot be had."""
    beside = (models or default_models()).parent / "bench" / blazeface.NAME
    with ExitStack() as stack:
        found: list[Outside] = [centernet.CenterNet(centernet.made_ready(models))]
        faces = blazeface.BlazeFace(blazeface.made_ready(beside))
        stack.callback(faces.close)
        yield [*found, faces]


@dataclass(frozen=True)
class Looking:
    """Shows what has left to `detectors`; what they find is kept in the folder `crops`, if any."""

    redactor: Redactor
    detectors: Sequence[Outside]
    crops: Path | None
    condition: str

    def look(self, picture: RedactedPicture, labels: Labelled, tally: Tally) -> None:
        """Add to `tally` who is found in `picture` as it leaves."""
        if not self.detectors:
            return
        jpeg = self.redactor.sealer.sealed(picture, _NOWHERE)
        found = explained([find for one in self.detectors for find in one.finds(jpeg)], picture, labels)
        tally.explained_outside += found.of_masks + found.of_counted
        for find in found.others:
            sides = [round(side) for side in find.box_xyxy]
            tally.found_outside.append(f"{find.by} {find.score:.2f} at {sides} in {labels.name}")
            self._keep(
                picture, find, f"{self.condition} {len(tally.found_outside):03} {labels.path.stem} {find.by}.jpg"
            )

    def _keep(self, picture: RedactedPicture, find: Find, name: str) -> None:
        if self.crops is not None:
            box = grown(np.array([find.box_xyxy], np.float32), CROP_MARGIN)
            part = cut(picture, box, _NO_BOXES, CROP_SIDE_PX)
            self.crops.mkdir(parents=True, exist_ok=True)
            (self.crops / name.replace(" ", "-")).write_bytes(self.redactor.sealer.sealed(part, _NOWHERE))
