"""Putting detect together; the only module that names adapters."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import structlog
from google.protobuf.message import Message
from lamplight.camera.v1 import camera_pb2
from lamplight.key.v1 import key_pb2
from lamplight.place.v1 import place_pb2
from lamplight.situation.v1 import situation_pb2
from lamplight_contracts.selectors import selects
from lamplight_kit.audit import Auditor
from lamplight_kit.clock import SystemClock
from lamplight_kit.errors import SettingsError
from lamplight_kit.kafka.outbox import KafkaOutbox
from lamplight_kit.kafka.settings import BusSettings
from lamplight_kit.kafka.table import Table, Tables
from lamplight_kit.kafka.types import TableView
from lamplight_kit.onnx import Manifest, Session, check_golden, read_manifest
from lamplight_kit.seal import KeyRing, SealedPicture
from lamplight_kit.service import Component
from lamplight_kit.store import EvidenceStore, picture_key

from lamplight_detect.adapters.canary_watch import CanaryWatch
from lamplight_detect.adapters.grpc_frames import FrameServer, Uploads
from lamplight_detect.adapters.key_file import SigningKey
from lamplight_detect.adapters.published_key import PublishedKey
from lamplight_detect.adapters.video_file import VideoFile
from lamplight_detect.adapters.watchdog import Threads, TimedFinder
from lamplight_detect.canary import Canary, Expected, Recorder, expected
from lamplight_detect.examine import Examiner
from lamplight_detect.gate import Gate, Policy, Sealer
from lamplight_detect.handler import Detector
from lamplight_detect.keeper import Keeper
from lamplight_detect.models.centerface import CenterFace
from lamplight_detect.models.finder import Finder
from lamplight_detect.models.finder import Session as ModelSession
from lamplight_detect.models.nanodet import NanoDet
from lamplight_detect.redact import Redactor
from lamplight_detect.releaser import Pace, Store
from lamplight_detect.settings import DetectSettings, ModelSettings

TOPICS = ("observations", "places", "regions", "keys", "audit")
LOCAL_CANARY_EVERY_S = 180.0
_log = structlog.get_logger()
TABLES = ("cameras", "places", "situations", "keys")


@dataclass(frozen=True)
class Local:
    """Detect in one process without Kafka: `detector.handle(frame, camera)`, `redactor`, and the `key` it seals with.

    Give `key` to the ring that the other rooms verify by. Places are kept in the detector's memory.
    """

    detector: Detector
    redactor: Redactor
    key: key_pb2.SigningKey


def local(
    *,
    store: Store | None = None,
    models: Path | None = None,
    data_dir: Path | None = None,
    things_model: str | None = None,
    namespace: str = "lamplight",
    pace: Pace | None = None,
    situation_zones: Callable[[str], frozenset[str]] = lambda _camera_id: frozenset(),
    record: Callable[[ModelSession], ModelSession] = lambda session: session,
) -> Local:
    """Return detect's handler and redactor for one process.

    `store` keeps sealed pictures (anything with `put(key, sealed_jpeg)`; None: they are made and not kept);
    `data_dir` keeps the signing key (None: a key for this process alone); `models` is the folder of ready models,
    `things_model` a manifest in it; where they are None the settings decide, as for the service;
    `situation_zones` names the zones of a camera that situations look at; `record` may stand before each model's
    session. Raises `Stop` where a model is not ready.
    """
    clock = SystemClock()
    chosen = ModelSettings()
    folder = models or chosen.models
    key = SigningKey.made(clock.now_ns()) if data_dir is None else SigningKey.kept(data_dir, clock.now_ns())
    sessions = sessions_of(folder / (things_model or chosen.things_model), folder / chosen.faces_model)
    watch = CanaryWatch(LOCAL_CANARY_EVERY_S)
    watch.check = canary_of(sessions).check
    watch.when_due()
    gate = _gate(sessions, record, watch.when_due)
    sealer = _sealer(gate, key)
    examiner = Examiner(gate, sealer, store or _Nowhere(), _key_of(namespace), pace or Pace())
    detector = Detector(examiner, situation_zones=situation_zones)
    return Local(detector, Redactor(gate, sealer, VideoFile), key.public("detect-local"))


def build(settings: DetectSettings) -> Sequence[Component]:
    """Return the parts of the service in the order in which they start."""
    clock = SystemClock()
    workers = settings.workers or os.cpu_count() or 1
    key = SigningKey.kept(_needed(settings.data_dir, "data_dir"), clock.now_ns())
    bus = BusSettings(
        settings.kafka_bootstrap_servers,
        settings.namespace,
        settings.replica,
        settings.kafka_security,
        {"camera": settings.camera_partitions, "district": settings.district_partitions},
    )
    sessions = sessions_of(settings.models / settings.things_model, settings.models / settings.faces_model)
    watch = CanaryWatch(settings.canary_every_s)
    threads = Threads(workers)
    timed = _timed(threads, settings.model_timeout_s)
    watch.check = canary_of(sessions, timed).check
    gate = _gate(sessions, lambda one: one, watch.why_closed, timed)
    sealer = _sealer(gate, key)
    store = EvidenceStore(settings.store_url)
    pace = Pace(settings.scene_min_s, settings.scene_max_s)
    ring = KeyRing()
    kept = Keeper(gate, sealer, _Shelf(store, ring), _ground_key_of(settings.namespace), _warn_of_ground)
    examiner = Examiner(gate, sealer, store, _key_of(settings.namespace), pace, kept)
    detector = Detector(examiner, young_place_s=settings.young_place_s)
    tables = {name: Table(name) for name in TABLES if name not in {"cameras", "keys"}}
    tables["keys"] = Table("keys", lambda _replica, one: ring.add(one) if isinstance(one, key_pb2.SigningKey) else None)
    tables["cameras"] = Table(
        "cameras", lambda camera_id, camera: detector.forget(camera_id) if camera is None else None
    )
    detector.known_places = _places_in(tables["places"])
    detector.situation_zones = _zones_in(tables["situations"], tables["cameras"])
    published = PublishedKey(key.public(settings.replica), tables["keys"])
    outbox = KafkaOutbox(bus, "detect", TOPICS, on_committed=published.committed)
    published.outbox = outbox
    uploads = Uploads(
        Redactor(gate, sealer, VideoFile),
        store,
        lambda at_ns, jpeg: picture_key(settings.namespace, settings.upload_retention_days, "", at_ns, jpeg),
        Auditor(outbox, settings.replica, clock),
        outbox,
        clock,
    )
    server = FrameServer(settings, detector, tables, uploads, workers)
    return [watch, threads, outbox, Tables(bus, list(tables.values())), published, server]


def sessions_of(things: Path, faces: Path) -> tuple[Session, Session]:
    """Return verified models that answer as their manifests say."""
    cv2.setNumThreads(1)
    return _session(things), _session(faces)


def _gate(
    models: tuple[Session, Session],
    around: Callable[[ModelSession], ModelSession],
    why_closed: Callable[[], str],
    timed: Callable[[Finder], Finder] = lambda finder: finder,
) -> Gate:
    """Return the gate on `models`, held closed while `why_closed` says why."""
    things, faces = models
    return Gate(timed(NanoDet(around(things))), timed(CenterFace(around(faces))), Policy(), why_closed)


def canary_of(
    models: tuple[Session, Session],
    timed: Callable[[Finder], Finder] = lambda finder: finder,
    pictures: Expected | None = None,
) -> Canary:
    """Return the canary (as packaged, or of `pictures`) with a gate of its own on the sessions that the workers run."""
    things, faces = Recorder(models[0]), Recorder(models[1])
    gate = Gate(timed(NanoDet(things)), timed(CenterFace(faces)), Policy())

    def check_models() -> None:
        for session in models:
            check_golden(session)

    return Canary(gate, (things, faces), expected() if pictures is None else pictures, check_models)


def _timed(threads: Threads, timeout_s: float) -> Callable[[Finder], Finder]:
    """Return what makes a finder close the gate where its model hangs."""
    return lambda finder: TimedFinder(finder, threads, timeout_s)


def _session(path: Path) -> Session:
    session = Session(read_manifest(path))
    check_golden(session)
    return session


def _sealer(gate: Gate, key: SigningKey) -> Sealer:
    manifests: Mapping[str, Manifest] = {"things": gate.things.manifest, "faces": gate.faces.manifest}
    return Sealer(key, {role: manifest.sha256 for role, manifest in manifests.items()}, gate.policy.numbers())


def _key_of(namespace: str) -> Callable[[int, str, int, bytes], str]:
    return lambda retention_days, camera_id, at_ns, jpeg: picture_key(namespace, retention_days, camera_id, at_ns, jpeg)


def _ground_key_of(namespace: str) -> Callable[[int, str, str], str]:
    """Return where a camera's ground is kept: beside its pictures, and gone as long after the last one as they are."""
    return lambda retention_days, camera_id, light: f"{namespace}/{retention_days}d/{camera_id}/ground/{light}.jpg"


def _warn_of_ground(camera_id: str, why: str) -> None:
    _log.warning("ground not kept or not taken up", camera_id=camera_id, why=why)


@dataclass(frozen=True)
class _Shelf:
    """The evidence store, read by the keys that the topic `keys` holds."""

    store: EvidenceStore
    ring: KeyRing

    def put(self, key: str, sealed_jpeg: bytes) -> None:
        self.store.put(key, sealed_jpeg)

    def get_sealed(self, key: str) -> SealedPicture:
        return self.store.get_sealed(key, self.ring)


def _places_in(table: TableView) -> Callable[[str], place_pb2.Places | None]:
    def places(camera_id: str) -> place_pb2.Places | None:
        found: Message | None = table.get(camera_id)
        return found if isinstance(found, place_pb2.Places) else None

    return places


def _zones_in(situations: TableView, cameras: TableView) -> Callable[[str], frozenset[str]]:
    """Return what names the zones of a camera that any situation looks at."""

    def zones(camera_id: str) -> frozenset[str]:
        camera = cameras.get(camera_id)
        labels = camera.labels if isinstance(camera, camera_pb2.Camera) else ()
        named: set[str] = set()
        for situation in situations.items().values():
            if isinstance(situation, situation_pb2.Situation) and selects(situation.cameras, camera_id, labels):
                named.update(situation.zone_ids)
        return frozenset(named)

    return zones


class _Nowhere:
    def put(self, key: str, sealed_jpeg: bytes) -> None:
        """Keep nothing."""


def _needed(path: Path | None, name: str) -> Path:
    if path is None:
        message = f"setting {name}: nothing found, a folder expected; set LAMPLIGHT_{name.upper()}"
        raise SettingsError(message)
    return path
