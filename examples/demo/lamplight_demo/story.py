"""What the demo says in the terminal: what is shown, each alert as it is told, and how many there were. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CAMERAS = {
    "ring-road": "real footage over RTSP: single cars on a road from above",
    "old-street": "real pictures over HTTP: Old Street at dusk; a count rises",
    "harbour-gate": "COMPOSITE over HTTP: real pictures, then another camera's card; a camera fault",
    "bus-yard": "COMPOSITE over RTSP: the lens is covered; a camera fault",
    "church-junction": "COMPOSITE, a file in real time: a car stands where it must not",
    "canal-road": "COMPOSITE over HTTP: the road floods; a situation enrolled from examples",
}
_WIDTH = 16


def opening() -> Sequence[str]:
    """Return what is said first."""
    lines = [f"  {camera_id:{_WIDTH}} {shown}" for camera_id, shown in CAMERAS.items()]
    return [
        "demo: six cameras of three kinds on this machine; composites are drawn, and say so here and on the page",
        *lines,
    ]


@dataclass
class Tally:
    """Alerts told so far, by camera and phase."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def tell(self, line: Mapping[str, Any]) -> str:
        """Count one line of `lamplight alerts tail --json`; return it for people."""
        camera_id, phase = str(line["camera_id"]), str(line["phase"])
        self.counts[camera_id, phase] += 1
        time = str(line["at"])[11:19]
        return f"  {time} {phase:9} {line['severity']:8} {camera_id:{_WIDTH}} {line['summary']}"

    def summary(self) -> Sequence[str]:
        """Return how many alerts each camera opened and resolved."""
        return ["demo: alerts per camera", *(self._of(camera_id) for camera_id in CAMERAS)]

    def _of(self, camera_id: str) -> str:
        opened, resolved = (self.counts[camera_id, phase] for phase in ("opened", "resolved"))
        return f"  {camera_id:{_WIDTH}} opened {opened}, resolved {resolved}"
