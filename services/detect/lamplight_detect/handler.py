"""The detector: a Frame in, a Verdict and records out. No clock, no network; the same pictures tell the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight.observation.v1 import observation_pb2
from lamplight.place.v1 import place_pb2
from lamplight_kit.kafka.types import Outgoing
from lamplight_kit.onnx import Kind

from lamplight_detect import faults
from lamplight_detect.camera import Watched
from lamplight_detect.decode import Decoder, LeftOut, Picture, Unreadable
from lamplight_detect.evidence import Stored
from lamplight_detect.examine import TIME_WENT_BACK, Examiner, Told, set_back
from lamplight_detect.memory import CameraMemory, Known
from lamplight_detect.messages import counts_of, places_message, places_of, trim, zone_counts

NS_PER_S = 1_000_000_000
PLACES_EVERY_S = 5.0
"""A place's age is written this often; what happens to it at once."""
BROKEN_EVERY_S = 1.0


class KnownPlaces(Protocol):
    """The places of a camera as the topic `places` holds them."""

    def __call__(self, camera_id: str, /) -> place_pb2.Places | None:
        """Return them, or None where there are none."""
        ...


@dataclass(frozen=True)
class Result:
    """What a Frame led to: the verdict, the records to write in their order, and what became of the gate.

    `vouched` counts the pictures examined that a valid background vouched for.
    """

    verdict: frame_pb2.Verdict
    records: Sequence[Outgoing] = ()
    examined: int = 0
    released: int = 0
    gate_closed: str = ""
    vouched: int = 0


@dataclass
class Detector:
    """Examines the Frames of many cameras; one Frame of a camera at a time, different cameras from any threads."""

    examiner: Examiner
    known_places: KnownPlaces = field(default=lambda _camera_id: None)
    situation_zones: Callable[[str], frozenset[str]] = field(default=lambda _camera_id: frozenset())
    young_place_s: float = 120.0
    cameras: dict[str, CameraMemory] = field(default_factory=dict)

    def handle(self, frame: frame_pb2.Frame, camera: camera_pb2.Camera | None) -> Result:
        """Decode `frame`, examine what it brings, and return what is to be said and written."""
        if camera is None:
            return _refused(frame, f"camera {frame.camera_id!r} found, one that is configured expected; apply it first")
        watched = Watched.of(camera)
        memory = self._memory(frame)
        if frame.epoch < memory.epoch:
            return _refused(frame, f"epoch {frame.epoch} found, {memory.epoch} expected: another worker holds it")
        if frame.epoch == memory.epoch and frame.seq <= memory.seq:
            return _refused(frame, f"sequence {frame.seq} found, one above {memory.seq} expected")
        memory.epoch, memory.seq = frame.epoch, frame.seq
        try:
            pictures = memory.decoder.decode(frame, each_alone=not watched.all_pictures)
        except Unreadable as error:
            return self._broken(frame, watched, memory, error)
        except Exception as error:  # noqa: BLE001 - memory, or a decoder's own fault: nothing was seen
            memory.decoder = Decoder()
            broken = Unreadable(faults.named(error, "while a picture was decoded"))
            return self._broken(frame, watched, memory, broken)
        return self._examined(frame, watched, memory, pictures)

    def waits(self, camera_id: str) -> bool:
        """Tell whether a picture of the camera waits for the next one."""
        memory = self.cameras.get(camera_id)
        return memory is not None and memory.known.pending is not None

    def flush(self, camera_id: str) -> Result:
        """Let the camera's picture that waits leave though no next one came; call it with no Frame of it in hand.

        The camera's next observation names the picture; the verdict of the result answers nothing.
        """
        memory = self.cameras.get(camera_id)
        if memory is None:
            return Result(frame_pb2.Verdict(camera_id=camera_id))
        told = self.examiner.flush(memory.known)
        memory.known = told.known
        records = [Outgoing("regions", camera_id, region) for region in told.regions]
        return Result(frame_pb2.Verdict(camera_id=camera_id), records, 0, told.released, told.closed)

    def forget(self, camera_id: str) -> None:
        """Drop all memory of a camera that is removed."""
        self.cameras.pop(camera_id, None)

    def _memory(self, frame: frame_pb2.Frame) -> CameraMemory:
        """Return the camera's memory, read from its places where this process has none or another held it since."""
        memory = self.cameras.get(frame.camera_id)
        if memory is not None and frame.epoch <= memory.epoch:
            return memory
        places = self.known_places(frame.camera_id)
        if memory is None:
            memory = self.cameras[frame.camera_id] = CameraMemory()
        else:
            memory.decoder, memory.seq = Decoder(), -1
        if places is not None and places.epoch >= memory.epoch and places.at_ns > memory.known.at_ns:
            memory.known = self._restored(places)
            memory.epoch = places.epoch
            memory.seq = places.seq if frame.epoch == places.epoch else -1
        return memory

    def _restored(self, places: place_pb2.Places) -> Known:
        manifest = self.examiner.gate.things.manifest
        stored = Stored(places.picture_key, places.picture_at_ns)
        return Known(places=places_of(places, frozenset(manifest.class_names(Kind.VEHICLE))), stored=stored)

    def _examined(
        self, frame: frame_pb2.Frame, watched: Watched, memory: CameraMemory, pictures: Iterable[Picture]
    ) -> Result:
        records: list[Outgoing] = []
        outcome = frame_pb2.Verdict.OUTCOME_TAKEN
        examined = released = vouched = 0
        closed = ""
        for picture in pictures:
            if picture.stamp.at_ns < memory.known.at_ns:
                told = Told(set_back(memory.known, picture), changed=False)
                memory.known = told.known
                records.extend(self._records(picture, watched, memory, told))
                refused = _refused(frame, TIME_WENT_BACK)
                return Result(refused.verdict, records, examined, released, TIME_WENT_BACK, vouched)
            told = self.examiner.examine(picture, watched, memory.known, self.situation_zones(watched.camera_id))
            memory.known = told.known
            records.extend(self._records(picture, watched, memory, told))
            examined, released = examined + 1, released + told.released
            vouched += told.known.scene.is_valid
            closed = told.known.gate_closed or closed
            changed = told.changed or outcome == frame_pb2.Verdict.OUTCOME_CHANGED
            outcome = frame_pb2.Verdict.OUTCOME_CHANGED if changed else frame_pb2.Verdict.OUTCOME_UNCHANGED
        verdict = _verdict(frame, outcome)
        verdict.wanted_gap_s = self._wanted_gap_s(watched, memory.known)
        return Result(verdict, records, examined, released, closed, vouched)

    def _wanted_gap_s(self, watched: Watched, known: Known) -> float:
        """Return the plan's own gap while a place is too young to have passed the rules or a picture waits, else 0."""
        young = any(place.still_s < self.young_place_s for place in known.places)
        return watched.min_gap_s if young or known.pending is not None else 0.0

    def _records(self, picture: Picture, watched: Watched, memory: CameraMemory, told: Told) -> list[Outgoing]:
        """Return the observation, the regions, and the places where they changed or grew old."""
        key, stamp, known = watched.camera_id, picture.stamp, told.known
        seen = observation_pb2.Seen(
            camera_id=key,
            epoch=stamp.epoch,
            seq=stamp.seq,
            at_ns=stamp.at_ns,
            at_is_receipt=stamp.at_is_receipt,
            frame_height_px=known.frame_hw[0],
            frame_width_px=known.frame_hw[1],
            changed=told.changed,
        )
        _fill(seen, watched, known)
        trim(seen)
        records = [Outgoing("regions", key, region) for region in told.regions]
        records.append(Outgoing("observations", key, observation_pb2.Observation(seen=seen)))
        old = (stamp.at_ns - known.places_at_ns) / NS_PER_S >= PLACES_EVERY_S and bool(known.places)
        if told.places_changed or old:
            message = places_message(key, stamp.epoch, stamp.seq, stamp.at_ns, known.places, known.stored)
            records.append(Outgoing("places", key, message))
            memory.known = replace(known, places_at_ns=stamp.at_ns)
        return records

    def _broken(self, frame: frame_pb2.Frame, watched: Watched, memory: CameraMemory, error: Unreadable) -> Result:
        """Return a refusal, and now and then an observation that says so, its counts unknown."""
        reason = str(error)
        result = replace(_refused(frame, reason), gate_closed=reason)
        if isinstance(error, LeftOut):
            return result
        gap_s = (frame.at_ns - memory.told_broken_ns) / NS_PER_S
        if not frame.examine or 0 <= gap_s < BROKEN_EVERY_S:
            return result
        memory.told_broken_ns = frame.at_ns
        broken = observation_pb2.HEALTH_BROKEN
        known = replace(memory.known, counted=None, gate_closed=reason[:200], health=frozenset({int(broken)}))
        seen = observation_pb2.Seen(
            camera_id=watched.camera_id,
            epoch=frame.epoch,
            seq=frame.seq,
            at_ns=frame.at_ns,
            at_is_receipt=frame.at_is_receipt,
            frame_height_px=known.frame_hw[0],
            frame_width_px=known.frame_hw[1],
        )
        _fill(seen, watched, known)
        trim(seen)
        record = Outgoing("observations", watched.camera_id, observation_pb2.Observation(seen=seen))
        return replace(result, records=(record,))


def _fill(seen: observation_pb2.Seen, watched: Watched, known: Known) -> None:
    """Put what is known into an observation; things that were not searched for now are not told of."""
    if not known.gate_closed:
        seen.things.extend(known.things)
    if known.counted is not None:
        seen.counts.CopyFrom(counts_of(known.counted.whole))
    seen.zones.extend(zone_counts(known.counted, [zone.zone_id for zone in watched.zones]))
    seen.health.extend(observation_pb2.Health.ValueType(number) for number in sorted(known.health))
    seen.picture_key, seen.picture_at_ns = known.stored.key, known.stored.at_ns
    seen.gate_closed = known.gate_closed


def _verdict(frame: frame_pb2.Frame, outcome: frame_pb2.Verdict.Outcome.ValueType) -> frame_pb2.Verdict:
    return frame_pb2.Verdict(camera_id=frame.camera_id, epoch=frame.epoch, seq=frame.seq, outcome=outcome)


def _refused(frame: frame_pb2.Frame, reason: str) -> Result:
    verdict = _verdict(frame, frame_pb2.Verdict.OUTCOME_REFUSED)
    verdict.reason = reason[:500]
    return Result(verdict)
