"""What counts as masked, by height, and how sure a share of so few is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lamplight_detect.detections import Boxes, clip
from lamplight_detect.gate.masks import painted
from lamplight_detect.gate.motion import Mask
from lamplight_detect.gate.plates import bands_of
from lamplight_detect.gate.policy import Policy
from lamplight_detect.privacy_bench.labels import Labelled

WHOLE_SHARE = 0.9
HEIGHTS_PX = ((16, 24), (24, 40), (40, 80), (80, 1 << 30))
Z_95 = 1.959964


@dataclass
class Tally:
    """One condition's count: (height in pixels as given to the gate, masked) a person, and the pictures' areas.

    `beside_vehicles` is what is over-masked of streets with vehicles set aside: one that moves is masked whole.
    """

    people: list[tuple[float, bool]] = field(default_factory=list)
    over_masked: list[float] = field(default_factory=list)
    over_masked_streets: list[float] = field(default_factory=list)
    beside_vehicles: list[float] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    refused: int = 0
    found_outside: list[str] = field(default_factory=list)
    explained_outside: int = 0

    def add(self, labels: Labelled, mask: Mask, policy: Policy) -> None:
        """Count a released picture by its mask [H, W]."""
        for box in labels.people:
            is_masked = masked(mask, box)
            self.people.append((float(box[3] - box[1]), is_masked))
            if not is_masked and box[3] - box[1] >= HEIGHTS_PX[0][0]:
                self.missed.append(f"{labels.name} {[round(float(side)) for side in box]}")
        allowed = painted(
            (mask.shape[0], mask.shape[1]),
            np.concatenate([labels.people, labels.crowds, bands_of(labels.vehicles, policy)]),
        )
        over = mask & ~allowed
        shares = self.over_masked_streets if labels.is_street else self.over_masked
        shares.append(float(over.mean()))
        if labels.is_street:
            self.beside_vehicles.append(float((over & ~painted(over.shape[:2], labels.vehicles)).mean()))

    def of(self, low_px: float, high_px: float = math.inf) -> tuple[int, int]:
        """Return how many of such a height are masked, and how many there are."""
        found = [is_masked for height, is_masked in self.people if low_px <= height < high_px]
        return sum(found), len(found)


def masked(mask: Mask, box_xyxy: Boxes) -> bool:
    """Say whether all of the top third and 90 % of the whole of the box [4] is under `mask`."""
    height, width = mask.shape
    left, top, right, bottom = np.rint(clip(box_xyxy[None], (height, width))[0]).astype(int)
    part = mask[top : max(bottom, top + 1), left : max(right, left + 1)]
    return bool(part.size and part[: -(-len(part) // 3)].all() and part.mean() >= WHOLE_SHARE)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (E. B. Wilson, 1927, doi:10.1080/01621459.1927.10502953); 0 to 1 of none."""
    if count == 0:
        return 0.0, 1.0
    share, square = hits / count, Z_95**2 / count
    middle = (share + square / 2) / (1 + square)
    reach = Z_95 / (1 + square) * math.sqrt(share * (1 - share) / count + square / (4 * count))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def mean(values: Sequence[float]) -> float:
    """Return the mean, 0 of none."""
    return sum(values) / len(values) if values else 0.0
