"""What detect needs of a camera's configuration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from lamplight.camera.v1 import camera_pb2

from lamplight_detect.zones import Zone

MIN_GAP_S, MIN_GAP_ALL_S, MAX_GAP_S = 2.0, 0.2, 30.0
RETENTION_DAYS = 7
EVIDENCE_EVERY_S = 60.0


@dataclass(frozen=True)
class Watched:
    """A camera as detect sees it; gaps in seconds, what the camera leaves open filled with the defaults."""

    camera_id: str
    zones: tuple[Zone, ...] = ()
    all_pictures: bool = False
    min_gap_s: float = MIN_GAP_S
    max_gap_s: float = MAX_GAP_S
    retention_days: int = RETENTION_DAYS
    evidence_every_s: float = EVIDENCE_EVERY_S

    @classmethod
    def of(cls, camera: camera_pb2.Camera) -> Watched:
        """Read it off a Camera."""
        sampling = camera.sampling
        all_pictures = sampling.pictures == camera_pb2.Sampling.PICTURES_ALL
        return cls(
            camera.id,
            tuple(_zone(zone) for zone in camera.zones),
            all_pictures,
            sampling.min_gap_s or (MIN_GAP_ALL_S if all_pictures else MIN_GAP_S),
            sampling.max_gap_s or MAX_GAP_S,
            camera.retention_days or RETENTION_DAYS,
            camera.evidence_every_s or EVIDENCE_EVERY_S,
        )


def _zone(zone: camera_pb2.Zone) -> Zone:
    return Zone(zone.id, np.array([[point.x, point.y] for point in zone.polygon], np.float64).reshape(-1, 2))
