"""The matrix of faults: whatever fails, no picture leaves on any path, counts are unknown, and it recovers by itself.

What has no session yet (no model, a wrong checksum) is in test_real_models.py, streams with holes in
test_lost_references.py, clocks and sizes in test_memory.py as well.
"""

from __future__ import annotations

import asyncio
import io
import struct
import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import av
import cv2
import numpy as np
import pytest
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2
from lamplight.observation.v1 import observation_pb2
from lamplight_detect import metrics
from lamplight_detect.adapters import grpc_frames
from lamplight_detect.adapters.grpc_frames import Frames, FrameServer, Uploads
from lamplight_detect.adapters.lanes import Lanes
from lamplight_detect.adapters.video_file import VideoFile
from lamplight_detect.adapters.watchdog import Threads, TimedFinder
from lamplight_detect.detections import Detections
from lamplight_detect.gate import Gate, GateClosed
from lamplight_detect.gate.masks import FILL
from lamplight_detect.models.centerface import CenterFace
from lamplight_detect.models.finder import ModelFault
from lamplight_detect.models.nanodet import NanoDet
from lamplight_detect.redact import Redactor
from lamplight_detect.testing import UPRIGHT_ALONE, Room, Said, noise
from lamplight_kit.errors import Retry
from lamplight_kit.kafka.types import Outgoing
from lamplight_kit.onnx import Manifest
from lamplight_kit.seal import verify
from lamplight_models import manifest
from numpy.typing import NDArray

NS = 1_000_000_000
START = 1_700_000_000 * NS
HW = (120, 160)
PERSON: Said = ("person", (40.0, 30.0, 60.0, 90.0), 0.6)
CAMERA = camera_pb2.Camera(id="cam", sampling=camera_pb2.Sampling(min_gap_s=0.2, max_gap_s=30), evidence_every_s=1)
ENROLMENT = frame_pb2.Enrolment(situation_id="flood", reference_id="a")
MALFORMED = Path(__file__).parents[3] / "tests" / "media" / "robustness"
Outputs = dict[str, NDArray[np.float32]]


def png(bgr: NDArray[Any]) -> bytes:
    """Return a PNG."""
    return cv2.imencode(".png", bgr)[1].tobytes()


@dataclass
class Outbox:
    """An outbox in memory."""

    records: list[Outgoing] = field(default_factory=list)

    def put(self, records: Sequence[Outgoing]) -> None:
        """Take records."""
        self.records.extend(records)


@dataclass
class Everywhere:
    """A whole detect with all its paths: live frames, uploads, examples, files."""

    room: Room
    folder: Path
    outbox: Outbox = field(default_factory=Outbox)
    seq: int = 0

    @property
    def redactor(self) -> Redactor:
        """The redactor on the room's gate."""
        return Redactor(self.room.detector.examiner.gate, self.room.sealer, VideoFile)

    def live(
        self, data: bytes, at_s: float | None = None, *, falls_silent: bool = True, **more: object
    ) -> tuple[frame_pb2.Verdict, Any]:
        """Send a Frame as gRPC does; return its verdict and what was observed (None: nothing)."""
        self.seq += 1
        told = {"camera_id": "cam", "epoch": 1, "codec": "png", "is_key": True, "examine": True, **more}
        at_ns = START + round((2 * self.seq if at_s is None else at_s) * NS)
        frame = frame_pb2.Frame(seq=self.seq, at_ns=at_ns, data=data, **told)  # type: ignore[arg-type] # a mixture
        server = object.__new__(FrameServer)
        server._detector, server._outbox = self.room.detector, cast("Any", self.outbox)
        server._tables = cast("Any", {"cameras": SimpleNamespace(get=lambda _key: CAMERA)})
        before = len(self.outbox.records)
        verdict = server._handled(frame)
        if falls_silent:
            server.done("cam")  # what waits for a next picture leaves
        new = [one.message for one in self.outbox.records[before:]]
        seen = [one.seen for one in new if isinstance(one, observation_pb2.Observation)]
        return verdict, seen[-1] if seen else None

    def upload(self, data: bytes, *, as_example: bool) -> frame_pb2.RedactStillResponse:
        """Upload a picture as gRPC does."""
        request = frame_pb2.RedactStillRequest(frame=frame_pb2.Frame(data=data))
        if as_example:
            request.enrolment.CopyFrom(ENROLMENT)
        auditor: Any = SimpleNamespace(record=lambda *_: None)
        clock: Any = SimpleNamespace(now_ns=lambda: START)
        uploads = Uploads(
            self.redactor,
            self.room.store,
            lambda _, __: f"up/{len(self.room.store.pictures)}",
            auditor,
            self.outbox,
            clock,
        )
        frames = Frames(Lanes(lambda _frame: frame_pb2.Verdict(), 1), uploads, 1, lambda: None)
        return asyncio.run(frames.RedactStill(request, None))

    def left(self) -> tuple[int, int, int]:
        """Return how many pictures, regions and files have left."""
        regions = sum(one.topic == "regions" for one in self.outbox.records)
        return len(self.room.store.pictures), regions, len(list(self.folder.iterdir()))

    def nothing_leaves(self, data: bytes, **more: object) -> str:
        """Send `data` on every path, expect that nothing leaves on any; return what the camera was told."""
        before, counted = self.left(), metrics.CLOSED._value.get()
        verdict, seen = self.live(data, **more)
        assert seen is not None
        assert not seen.HasField("counts")
        assert not seen.things
        assert seen.gate_closed
        for as_example in (False, True):
            answer = self.upload(data, as_example=as_example)
            assert answer.refused
            assert (answer.picture, answer.picture_key) == (b"", "")
        assert self.redactor.redact_picture(data).refused
        assert self.left() == before
        assert metrics.CLOSED._value.get() == counted + 3
        return str(seen.gate_closed + verdict.reason)

    def all_leaves(self, data: bytes, **more: object) -> None:
        """Send `data` on every path, expect that it leaves redacted on all."""
        stored, regions, _ = self.left()
        _, seen = self.live(data, **more)
        assert seen is not None
        assert (seen.gate_closed, seen.HasField("counts")) == ("", True)
        assert self.upload(data, as_example=False).picture
        assert self.upload(data, as_example=True).picture_key
        assert self.left()[0] >= stored + 2
        assert self.left()[1] >= regions + 1


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are nobody's here."""
    monkeypatch.setattr(grpc_frames, "current_caller", lambda: None)


@pytest.fixture
def everywhere(room: Room, tmp_path: Path) -> Everywhere:
    """Detect on finders that see somebody."""
    room.things.said = [PERSON]
    return Everywhere(room, tmp_path)


@dataclass
class Spoilt:
    """A session that answers as a working one, until `spoil` changes its answer or `fault` is raised or waited for."""

    manifest: Manifest
    spoil: Callable[[Outputs], Any] = field(default=lambda outputs: outputs)

    def run(self, tensor: NDArray[np.float32]) -> Outputs:
        """Answer: nobody is there."""
        rows, columns = tensor.shape[2] // 4, tensor.shape[3] // 4
        if self.manifest.decode.kind != "nanodet":
            heat = np.linspace(0, 0.01, rows * columns, dtype=np.float32).reshape(1, 1, rows, columns)
            sides = np.zeros((1, 2, rows, columns), np.float32)
            return cast("Outputs", self.spoil({"heatmap": heat, "log_size": sides, "offset": sides.copy()}))
        return cast("Outputs", self.spoil({name: array.copy() for name, array in NOBODY.items()}))


NOBODY: Outputs = {}
for _stride, _cells in ((8, 2704), (16, 676), (32, 169)):
    NOBODY[f"scores_{_stride}"] = np.linspace(0, 0.01, _cells * 80, dtype=np.float32).reshape(1, _cells, 80)
    NOBODY[f"sides_{_stride}"] = np.zeros((1, _cells, 44), np.float32)


def raises(error: BaseException) -> Callable[[Outputs], Outputs]:
    """Return what raises `error`."""

    def spoil(_: Outputs) -> Outputs:
        raise error

    return spoil


def filled(level: float) -> Callable[[Outputs], Outputs]:
    """Return what answers one value everywhere."""
    return lambda outputs: {name: np.full_like(array, level) for name, array in outputs.items()}


def one_of(level: float) -> Callable[[Outputs], Outputs]:
    """Return what puts one such value into each output."""

    def spoil(outputs: Outputs) -> Outputs:
        for array in outputs.values():
            array.flat[7] = level
        return outputs

    return spoil


def far_outside(outputs: Outputs) -> Outputs:
    """Answer with a sure box that lies far beyond any picture."""
    if "heatmap" in outputs:
        outputs["heatmap"].flat[3], outputs["log_size"][:] = 0.9, 9
    else:
        outputs["scores_32"][0, 80, 0] = 0.9
        outputs["sides_32"][0, 80] = np.tile([*[-50] * 10, 50], 4)
        outputs["sides_32"] *= np.float32(1)
    return outputs


SESSION_FAULTS: dict[str, Callable[[Outputs], Any]] = {
    "raises": raises(RuntimeError("onnxruntime quotes MARKER")),
    "memory refused": raises(MemoryError("MARKER")),
    "disk": raises(OSError("MARKER")),
    "ends": raises(SystemExit("MARKER")),
    "nothing": lambda _: {},
    "None": lambda _: None,
    "NaN everywhere": filled(float("nan")),
    "NaN once": one_of(float("nan")),
    "infinity once": one_of(float("inf")),
    "one value": filled(0.0),
    "no scores": one_of(7.0),
    "of another shape": lambda outputs: {name: array[:, :1] for name, array in outputs.items()},
    "of other names": lambda outputs: {f"x{name}": array for name, array in outputs.items()},
}


@dataclass
class OnSessions:
    """Detect on sessions, each in time."""

    everywhere: Everywhere
    sessions: dict[str, Spoilt]
    finders: dict[str, TimedFinder]


@pytest.fixture
def on_sessions(room: Room, tmp_path: Path) -> OnSessions:
    """Detect on sessions that answer as models do, behind the watchdog."""
    sessions = {name: Spoilt(manifest(name)) for name in ("nanodet", "centerface")}
    threads = Threads(1)
    timed = {
        "nanodet": TimedFinder(NanoDet(sessions["nanodet"]), threads, 20),
        "centerface": TimedFinder(CenterFace(sessions["centerface"]), threads, 20),
    }
    gate = Gate(timed["nanodet"], timed["centerface"], UPRIGHT_ALONE)
    room.detector.examiner = replace(room.detector.examiner, gate=gate)
    return OnSessions(Everywhere(room, tmp_path), sessions, timed)


@pytest.mark.parametrize("broken", ["nanodet", "centerface"])
def test_a_session_that_fails_closes_every_path(on_sessions: OnSessions, broken: str) -> None:
    """Whatever a session does instead of answering, of either model, on all paths; the next good answer opens."""
    paths, session = on_sessions.everywhere, on_sessions.sessions[broken]
    paths.all_leaves(png(noise()))
    for number, (name, spoil) in enumerate(SESSION_FAULTS.items()):
        session.spoil = spoil
        assert "MARKER" not in paths.nothing_leaves(png(noise(1 + 2 * number))), name
        session.spoil = lambda outputs: outputs
        before = paths.left()
        paths.live(png(noise(2 + 2 * number)))
        assert paths.left() > before, name


@pytest.mark.parametrize("broken", ["nanodet", "centerface"])
def test_a_session_that_hangs_closes_every_path(on_sessions: OnSessions, broken: str) -> None:
    """A call that never ends costs its picture, on all paths, and no thread that others need."""
    paths, session, finder = on_sessions.everywhere, on_sessions.sessions[broken], on_sessions.finders[broken]
    forever = threading.Event()

    def hang(outputs: Outputs) -> Outputs:
        forever.wait(60)
        return outputs

    paths.all_leaves(png(noise()))
    session.spoil, finder._timeout_s = hang, 0.05
    try:
        assert "no answer within 0.05 s" in paths.nothing_leaves(png(noise(1)))
        session.spoil, finder._timeout_s = (lambda outputs: outputs), 20
        paths.live(png(noise(2)))
        paths.all_leaves(png(noise(3)))
    finally:
        forever.set()


def test_boxes_far_outside_close_every_path(everywhere: Everywhere) -> None:
    """Boxes that no working model gives, of either model, on all paths."""
    room = everywhere.room
    box = np.array([[9e5, 0, 9e6, 5]], np.float32)
    for finder in (room.things, room.faces):
        finder.fault = lambda: Detections(box, np.ones(1, np.float32), np.zeros(1, np.int64))
        everywhere.nothing_leaves(png(noise(1)))
        finder.fault = None
        everywhere.live(png(noise(2)))
        everywhere.all_leaves(png(noise(3)))


def test_a_model_of_another_kind_makes_no_gate() -> None:
    """The faces' model in the things' place, or the other way about, never gets as far as a picture."""
    with pytest.raises(ModelFault):
        NanoDet(Spoilt(manifest("centerface")))
    with pytest.raises(ModelFault):
        CenterFace(Spoilt(manifest("nanodet")))
    faces = CenterFace(Spoilt(manifest("centerface")))
    with pytest.raises(GateClosed):
        Gate(faces, faces, UPRIGHT_ALONE)


@pytest.mark.parametrize("error", [MemoryError("MARKER"), OSError("MARKER"), RuntimeError("MARKER")])
@pytest.mark.parametrize("where", ["gate.gate.burnt", "gate.encode.cv2.imencode", "gate.seal.segments.insert"])
def test_a_fault_behind_the_models_closes_every_path(
    everywhere: Everywhere, monkeypatch: pytest.MonkeyPatch, error: Exception, where: str
) -> None:
    """Burning the masks in, encoding, sealing: memory, a disk and a runtime are refusals with their class alone."""
    everywhere.all_leaves(png(noise()))
    first, second = png(noise(1)), png(noise(2))
    everywhere.live(first, falls_silent=False)
    with monkeypatch.context() as patched:
        patched.setattr(f"lamplight_detect.{where}", lambda *_, **__: (_ for _ in ()).throw(error))
        told = everywhere.nothing_leaves(second)
        assert type(error).__name__ in told
        assert "MARKER" not in told
    everywhere.live(png(noise(2)))
    everywhere.all_leaves(png(noise(3)))


def test_a_store_that_fails_costs_the_example_and_its_region(everywhere: Everywhere) -> None:
    """An example that cannot be kept is answered with the reason, and no region names it."""
    everywhere.room.store.fault = OSError("MARKER")
    answer = everywhere.upload(png(noise()), as_example=True)
    assert "OSError" in answer.refused
    assert "MARKER" not in answer.refused
    assert (answer.picture, everywhere.outbox.records) == (b"", [])
    everywhere.room.store.fault = Retry("away")

    async def abort(code: object, why: str) -> None:
        raise ConnectionAbortedError(why)

    uploads: Any = SimpleNamespace(redact=lambda *_: (_ for _ in ()).throw(Retry("away")))
    frames = Frames(Lanes(lambda _frame: frame_pb2.Verdict(), 1), uploads, 1, lambda: None)
    with pytest.raises(ConnectionAbortedError, match="away"):
        asyncio.run(frames.RedactStill(frame_pb2.RedactStillRequest(), SimpleNamespace(abort=abort)))


# -- pictures ------------------------------------------------------------------------------------------------------


def exif(jpeg: bytes, orientation: int) -> bytes:
    """Return the JPEG with an EXIF orientation."""
    body = b"Exif\x00\x00MM\x00*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def jpeg(bgr: NDArray[Any]) -> bytes:
    """Return a JPEG."""
    return cv2.imencode(".jpg", bgr)[1].tobytes()


def video(
    bgr: NDArray[np.uint8], encoder: str, pix_fmt: str, more: dict[str, str] | None = None, count: int = 1
) -> bytes:
    """Return the first `count` encoded pictures of a still video, as one access unit after the other."""
    context = cast("av.VideoCodecContext", av.CodecContext.create(encoder, "w"))
    context.height, context.width, context.pix_fmt = *bgr.shape[:2], pix_fmt
    context.framerate, context.time_base = Fraction(10), Fraction(1, 10)
    context.options = {"tune": "zerolatency", **(more or {})}
    packets = []
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(bgr, format="bgr24")
        frame.pts = number
        packets += context.encode(frame)
    packets += context.encode(None)
    return bytes(packets[0])


QUIET = cv2.GaussianBlur(noise(), (9, 9), 0).astype(np.uint8)
TURNED = np.ascontiguousarray(np.rot90(QUIET))
WELL_FORMED: dict[str, tuple[bytes, dict[str, object]]] = {
    "JPEG": (jpeg(QUIET), {}),
    "grey JPEG": (jpeg(cv2.cvtColor(QUIET, cv2.COLOR_BGR2GRAY)), {}),
    "grey PNG": (png(cv2.cvtColor(QUIET, cv2.COLOR_BGR2GRAY)), {}),
    "16-bit PNG": (png(QUIET.astype(np.uint16) * 257), {}),
    "16-bit grey PNG": (png(cv2.cvtColor(QUIET, cv2.COLOR_BGR2GRAY).astype(np.uint16) * 257), {}),
    "PNG with alpha": (png(np.dstack([QUIET, np.zeros(HW, np.uint8)])), {}),
    "EXIF-rotated": (exif(jpeg(TURNED), 6), {}),
    "display-matrix-rotated": (png(TURNED), {"rotation_deg": 90}),
    "10-bit H.264": (video(QUIET, "libx264", "yuv420p10le"), {"codec": "h264"}),
    "4:4:4 H.264": (video(QUIET, "libx264", "yuv444p"), {"codec": "h264"}),
    "grey H.264": (video(QUIET, "libx264", "gray"), {"codec": "h264"}),
    "interlaced H.264": (video(QUIET, "libx264", "yuv420p", {"x264-params": "interlaced=1"}), {"codec": "h264"}),
    "10-bit H.265": (video(QUIET, "libx265", "yuv420p10le", {"x265-params": "log-level=none"}), {"codec": "hevc"}),
}


@pytest.mark.parametrize("name", WELL_FORMED)
def test_odd_pictures_leave_masked_where_somebody_is(everywhere: Everywhere, name: str) -> None:
    """Of any depth, colours and rotation: it leaves upright, in 8 bits and three channels, solid where somebody is."""
    data, more = WELL_FORMED[name]
    _, seen = everywhere.live(data, **more)
    assert seen is not None
    assert (seen.gate_closed, seen.HasField("counts")) == ("", True)
    assert (seen.frame_height_px, seen.frame_width_px) == HW
    (sealed,) = everywhere.room.store.pictures.values()
    shown = cv2.imdecode(np.frombuffer(verify(sealed, everywhere.room.keys).jpeg, np.uint8), cv2.IMREAD_UNCHANGED)
    assert shown is not None
    assert shown.shape == (*HW, 3)
    assert np.abs(shown[38:82, 44:56].astype(int) - FILL).max() < 16
    assert np.abs(shown[20:100, 100:150].astype(int) - QUIET[20:100, 100:150]).mean() < 60
    if more.get("codec", "png") == "png" and "rotation_deg" not in more:
        assert everywhere.upload(data, as_example=False).picture


def test_a_cmyk_picture_leaves_in_three_colours(room: Room) -> None:
    """Four channels of ink come out as three of light, or not at all."""
    result = Redactor(room.gate, room.sealer, VideoFile).redact_picture(
        (MALFORMED / "pillow_pil_sample_cmyk.jpg").read_bytes()
    )
    assert not result.refused
    shown = cv2.imdecode(np.frombuffer(result.picture, np.uint8), cv2.IMREAD_UNCHANGED)
    assert shown is not None
    assert shown.shape[2] == 3


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def huge() -> bytes:
    """Return a PNG of 20,000x20,000 pixels, whole but for its pixels: a megabyte of zeros."""
    head = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(1 << 20))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


MALFORMED_PICTURES: dict[str, bytes] = {
    "1x1": png(np.zeros((1, 1, 3), np.uint8)),
    "20,000x20,000": huge(),
    "JPEG without its end marker": jpeg(QUIET)[:-2],
    "JPEG cut in half": jpeg(QUIET)[: len(jpeg(QUIET)) // 2] + b"\xff\xd9",
    "12-bit JPEG": jpeg(QUIET).replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"),
    "GIF": b"GIF89a" + bytes(40),
    "nothing": b"",
    "an empty JPEG": b"\xff\xd8\xff\xd9",
}


@pytest.mark.parametrize("name", MALFORMED_PICTURES)
def test_malformed_pictures_leave_on_no_path(everywhere: Everywhere, name: str) -> None:
    """The camera is told what is wrong, and the next whole picture leaves."""
    everywhere.all_leaves(png(noise()))
    codec = "mjpeg" if name != "20,000x20,000" else "png"
    assert "expected" in everywhere.nothing_leaves(MALFORMED_PICTURES[name], codec=codec)
    everywhere.live(png(noise(2)))
    everywhere.all_leaves(png(noise(3)))


def test_a_clock_that_goes_back_leaves_nothing_and_recovers(everywhere: Everywhere) -> None:
    """The picture from before the last one tells unknown counts; the ones after it leave again."""
    everywhere.all_leaves(png(noise()))
    before = everywhere.left()
    verdict, seen = everywhere.live(png(noise(1)), at_s=-50)
    assert "time" in verdict.reason
    assert seen is not None
    assert seen.gate_closed
    assert not seen.HasField("counts")
    assert everywhere.left() == before
    everywhere.live(png(noise(2)), at_s=-48)
    everywhere.live(png(noise(3)), at_s=-46)
    assert everywhere.left()[0] > before[0]


def test_a_size_that_changes_in_mid_stream_holds_its_masks(everywhere: Everywhere) -> None:
    """Nobody is found in the new size: what was masked in the old one stays masked where it lies now."""
    everywhere.live(png(noise()))
    everywhere.live(png(cv2.resize(noise(), (320, 240))))
    sealed = list(everywhere.room.store.pictures.values())[-1]
    shown = cv2.imdecode(np.frombuffer(sealed, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (240, 320, 3)
    assert np.abs(shown[76:164, 88:112].astype(int) - FILL).max() < 16


def clip(path: Path, bgr: Sequence[NDArray[np.uint8]]) -> Path:
    """Write a video."""
    with av.open(str(path), "w") as container:
        out = cast("av.VideoStream", container.add_stream("libx264", rate=10))
        out.height, out.width, out.pix_fmt = *bgr[0].shape[:2], "yuv420p"
        for one in bgr:
            container.mux(out.encode(av.VideoFrame.from_ndarray(one, format="bgr24")))
        container.mux(out.encode(None))
    return path


VIDEO_FAULTS: dict[str, str] = {
    "searching": "gate.gate.Gate.look",
    "burning in": "gate.gate.burnt",
    "encoding": "gate.video.RedactedVideo.add",
    "finishing": "gate.video.RedactedVideo.finish",
    "sealing": "gate.seal.Sealer.seal",
}


@pytest.mark.parametrize("error", [OSError("MARKER"), RuntimeError("MARKER"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", VIDEO_FAULTS)
def test_a_video_that_fails_leaves_nothing_behind(
    everywhere: Everywhere, monkeypatch: pytest.MonkeyPatch, where: str, error: BaseException
) -> None:
    """Wherever a video stops, by a fault or by whoever waits, no file is left, whole or in part; an older one stays."""
    source = clip(everywhere.folder / "in.mp4", [QUIET] * 3)
    out = everywhere.folder / "out.mp4"
    out.write_bytes(b"older")
    name = f"lamplight_detect.{VIDEO_FAULTS[where]}"
    monkeypatch.setattr(name, lambda *_, **__: (_ for _ in ()).throw(error))
    if isinstance(error, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            everywhere.redactor.redact_video(source, out)
    else:
        told = everywhere.redactor.redact_video(source, out).refused
        assert type(error).__name__ in told
        assert "MARKER" not in told
    assert {one.name for one in everywhere.folder.iterdir()} == {"in.mp4", "out.mp4"}
    assert out.read_bytes() == b"older"


def test_a_broken_stream_is_told_once_a_second_and_counted_each_time(everywhere: Everywhere) -> None:
    """What cannot be read is in the metric though it is not worth an observation each."""
    counted = metrics.CLOSED._value.get()
    told = [everywhere.live(b"\xff\xd8", at_s=number / 10, codec="mjpeg")[1] for number in range(5)]
    assert [one is not None for one in told] == [True, False, False, False, False]
    assert metrics.CLOSED._value.get() == counted + 5


def test_the_matrix_reads_what_it_writes() -> None:
    """A fault that changed nothing would prove nothing: the sessions' answers are a street where nobody is."""
    for name, finder in (("nanodet", NanoDet), ("centerface", CenterFace)):
        found = finder(Spoilt(manifest(name))).find(QUIET, 0.05)  # type: ignore[operator] # two classes alike
        assert len(found) == 0
    assert io.BytesIO(huge()).read(8) == b"\x89PNG\r\n\x1a\n"
