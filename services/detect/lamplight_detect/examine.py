"""Examining one picture of a camera: changed or not, what is there, and whether a picture of it is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from lamplight.observation.v1 import observation_pb2
from lamplight.region.v1 import region_pb2

from lamplight_detect import faults, places, tell
from lamplight_detect.camera import Watched
from lamplight_detect.change import is_changed, small_luma
from lamplight_detect.decode import Picture
from lamplight_detect.evidence import is_due
from lamplight_detect.gate import Gate, GateClosed, Look, Recent, Sample, Sealer, Searched, View
from lamplight_detect.gate.plates import vehicles
from lamplight_detect.keeper import Keeper
from lamplight_detect.learn import learnt
from lamplight_detect.looked import Looked
from lamplight_detect.memory import Known
from lamplight_detect.places import Moment, Step
from lamplight_detect.releaser import Left, Pace, Releaser, Store
from lamplight_detect.things import count

NS_PER_S = 1_000_000_000
CREDIT_GAPS = 2.0
CREDIT_SLACK_S = 10.0
TOO_DARK = "too dark to search"
TOO_LONG_BLIND = "no picture before this one was searched; the next one may be shown"
TIME_WENT_BACK = "a time before the last picture's found, a later one expected"


@dataclass(frozen=True)
class Told:
    """What a picture led to: the new knowledge, the regions, and what is to be said besides."""

    known: Known
    changed: bool
    regions: Sequence[region_pb2.Region] = ()
    places_changed: bool = False
    released: int = 0
    closed: str = ""


@dataclass(frozen=True)
class Examiner:
    """Examines pictures, and lets those leave that are worth it, each one sample late; for `key_of` see `Releaser`."""

    gate: Gate
    sealer: Sealer
    store: Store
    key_of: Callable[[int, str, int, bytes], str]
    pace: Pace = field(default_factory=Pace)
    keeper: Keeper | None = None

    @property
    def releaser(self) -> Releaser:
        """What lets its pictures leave."""
        return Releaser(self.gate, self.sealer, self.store, self.key_of, self.pace)

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
            left = self.flush(known)  # the picture that waits was searched: the lens went dark after it
            return replace(left, known=closed(left.known, picture, TOO_DARK, health), changed=True, closed="")
        is_again = _is_again(picture, view, known)
        is_resized = bool(known.frame_hw[0]) and known.frame_hw != view.frame_hw
        if is_resized:
            known = replace(known, places=places.resized(known.places, known.frame_hw, view.frame_hw))
        changed = not is_again and (is_resized or is_changed(view.luma, known.luma))
        needed = changed or known.counted is None or bool(known.gate_closed)
        whole = self.gate.look(view) if needed else None
        step = self._step(view, watched, known, whole, picture.stamp.seq, is_again=is_again)
        if not is_again:
            is_new = self.keeper is not None and known.scene.light is None
            scene = self.keeper.taken_up(known.scene, view, watched) if self.keeper and is_new else known.scene
            seen = scene.seen(view)
            known = replace(
                known,
                scene=seen.scene,
                recent=replace(
                    known.recent,
                    unexplained=seen.unexplained,
                    vouched=seen.vouched,
                    is_spared=True,
                ),
            )
        else:
            recent = replace(known.recent.repeated(view.at_ns), unexplained=known.scene.unexplained)
            known = replace(known, recent=recent)
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

    def flush(self, known: Known) -> Told:
        """Let the picture that waits leave though no next one came: under its own masks, searched a second time."""
        if known.pending is None:
            return Told(known, changed=False)
        try:
            left = self.releaser.left(known.pending, known)
        except Exception as error:  # noqa: BLE001 - whatever it was, the picture does not leave
            reason = str(error) if isinstance(error, GateClosed) else faults.named(error, "while a picture left")
            return Told(known.without_pending(), changed=False, closed=reason[:200])
        return Told(left.known, changed=False, regions=left.regions, released=left.released)

    def _told(self, looked: Looked, known: Known) -> Told:
        """Return what is known now, with the picture that waited and its regions, or this one where none waits."""
        after = self._known(looked, known)
        is_scene_due = self._scene_due(after, looked)
        places_changed = bool(looked.step.opened or looked.step.ended)
        due = bool(known.gate_closed or known.has_explained) or is_due(
            known.asked,
            looked.view.at_ns,
            places_changed=places_changed,
            counted=after.counted,
            health=after.health,
            scene_due=is_scene_due,
            every_s=looked.watched.evidence_every_s,
        )
        recent = known.recent
        try:
            searched = self._searched(looked, known) if due else None
            recent = self._remembered(looked, searched.sample, known) if searched else self._glanced(looked, known)
            after = self._learnt(looked, after, recent)
            left = self._left(looked, after, recent)
            if searched is not None:
                left = self._leaving(looked, searched, left, known, is_scene_due=is_scene_due)
        except GateClosed as error:
            recent = recent if recent is not known.recent else self._glanced(looked, known)
            after = closed(replace(known, recent=recent), looked.picture, str(error), looked.health)
            return Told(after, looked.is_changed)
        after = replace(left.known, recent=recent)
        return Told(after, looked.is_changed, left.regions, places_changed, left.released)

    def _learnt(self, looked: Looked, known: Known, recent: Recent) -> Known:
        """Return it with what this picture adds to the ground, and what stands before it explained where it is due."""
        if looked.is_again or not recent.samples or recent.samples[-1].at_ns != looked.view.at_ns:
            return replace(known, has_explained=False)
        view, manifest = looked.view, self.gate.things.manifest
        boxes = [np.array([place.box_xyxy for place in looked.step.places], np.float32).reshape(-1, 4)]
        if looked.whole is not None:
            boxes.append(vehicles(looked.whole, manifest, self.gate.policy).boxes_xyxy)
        vouched = known.recent.vouched
        scene, explained = learnt(self.gate, known.scene, view, recent.samples[-1], np.concatenate(boxes), vouched)
        scene = scene if self.keeper is None else self.keeper.keep(scene, looked.watched, view.at_ns)
        things_at_ns = 0 if explained else known.things_at_ns
        return replace(known, scene=scene, has_explained=explained, things_at_ns=things_at_ns)

    def _left(self, looked: Looked, known: Known, recent: Recent) -> Left:
        """Let the picture that waits leave, this one's masks over it; it waits on while its source repeats itself."""
        if known.pending is None:
            return Left(known)
        reach_ns = self.gate.policy.live_gap_s * NS_PER_S
        if not looked.is_again:
            return self.releaser.left(known.pending, known, recent.samples[-1])
        is_late = looked.view.at_ns - known.pending.asked.at_ns > reach_ns
        return self.releaser.left(known.pending, known) if is_late else Left(known)

    def _leaving(self, looked: Looked, searched: Searched, left: Left, before: Known, *, is_scene_due: bool) -> Left:
        """Let this picture wait for the next one, or leave at once where none is to be waited for."""
        known = replace(left.known.without_pending(), recent=before.recent)
        known = self.releaser.asked(looked, searched, known, is_scene_due=is_scene_due)
        if known.pending is None or self.releaser.waits(looked, before):
            return replace(left, known=known)
        now = self.releaser.left(known.pending, known)
        return Left(now.known, (*left.regions, *now.regions), left.released + now.released)

    def _known(self, looked: Looked, known: Known) -> Known:
        view, watched, whole = looked.view, looked.watched, looked.whole
        placed = looked.step.places
        if whole is None:
            told = tell.things_carried(known.things, placed, view.at_ns, watched, view.frame_hw)
            told_at = replace(known, at_ns=view.at_ns, gap_ns=_gap_ns(known, view.at_ns))
            return replace(told_at, epoch_seq=_epoch_seq(looked.picture), places=placed, things=told)
        manifest = self.gate.things.manifest
        seen = tell.seen_in(whole, manifest, watched, view.frame_hw)
        return replace(
            known,
            at_ns=view.at_ns,
            gap_ns=_gap_ns(known, view.at_ns),
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
        return self._remembered(looked, sample, known)

    def _remembered(self, looked: Looked, sample: Sample, known: Known) -> Recent:
        """Return the memory that holds masks with `sample`; of a picture that came again, with its own masks too."""
        recent, policy = known.recent, self.gate.policy
        return recent.with_again(sample, policy) if looked.is_again else recent.with_sample(sample, policy)

    def _searched(self, looked: Looked, known: Known) -> Searched:
        whole = looked.whole if looked.whole is not None else self.gate.look(looked.view)
        return self.gate.search(looked.view, whole, known.recent, tell.standing_vehicles(looked.step.places))


def closed(known: Known, picture: Picture, reason: str, health: frozenset[int] = frozenset()) -> Known:
    """Return what is known once the gate has closed: counts are unknown, the next picture is searched afresh.

    What holds masks stays: who was masked before a fault is still there after it. A picture that waits is dropped.
    """
    return replace(
        known.without_pending(),
        at_ns=picture.stamp.at_ns,
        gap_ns=_gap_ns(known, picture.stamp.at_ns),
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
    by_ns = picture.stamp.at_ns - known.at_ns
    return closed(Known(places=known.places, recent=recent, scene=known.scene.moved(by_ns)), picture, TIME_WENT_BACK)


def _gap_ns(known: Known, at_ns: int) -> int:
    return at_ns - known.at_ns if known.at_ns else 0


def _is_again(picture: Picture, view: View, known: Known) -> bool:
    """Tell whether `picture` is the one before again: its word for it counts where that one was examined."""
    if not picture.stamp.same_as_before or known.luma is None or known.frame_hw != view.frame_hw:
        return False
    epoch, seq = known.epoch_seq
    return (epoch, seq + 1) == _epoch_seq(picture) or np.array_equal(view.luma, known.luma)


def _epoch_seq(picture: Picture) -> tuple[int, int]:
    return picture.stamp.epoch, picture.stamp.seq
