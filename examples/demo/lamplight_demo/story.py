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
SORTS = {
    "standing-in-box": "still",
    "traffic-builds-up": "count",
    "no-scene": "fault",
    "road-floods": "situation",
}
"""What each rule of `watch/rules.yaml` shows an alert of."""
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
    """Alerts told so far, by camera and phase, and the rules that they came of."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    rule_ids: set[str] = field(default_factory=set)

    def tell(self, line: Mapping[str, Any]) -> str:
        """Count one line of `lamplight alerts tail --json`; return it for people."""
        camera_id, phase = str(line["camera_id"]), str(line["phase"])
        self.counts[camera_id, phase] += 1
        self.rule_ids.add(str(line.get("rule_id", "")))
        time = str(line["at"])[11:19]
        why = f" ({line['reason']})" if phase == "updated" and line.get("reason") else ""
        return f"  {time} {phase:9} {line['severity']:8} {camera_id:{_WIDTH}} {line['summary']}{why}"

    def summary(self) -> Sequence[str]:
        """Return how many alerts each camera opened and resolved, and which sorts never came."""
        return ["demo: alerts per camera", *(self._of(camera_id) for camera_id in CAMERAS), *self._missing()]

    def _missing(self) -> Sequence[str]:
        missing = [sort for rule_id, sort in SORTS.items() if rule_id not in self.rule_ids]
        if not missing:
            return []
        sorts = ", ".join(missing)
        return [f"demo: no alert of sort {sorts} came; on a slow machine let it run longer (FOR=180)"]

    def _of(self, camera_id: str) -> str:
        opened, resolved = (self.counts[camera_id, phase] for phase in ("opened", "resolved"))
        return f"  {camera_id:{_WIDTH}} opened {opened}, resolved {resolved}"
