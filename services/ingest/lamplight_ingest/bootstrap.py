"""Wires ingest together; the one module that names adapters."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import Message
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight_kit import service
from lamplight_kit.audit import Auditor
from lamplight_kit.clock import Clock, SystemClock
from lamplight_kit.kafka import KafkaOutbox, Stage, Table, Tables
from lamplight_kit.kafka.stage import end_process
from lamplight_kit.rpc import RpcPart, RpcServer, Tokens
from lamplight_kit.service import Component

from lamplight_ingest.adapters.grpc_detect import DetectStreams
from lamplight_ingest.adapters.onvif import Device
from lamplight_ingest.adapters.pace import AsFastAsItGoes, RealTime
from lamplight_ingest.adapters.probe import best, device, look
from lamplight_ingest.adapters.replicas import Replicas
from lamplight_ingest.adapters.secrets import Secrets
from lamplight_ingest.adapters.sources import Sources
from lamplight_ingest.api import ALLOW, CameraApi
from lamplight_ingest.changes import Changes
from lamplight_ingest.doors import Doors
from lamplight_ingest.fleet import Fleet
from lamplight_ingest.handler import INPUTS, STATE, CameraHandler
from lamplight_ingest.model import NS_PER_S, Source, SourceError, SourceRefused
from lamplight_ingest.plan import plan_of
from lamplight_ingest.probing import Allowed, Report, allowed
from lamplight_ingest.run import Around
from lamplight_ingest.runtime import Runtime
from lamplight_ingest.settings import IngestSettings, ProbeSettings
from lamplight_ingest.watch import Watch

START_NS = 1_704_110_400 * NS_PER_S
"""When a replay begins unless told otherwise: 2024-01-01 12:00 UTC, a Monday, so that every run is the same."""
MAX_PICTURE_BYTES = 16 << 20
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Summary:
    """How one source of a replay went; `error` is None where it went well, `seconds` from first to last frame."""

    camera_id: str
    frames: int
    dropped: int
    seconds: float
    error: str | None


class Replay:
    """Files and folders of several cameras as one stream of frames, as fast as they are taken."""

    def __init__(self, cameras: Sequence[camera_pb2.Camera], sources: Sources) -> None:
        """Replay `cameras`; nothing is opened until `frames`."""
        clock = SystemClock()
        self._sources = sources
        self._cameras = cameras
        self._watches = [Watch(camera.id, 1, plan_of(camera.sampling), clock) for camera in cameras]
        self._first_ns: dict[str, int] = {}
        self._last_ns: dict[str, int] = {}

    def frames(self) -> Iterator[frame_pb2.Frame]:
        """Yield the frames of all cameras in the order of `at_ns`, those of one camera as they are stored."""
        streams = [self._of(watch, camera) for watch, camera in zip(self._watches, self._cameras, strict=True)]
        for _, frame in heapq.merge(*streams, key=lambda entry: entry[0]):
            yield frame

    def summaries(self) -> Sequence[Summary]:
        """Return how each source went, in the order of the cameras; complete once `frames` is."""
        return [self._summary(watch) for watch in self._watches]

    def _of(self, watch: Watch, camera: camera_pb2.Camera) -> Iterator[tuple[int, frame_pb2.Frame]]:
        """Yield frames with the time to merge by, which never goes back: pictures are stored as they are decoded."""

        def make() -> Source:
            if "://" in camera.source and not camera.source.startswith("file://"):
                text = "a live address found, a file or a folder expected; `lamplight up` watches live cameras"
                raise SourceRefused(text)
            return self._sources.of(camera)

        reached_ns = 0
        for frame in watch.frames(make):
            reached_ns = max(reached_ns, frame.at_ns)
            self._first_ns.setdefault(watch.camera_id, frame.at_ns)
            self._last_ns[watch.camera_id] = reached_ns
            yield reached_ns, frame

    def _summary(self, watch: Watch) -> Summary:
        span_ns = self._last_ns.get(watch.camera_id, 0) - self._first_ns.get(watch.camera_id, 0)
        error = None if watch.life.over else watch.life.reason
        return Summary(watch.camera_id, watch.counts.framed, watch.counts.lost, span_ns / NS_PER_S, error)


def local(
    cameras: Sequence[camera_pb2.Camera],
    *,
    start_ns: int = START_NS,
    roots: Sequence[Path] | None = None,
    max_picture_bytes: int = MAX_PICTURE_BYTES,
) -> Replay:
    """Return the replay of files and folders that `lamplight watch` drives: no Kafka, no wait, the same every time.

    `cameras` need `id`, `source` (a path) and `sampling` alone. Each source's first picture is taken at `start_ns`,
    the others by their own time after it. `roots` bounds where files may lie; None: anywhere. The parsers, the
    sampler and the camera's life are those of the live service::

        replay = local(cameras)
        for frame in replay.frames():    # lamplight.frame.v1.Frame, to detect's handler
            ...
        for summary in replay.summaries():    # camera_id, frames, dropped, seconds, error
            ...
    """
    sources = Sources(
        doors=Doors(schemes=frozenset({"file"}), roots=None if roots is None else tuple(roots)),
        secrets=Secrets(),
        clock=SystemClock(),
        pace=lambda: AsFastAsItGoes(start_ns),
        timeout_s=TIMEOUT_S,
        max_picture_bytes=max_picture_bytes,
    )
    return Replay(cameras, sources)


@dataclass(frozen=True)
class Probe:
    """What `probe` found: an ONVIF device's profiles and clock (None: no device), and the source that was looked at."""

    source: str
    device: Device | None
    report: Report

    @property
    def allowed(self) -> Sequence[Allowed]:
        """What each sampling of the source would serve."""
        return allowed(self.report)


def probe(source: str, *, secret: str = "", for_s: float = 12.0, allow_loopback: bool = False) -> Probe:
    """Return what a source is that no system knows yet: through the adapters and doors of every camera, no Kafka.

    Of an ONVIF device the cheapest profile that will do is looked at. `secret` names user and password as ingest looks
    for them. What goes wrong is in the report; raises `SettingsError` alone.
    """
    settings = ProbeSettings.load()
    clock = SystemClock()
    sources = Sources(
        doors=settings.doors(allow_loopback=allow_loopback),
        secrets=Secrets(settings.secrets_dir),
        clock=clock,
        pace=lambda: AsFastAsItGoes(clock.now_ns()),
        timeout_s=settings.source_timeout_s,
        max_picture_bytes=MAX_PICTURE_BYTES,
        ca_file=settings.tls_ca_file,
    )
    try:
        found = device(source, secret, sources)
    except SourceError as error:
        return Probe(source, None, Report("onvif", error=str(error)))
    if found is None:
        return Probe(source, None, look(source, secret, sources, for_s))
    chosen = best(found)
    if chosen is None:
        text = "no profile of H.264 or H.265 with an address found, one expected; set one up on the device"
        return Probe(source, found, Report("onvif", error=text))
    return Probe(chosen.stream, found, look(chosen.stream, secret, sources, for_s))


class Api(RpcPart):
    """The gRPC server of CameraService."""

    def __init__(self, settings: IngestSettings, api: CameraApi, auditor: Auditor) -> None:
        """Serve `api` as `settings` say, and audit what is refused; nothing listens until `start`."""
        tokens = Tokens.read(settings.tokens_file)
        server = RpcServer(settings.grpc_listen, [api.register()], tokens, ALLOW, on_refused=auditor.refused)
        super().__init__(server)

    async def close(self, timeout_s: float) -> None:
        """Let calls end, within 2 s."""
        await super().close(min(timeout_s, 2.0))


def parts(settings: IngestSettings, clock: Clock) -> Sequence[Component]:
    """Return the parts of one worker, in the order in which they start."""
    bus = settings.bus()
    outbox = KafkaOutbox(bus, "ingest-outbox", ["observations", "camera-states", "commands", "audit"])
    changes = Changes()

    def seen(camera_id: str, message: Message | None) -> None:
        changes.saw(camera_id, message)
        fleet.changed(camera_id)  # nothing is seen before all parts are made

    cameras, states = Table("cameras", seen), Table("camera-states")
    detect = DetectStreams(
        Replicas(settings.detect_addresses), settings.token, settings.pending_bytes, settings.replica
    )
    sources = Sources(
        doors=settings.doors,
        secrets=Secrets(settings.secrets_dir),
        clock=clock,
        pace=lambda: RealTime(clock),
        timeout_s=settings.source_timeout_s,
        max_picture_bytes=settings.max_picture_bytes,
        ca_file=settings.tls_ca_file,
        http_at_once=settings.http_connections_per_host,
    )
    runtime = Runtime(clock)
    runtime.at_end.append(sources.close)
    around = Around(sources.live, detect, clock, settings.replica, settings.stall_after_s, runtime)
    handler = CameraHandler()
    fleet = Fleet(handler, outbox, cameras, states, around, end_process)
    detect.tell(fleet)
    auditor = Auditor(outbox, settings.replica, clock)
    api = CameraApi(
        outbox,
        cameras=cameras,
        states=states,
        changes=changes,
        auditor=auditor,
        clock=clock,
        doors=settings.doors,
        timeout_s=settings.call_timeout_s,
    )
    stage = Stage(bus, "ingest", INPUTS, handler, state=STATE)
    return [outbox, Tables(bus, [cameras, states]), detect, runtime, fleet, stage, Api(settings, api, auditor)]


def run(settings: IngestSettings) -> int:
    """Run one worker until SIGTERM or SIGINT; return its exit status."""
    return service.run("ingest", parts(settings, SystemClock()), settings.http_listen, settings.ports_file)
