"""FrameService: where raw pictures come in, over gRPC and in memory only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import grpc
import structlog
from lamplight.camera.v1 import camera_pb2
from lamplight.frame.v1 import frame_pb2, frame_pb2_grpc
from lamplight_kit import trace
from lamplight_kit.audit import Auditor
from lamplight_kit.clock import Clock
from lamplight_kit.errors import Retry
from lamplight_kit.kafka.table import Table
from lamplight_kit.kafka.types import Outbox, Outgoing
from lamplight_kit.rpc import Caller, Role, RpcPart, RpcServer, Tokens, current_caller

from lamplight_detect import metrics
from lamplight_detect.adapters.lanes import Lanes
from lamplight_detect.gate import Policy
from lamplight_detect.handler import Detector, Result
from lamplight_detect.redact import Redactor, RedactResult
from lamplight_detect.releaser import Store
from lamplight_detect.settings import DetectSettings

SERVICE = "/lamplight.frame.v1.FrameService/"
CREDIT_PER_WORKER = 4
_log = structlog.get_logger()


class _Enrolment(Protocol):
    situation_id: str
    reference_id: str


@dataclass(frozen=True)
class Uploads:
    """RedactStill's work: redact, store, put the region out, write the audit."""

    redactor: Redactor
    store: Store
    key_of: Callable[[int, bytes], str]
    auditor: Auditor
    outbox: Outbox
    clock: Clock

    def redact(self, request: frame_pb2.RedactStillRequest, caller: Caller) -> frame_pb2.RedactStillResponse:
        """Answer `request` for `caller`; an enrolment's picture is stored before its region is put out."""
        at_ns = request.frame.at_ns or self.clock.now_ns()
        subjects = _subjects(request.enrolment) if request.HasField("enrolment") else []
        self.auditor.record(caller, "redact_still", subjects)
        if not request.HasField("enrolment"):
            return _response(self.redactor.redact_picture(request.frame.data, at_ns), "")
        result, region = self.redactor.example(
            request.frame.data, at_ns, request.enrolment, lambda sealed: self.key_of(at_ns, sealed)
        )
        if region is None:
            return _response(result, "")
        key = self.key_of(at_ns, result.picture)
        self.store.put(key, result.picture)
        self.outbox.put([Outgoing("regions", request.enrolment.situation_id, region)])
        return _response(result, key)


class FrameServer(RpcPart):
    """The gRPC server of detect; a part of the service."""

    after_s = Policy().live_gap_s

    def __init__(
        self,
        settings: DetectSettings,
        detector: Detector,
        tables: Mapping[str, Table],
        uploads: Uploads,
        workers: int,
    ) -> None:
        """Serve `detector` with `workers` threads, once `tables` have been read; put out what `uploads` puts out.

        It is also what lets a picture leave that waits for a next one of a camera that has fallen silent.
        """
        self._detector, self._tables, self._outbox = detector, tables, uploads.outbox
        self._lanes = Lanes(self._handled, workers, self)
        frames = Frames(self._lanes, uploads, CREDIT_PER_WORKER * workers, self.unready)
        allow = {f"{SERVICE}StreamFrames": Role.OPERATOR, f"{SERVICE}RedactStill": Role.OPERATOR}

        def register(server: grpc.aio.Server) -> None:
            frame_pb2_grpc.add_FrameServiceServicer_to_server(frames, server)

        tokens = Tokens.read(settings.tokens_file)
        super().__init__(
            RpcServer(settings.grpc_listen, [register], tokens, allow, _credentials(settings), uploads.auditor.refused)
        )

    async def close(self, timeout_s: float) -> None:
        """Answer what was taken, then end."""
        await self._lanes.drain(timeout_s / 2)
        await super().close(timeout_s / 4)

    def unready(self) -> str | None:
        """Say which table has not been read, or None."""
        waiting = [name for name, table in self._tables.items() if not table.is_ready]
        return f"reading {', '.join(waiting)}" if waiting else None

    def _handled(self, frame: frame_pb2.Frame) -> frame_pb2.Verdict:
        """Examine `frame` and put out what it led to; called from a worker's thread."""
        camera = self._tables["cameras"].get(frame.camera_id)
        with trace.within(trace.current()):  # one trace for all that comes of a frame
            result = self._detector.handle(frame, camera if isinstance(camera, camera_pb2.Camera) else None)
            self._told(result)
        return result.verdict

    def is_due(self, camera_id: str) -> bool:
        """Tell whether a picture of the camera waits for the next one."""
        return self._detector.waits(camera_id)

    def done(self, camera_id: str) -> None:
        """Let the picture leave that waits: no next one came; called from a worker's thread."""
        self._told(self._detector.flush(camera_id))

    def _told(self, result: Result) -> None:
        if result.records:
            self._outbox.put(result.records)
        metrics.EXAMINED.inc(result.examined)
        metrics.RELEASED.inc(result.released)
        metrics.VOUCHED.inc(result.vouched)
        if result.gate_closed:
            verdict = result.verdict
            metrics.CLOSED.inc()
            is_told = result.records or not verdict.outcome  # each is counted, one a second is told
            say = _log.warning if is_told else _log.debug
            say("gate closed", camera_id=verdict.camera_id, seq=verdict.seq, why=result.gate_closed)


class Frames(frame_pb2_grpc.FrameServiceServicer):
    """The two calls that take a Frame."""

    def __init__(self, lanes: Lanes, uploads: Uploads, credit: int, unready: Callable[[], str | None]) -> None:
        """Give each stream `credit` frames; refuse streams while `unready` says why."""
        self._lanes, self._uploads, self._credit, self._unready = lanes, uploads, credit, unready
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="upload")

    async def StreamFrames(
        self, request_iterator: AsyncIterator[frame_pb2.StreamFramesRequest], context: Any
    ) -> AsyncIterator[frame_pb2.StreamFramesResponse]:
        """Take frames, answer verdicts; the first answer only gives credit."""
        why = self._unready()
        if why is not None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, why)
        stream = _Stream(self._credit)
        reader = asyncio.create_task(self._read(request_iterator, stream))
        yield _credit_only(self._credit)
        try:
            while (verdict := await stream.next()) is not None:
                yield frame_pb2.StreamFramesResponse(verdict=verdict)
        finally:
            reader.cancel()
            stream.is_open = False

    async def RedactStill(self, request: frame_pb2.RedactStillRequest, context: Any) -> frame_pb2.RedactStillResponse:
        """Redact one upload."""
        loop = asyncio.get_running_loop()
        try:
            response = await loop.run_in_executor(self._pool, self._uploads.redact, request, current_caller())
        except Retry as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        except Exception as error:  # noqa: BLE001 - its text may quote the picture, and gRPC would answer and log it
            why = f"{type(error).__name__} while redacting found, none expected; see the machine's memory and disk"
            response = frame_pb2.RedactStillResponse(refused=why)
        if response.refused:
            metrics.CLOSED.inc()
            _log.warning("upload refused", why=response.refused)
        return response

    async def _read(self, requests: AsyncIterator[frame_pb2.StreamFramesRequest], stream: _Stream) -> None:
        try:
            async for request in requests:
                if request.HasField("frame"):
                    stream.in_hand += 1
                    await self._lanes.put(request.frame, stream.answer)
        finally:
            stream.ended()


class _Stream:
    """One stream's answers: verdicts on their way out, and how many frames are in hand."""

    def __init__(self, credit: int) -> None:
        self._credit = credit
        self._out: asyncio.Queue[frame_pb2.Verdict | None] = asyncio.Queue()
        self._has_ended = False
        self.in_hand = 0
        self.is_open = True

    async def answer(self, verdict: frame_pb2.Verdict) -> None:
        """Send `verdict` with the credit that it frees; nothing where the stream is gone."""
        self.in_hand -= 1
        verdict.credit = max(0, self._credit - self.in_hand)
        if self.is_open:
            self._out.put_nowait(verdict)
            if self._has_ended and self.in_hand == 0:
                self._out.put_nowait(None)

    def ended(self) -> None:
        """The caller sends no more; what is in hand is still answered."""
        self._has_ended = True
        if self.in_hand == 0:
            self._out.put_nowait(None)

    async def next(self) -> frame_pb2.Verdict | None:
        """Return the next verdict, None at the end."""
        return await self._out.get()


def _credit_only(credit: int) -> frame_pb2.StreamFramesResponse:
    return frame_pb2.StreamFramesResponse(verdict=frame_pb2.Verdict(credit=credit))


def _subjects(enrolment: _Enrolment) -> list[str]:
    return [f"{enrolment.situation_id}/{enrolment.reference_id}"]


def _response(result: RedactResult, key: str) -> frame_pb2.RedactStillResponse:
    return frame_pb2.RedactStillResponse(
        picture=result.picture,
        picture_key=key,
        refused=result.refused,
        masks=result.masks,
        masked_share=result.masked_share,
    )


def _credentials(settings: DetectSettings) -> grpc.ServerCredentials | None:
    if not settings.has_mtls:
        return None
    private, chain, authority = (
        _read(path) for path in (settings.grpc_private_key, settings.grpc_certificate, settings.grpc_client_ca)
    )
    return grpc.ssl_server_credentials([(private, chain)], authority, require_client_auth=True)


def _read(path: Path | None) -> bytes:
    return b"" if path is None else path.read_bytes()
