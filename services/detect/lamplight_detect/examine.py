"""Examining one picture of a camera: changed or not, what is there, and whether a picture of it is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from lamplight.observation.v1 import observation_pb2
from lamplight.region.v1 import region_pb2
from lamplight_kit.errors import Retry

from lamplight_detect import faults, places, regions, tell
from lamplight_detect.camera import Watched
from lamplight_detect.change import is_changed, small_luma
from lamplight_detect.decode import Picture
from lamplight_detect.evidence import Stored, is_due, steps_of
from lamplight_detect.gate import Gate, GateClosed, Look, Recent, Released, Sample, Sealer, Source, View
from lamplight_detect.gate.plates import vehicles
from lamplight_detect.memory import Known
from lamplight_detect.places import Moment, Step
from lamplight_detect.things import count
from lamplight_detect.zones import zones_of

NS_PER_S = 1_000_000_000
MAX_THING_REGIONS = 8
CREDIT_GAPS = 2.0
CREDIT_SLACK_S = 10.0
TOO_DARK = "too dark to search"
TOO_LONG_BLIND = "no picture before this one was searched; the next one may be shown"
TIME_WENT_BACK = "a time before the last picture's found, a later one expected"


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
class Told:
    """What a picture led to: the new knowledge, the regions, and what is to be said besides."""

    known: Known
    changed: bool
    regions: Sequence[region_pb2.Region] = ()
    places_changed: bool = False
    released: int = 0


@dataclass(frozen=True)
class Looked:
    """A picture with what was found in it; `whole` is None where it was not searched, since nothing has changed."""

    picture: Picture
    view: View
    whole: Look | None
    watched: Watched
    step: Step
    is_changed: bool
    is_again: bool
    health: frozenset[int]
    wanted_zones: frozenset[str]


@dataclass(frozen=True)
class Examiner:
    """Examines pictures; `key_of` (retention in days, camera, at_ns, sealed JPEG) names where a picture is kept."""

    gate: Gate
    sealer: Sealer
    store: Store
    key_of: Callable[[int, str, int, bytes], str]
    pace: Pace = Pace()

    def examine(self, picture: Picture, watched: Watched, known: Known, wanted_zones: frozenset[str]) -> Told:
        """Return what `picture` tells beyond what is `known` of its camera; whatever goes wrong closes the gate."""
        health: frozenset[int] = frozenset()
        try:
            view = View(picture.bgr, small_luma(picture.bgr), picture.stamp.at_ns)
            health = tell.health_of(view.luma)
            return self._examined(picture, view, health, watched, known, wanted_zones)
        except GateClosed as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001 - memory, a disk, a signer: whatever it was, nothing is known
            reason = faults.named(error, "while a picture was examined")
        return Told(closed(known, picture, reason, health), changed=True)

    def _examined(
        self,
        picture: Picture,
        view: View,
        health: frozenset[int],
        watched: Watched,
        known: Known,
        wanted_zones: frozenset[str],
    ) -> Told:
        self.gate.check_open()
        if observation_pb2.HEALTH_DARK in health:
            raise GateClosed(TOO_DARK)
        is_again = _is_again(picture, view, known)
        changed = not is_again and is_changed(view.luma, known.luma)
        needed = changed or known.counted is None or bool(known.gate_closed)
        whole = self.gate.look(view) if needed else None
        step = self._step(view, watched, known, whole, picture.stamp.seq, is_again=is_again)
        looked = Looked(picture, view, whole, watched, step, changed, is_again, health, wanted_zones)
        if self._was_blind(view, known):
            recent = self._glanced(looked, known)
            return Told(closed(replace(known, recent=recent), picture, TOO_LONG_BLIND, health), changed)
        return self._told(looked, known)

    def _was_blind(self, view: View, known: Known) -> bool:
        """Tell whether a live camera comes back from a fault that was longer than its masks and motion reach."""
        policy = self.gate.policy
        is_live = 0 <= view.at_ns - known.at_ns <= policy.live_gap_s * NS_PER_S
        return bool(known.gate_closed) and is_live and not known.recent.is_live(view.at_ns, policy)

    def _step(
        self, view: View, watched: Watched, known: Known, whole: Look | None, seq: int, *, is_again: bool
    ) -> Step:
        if is_again:
            return Step(known.places)
        moment = Moment(watched.camera_id, view.at_ns, seq, CREDIT_GAPS * watched.max_gap_s + CREDIT_SLACK_S)
        if whole is None:
            return places.carried(known.places, moment)
        seen = tell.seen_in(whole, self.gate.things.manifest, watched, view.frame_hw)
        return places.step(known.places, seen, moment, tell.quiet_between(view.luma, known.luma, view.frame_hw))

    def _told(self, looked: Looked, known: Known) -> Told:
        """Return what is known now, with a released picture and its regions where they are due."""
        after = self._known(looked, known)
        scene_due = self._scene_due(after, looked)
        due = bool(known.gate_closed) or is_due(
            known.stored,
            looked.view.at_ns,
            places_changed=bool(looked.step.opened or looked.step.ended),
            counted=after.counted,
            health=after.health,
            scene_due=scene_due,
            every_s=looked.watched.evidence_every_s,
        )
        places_changed = bool(looked.step.opened or looked.step.ended)
        if not due:
            return Told(replace(after, recent=self._glanced(looked, known)), looked.is_changed, (), places_changed)
        try:
            released = self._released(looked, known)
        except GateClosed as error:
            recent = self._glanced(looked, known)
            return Told(
                closed(replace(known, recent=recent), looked.picture, str(error), looked.health), looked.is_changed
            )
        after = replace(after, recent=known.recent.with_sample(released.sample, self.gate.policy))
        stored = self._stored(looked, after, released)
        if stored is None:
            return Told(after, looked.is_changed, (), places_changed, 1)
        after = replace(after, stored=stored)
        after, cut = self._regions(looked, after, released, scene_due=scene_due)
        return Told(after, looked.is_changed, cut, places_changed, 1)

    def _known(self, looked: Looked, known: Known) -> Known:
        view, watched, whole = looked.view, looked.watched, looked.whole
        placed = looked.step.places
        if whole is None:
            told = tell.things_carried(known.things, placed, view.at_ns, watched, view.frame_hw)
            return replace(known, at_ns=view.at_ns, epoch_seq=_epoch_seq(looked.picture), places=placed, things=told)
        manifest = self.gate.things.manifest
        seen = tell.seen_in(whole, manifest, watched, view.frame_hw)
        return replace(
            known,
            at_ns=view.at_ns,
            epoch_seq=_epoch_seq(looked.picture),
            frame_hw=view.frame_hw,
            luma=view.luma,
            places=placed,
            things=tell.told_things(seen, placed, view.at_ns, watched, view.frame_hw),
            counted=count(whole, manifest, watched.zones, view.frame_hw),
            health=looked.health,
            gate_closed="",
            scene_stale=known.scene_stale or looked.is_changed,
        )

    def _scene_due(self, after: Known, looked: Looked) -> bool:
        if looked.is_again or after.health:
            return False
        gap_s = (looked.view.at_ns - after.scene_at_ns) / NS_PER_S
        return gap_s >= self.pace.scene_max_s or (after.scene_stale and gap_s >= self.pace.scene_min_s)

    def _glanced(self, looked: Looked, known: Known) -> Recent:
        """Return the memory that holds masks, with this picture's people, or the last ones' where nothing changed."""
        view = looked.view
        last = known.recent.samples[-1] if known.recent.samples else None
        if looked.whole is not None:
            standing = tell.standing_vehicles(looked.step.places)
            sample = self.gate.glance(view, looked.whole, known.recent, standing)
        elif last is not None and last.frame_hw == view.frame_hw:
            sample = Sample(view.at_ns, view.frame_hw, view.luma, last.grid)
        else:
            return known.recent
        return known.recent.with_sample(sample, self.gate.policy)

    def _released(self, looked: Looked, known: Known) -> Released:
        whole = looked.whole if looked.whole is not None else self.gate.look(looked.view)
        return self.gate.release(looked.view, whole, known.recent, tell.standing_vehicles(looked.step.places))

    def _stored(self, looked: Looked, after: Known, released: Released) -> Stored | None:
        """Keep the released picture; None while the store is away: it is due again with the next picture."""
        at_ns, watched = looked.view.at_ns, looked.watched
        sealed = self.sealer.sealed(released.picture, Source(watched.camera_id, at_ns))
        key = self.key_of(watched.retention_days, watched.camera_id, at_ns, sealed)
        try:
            self.store.put(key, sealed)
        except Retry:
            return None
        return Stored(key, at_ns, steps_of(after.counted), after.health)

    def _regions(
        self, looked: Looked, after: Known, released: Released, *, scene_due: bool
    ) -> tuple[Known, list[region_pb2.Region]]:
        """Return the regions that are due, and the knowledge that they were cut."""
        if after.health:
            return after, []
        shot = self._shot(looked, after, released)
        cut: list[region_pb2.Region] = []
        if scene_due:
            cut.append(regions.scene(shot, self.sealer))
            wanted = [zone for zone in looked.watched.zones if zone.zone_id in looked.wanted_zones]
            views = (regions.zone_view(shot, zone, number, self.sealer) for number, zone in enumerate(wanted))
            cut.extend(view for view in views if view is not None)
            after = replace(after, scene_at_ns=looked.view.at_ns, scene_stale=False)
        old = (looked.view.at_ns - after.things_at_ns) / NS_PER_S >= self.pace.thing_every_s
        shown = [place for place in places.shown(after.places, looked.view.at_ns) if place.missed == 0]
        due = [place for place in shown if old or place.place_id in looked.step.opened][:MAX_THING_REGIONS]
        boxes = np.array([place.box_xyxy for place in due], np.float32).reshape(-1, 4)
        held = zones_of(boxes, looked.watched.zones, looked.view.frame_hw)
        for number, (place, zone_ids) in enumerate(zip(due, held, strict=True)):
            cut.append(regions.thing(shot, place, zone_ids, number, self.sealer))
        return (replace(after, things_at_ns=looked.view.at_ns) if old and due else after), cut

    def _shot(self, looked: Looked, after: Known, released: Released) -> regions.Shot:
        found = vehicles(released.found, self.gate.things.manifest, self.gate.policy).boxes_xyxy
        solid = np.concatenate([found, tell.standing_vehicles(after.places)])
        stamp = looked.picture.stamp
        source = Source(looked.watched.camera_id, looked.view.at_ns)
        return regions.Shot(released.picture, solid, source, stamp.epoch, stamp.seq, after.stored.key)


def closed(known: Known, picture: Picture, reason: str, health: frozenset[int] = frozenset()) -> Known:
    """Return what is known once the gate has closed: counts are unknown, the next picture is searched afresh.

    What holds masks stays: who was masked before a fault is still there after it.
    """
    return replace(
        known,
        at_ns=picture.stamp.at_ns,
        epoch_seq=_epoch_seq(picture),
        frame_hw=picture.frame_hw,
        luma=None,
        things=(),
        counted=None,
        health=health,
        gate_closed=reason[:200],
    )


def set_back(known: Known, picture: Picture) -> Known:
    """Return what is known once a camera's clock went back to `picture`: its places, and masks held as if just seen."""
    recent = known.recent.moved(picture.stamp.at_ns - known.at_ns)
    return closed(Known(places=known.places, recent=recent), picture, TIME_WENT_BACK)


def _is_again(picture: Picture, view: View, known: Known) -> bool:
    """Tell whether `picture` is the one before again: its word for it counts where that one was examined."""
    if not picture.stamp.same_as_before or known.luma is None or known.frame_hw != view.frame_hw:
        return False
    epoch, seq = known.epoch_seq
    return (epoch, seq + 1) == _epoch_seq(picture) or np.array_equal(view.luma, known.luma)


def _epoch_seq(picture: Picture) -> tuple[int, int]:
    return picture.stamp.epoch, picture.stamp.seq
