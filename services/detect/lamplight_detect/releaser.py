"""Releasing a searched picture: through the gate, into the store, and the regions that are due with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from lamplight.region.v1 import region_pb2
from lamplight_kit.errors import Retry

from lamplight_detect import places, regions, tell
from lamplight_detect.evidence import Stored, steps_of
from lamplight_detect.gate import Gate, Released, Sample, Sealer, Searched, Source
from lamplight_detect.gate.plates import vehicles
from lamplight_detect.looked import Looked, Pending
from lamplight_detect.memory import Known
from lamplight_detect.zones import zones_of

NS_PER_S = 1_000_000_000
MAX_THING_REGIONS = 8


class Store(Protocol):
    """Where sealed pictures are kept (`lamplight_kit.store.EvidenceStore`)."""

    def put(self, key: str, sealed_jpeg: bytes) -> None:
        """Keep a picture; raises `Retry` while that cannot be done."""
        ...


@dataclass(frozen=True)
class Pace:
    """How often regions are cut, seconds: scenes when changed and at the latest, things that stand."""

    scene_min_s: float = 10.0
    scene_max_s: float = 60.0
    thing_every_s: float = 60.0


@dataclass(frozen=True)
class Left:
    """What became of a picture that was to leave: what is known after it, and its regions."""

    known: Known
    regions: tuple[region_pb2.Region, ...] = ()
    released: int = 0


@dataclass(frozen=True)
class Releaser:
    """Lets pictures leave; `key_of` (retention in days, camera, at_ns, sealed JPEG) names where a picture is kept."""

    gate: Gate
    sealer: Sealer
    store: Store
    key_of: Callable[[int, str, int, bytes], str]
    pace: Pace

    def waits(self, looked: Looked, known: Known) -> bool:
        """Tell whether the next picture is to be waited for: the plan and the last gaps promise one in time."""
        reach_ns = self.gate.policy.live_gap_s * NS_PER_S
        gap_ns = looked.view.at_ns - known.at_ns if known.at_ns else 0
        is_slow = min(gap_ns, known.gap_ns) > reach_ns
        return looked.watched.min_gap_s <= self.gate.policy.live_gap_s and not is_slow

    def asked(self, looked: Looked, searched: Searched, known: Known, *, is_scene_due: bool) -> Known:
        """Return what is known once a searched picture is to leave; `known.recent` holds the masks from before it."""
        asked = Stored("", looked.view.at_ns, steps_of(known.counted), known.health)
        pending = Pending(looked, searched, known.recent, asked, is_scene_due)
        if is_scene_due:
            known = replace(known, scene_at_ns=looked.view.at_ns, scene_stale=False)
        return replace(known, pending=pending)

    def left(self, pending: Pending, known: Known, after: Sample | None = None) -> Left:
        """Let `pending` leave under its neighbours' masks, `after` being the next sample (None: none came in time).

        Raises GateClosed where the gate has closed since. While the store is away nothing leaves, and it is due again.
        """
        is_fitting = known.scene.frame_hw == pending.looked.view.frame_hw
        backdrop = known.scene.backdrop() if is_fitting else None
        released = self.gate.finish(pending.searched, pending.recent, after, backdrop)
        known = replace(known, scene=known.scene.filled(backdrop, pending.looked.view.at_ns))
        view, watched = pending.looked.view, pending.looked.watched
        sealed = self.sealer.sealed(released.picture, Source(watched.camera_id, view.at_ns))
        key = self.key_of(watched.retention_days, watched.camera_id, view.at_ns, sealed)
        try:
            self.store.put(key, sealed)
        except Retry:
            return Left(known.without_pending(), (), 1)
        stored = replace(pending.asked, key=key)
        known, cut = self._regions(pending, replace(known, pending=None, stored=stored), released)
        return Left(known, tuple(cut), 1)

    def _regions(self, pending: Pending, known: Known, released: Released) -> tuple[Known, list[region_pb2.Region]]:
        """Return the regions that are due, and the knowledge that they were cut."""
        looked = pending.looked
        at_ns, frame_hw = looked.view.at_ns, looked.view.frame_hw
        if known.stored.health:
            return known, []
        shot = self._shot(looked, known, released)
        cut: list[region_pb2.Region] = []
        if pending.is_scene_due:
            cut.append(regions.scene(shot, self.sealer))
            wanted = [zone for zone in looked.watched.zones if zone.zone_id in looked.wanted_zones]
            views = (regions.zone_view(shot, zone, number, self.sealer) for number, zone in enumerate(wanted))
            cut.extend(view for view in views if view is not None)
        old = (at_ns - known.things_at_ns) / NS_PER_S >= self.pace.thing_every_s
        unexplained = tell.unexplained_in(pending.recent.unexplained, frame_hw)
        standing = places.shown(looked.step.places, at_ns)
        shown = [place for place in standing if place.missed == 0 and not unexplained(place.box_xyxy)]
        due = [place for place in shown if old or place.place_id in looked.step.opened][:MAX_THING_REGIONS]
        boxes = np.array([place.box_xyxy for place in due], np.float32).reshape(-1, 4)
        held = zones_of(boxes, looked.watched.zones, frame_hw)
        for number, (place, zone_ids) in enumerate(zip(due, held, strict=True)):
            cut.append(regions.thing(shot, place, zone_ids, number, self.sealer))
        return (replace(known, things_at_ns=at_ns) if old and due else known), cut

    def _shot(self, looked: Looked, known: Known, released: Released) -> regions.Shot:
        found = vehicles(released.found, self.gate.things.manifest, self.gate.policy).boxes_xyxy
        solid = np.concatenate([found, tell.standing_vehicles(looked.step.places)])
        stamp = looked.picture.stamp
        source = Source(looked.watched.camera_id, looked.view.at_ns)
        return regions.Shot(released.picture, solid, source, stamp.epoch, stamp.seq, known.stored.key)
