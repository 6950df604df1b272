"""Thousands of cameras at once: what would change is told first, then only that is done, a part at a time.

Every part answers when it is in force. Whatever interrupts, the same command again finds what is left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import grpc
from lamplight.camera.v1 import camera_pb2

from lamplight_cli.adapters.calls import call

MOST_A_CHECK = 5_000
"""Cameras that ingest checks in one call."""
IDS_AT_ONCE = 1_000
"""Cameras that one list may ask for by id."""
A_PART = 200
PARTS_AT_ONCE = 4
REMOVALS_AT_ONCE = 16
_T = TypeVar("_T")
_R = TypeVar("_R")
_YAML_NAMES = {"credentials_secret": "credentials"}


@dataclass(frozen=True)
class Change:
    """What becomes of one camera: `kind` is added, changed or unchanged; `version` is the one in force, 0 for none."""

    camera: camera_pb2.Camera
    kind: str
    fields: Sequence[str]
    version: int


@dataclass(frozen=True)
class Difference:
    """What a file changes of the cameras that are; `removed` holds ids to remove, since the file does not name them."""

    changes: Sequence[Change]
    removed: Sequence[str] = ()

    def of(self, kind: str) -> Sequence[Change]:
        """Return the changes of one kind."""
        return [change for change in self.changes if change.kind == kind]

    @property
    def to_write(self) -> Sequence[camera_pb2.Camera]:
        """The cameras that are not so yet."""
        return [change.camera for change in self.changes if change.kind != "unchanged"]

    @property
    def words(self) -> str:
        """How many of each."""
        counts = [f"{len(self.of(kind)):,} {kind}" for kind in ("added", "changed", "unchanged")]
        return ", ".join([*counts, f"{len(self.removed):,} removed"])


def difference(stub: Any, cameras: Sequence[camera_pb2.Camera], *, prune: bool) -> Difference:
    """Have ingest check all `cameras` and say what would change; nothing is written. Raises gRPC's errors."""
    changes: list[Change] = []
    for start in range(0, len(cameras), MOST_A_CHECK):
        part = cameras[start : start + MOST_A_CHECK]
        answer = call(stub.ApplyCameras, camera_pb2.ApplyCamerasRequest(cameras=part, dry_run=True))
        changes += [_change(camera, told) for camera, told in zip(part, answer.changes, strict=True)]
    if not prune:
        return Difference(changes)
    named = {camera.id for camera in cameras}
    return Difference(changes, [entry.camera.id for entry in listed(stub) if entry.camera.id not in named])


def listed(stub: Any, ids: Sequence[str] = ()) -> Iterator[camera_pb2.ListCamerasResponse.Entry]:
    """Yield all cameras with their states, or those of `ids`, a page at a time. Raises gRPC's errors."""
    for start in range(0, len(ids) or 1, IDS_AT_ONCE):
        request = camera_pb2.ListCamerasRequest(ids=ids[start : start + IDS_AT_ONCE])
        while True:
            answer = call(stub.ListCameras, request)
            yield from answer.entries
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token


def carry_out(stub: Any, wanted: Difference, progress: Callable[[int, int], None]) -> Sequence[camera_pb2.Camera]:
    """Write what differs, remove what is to go; return what was written as it is in force.

    `progress` hears how many of how many are done. Raises gRPC's errors; what was done until then stays.
    """
    left, total = list(wanted.to_write), len(wanted.to_write) + len(wanted.removed)
    parts = [left[start : start + A_PART] for start in range(0, len(left), A_PART)]

    def write(part: Sequence[camera_pb2.Camera]) -> Sequence[camera_pb2.Camera]:
        return list(call(stub.ApplyCameras, camera_pb2.ApplyCamerasRequest(cameras=part)).cameras)

    def remove(camera_id: str) -> None:
        try:
            call(stub.RemoveCamera, camera_pb2.RemoveCameraRequest(camera_id=camera_id))
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:  # gone already, by a run before this one, say
                raise

    written: list[camera_pb2.Camera] = []
    for applied in _at_once(write, parts, PARTS_AT_ONCE):
        written += applied
        progress(len(written), total)
    for done, _ in enumerate(_at_once(remove, wanted.removed, REMOVALS_AT_ONCE), 1):
        progress(len(written) + done, total)
    return written


def _change(camera: camera_pb2.Camera, told: camera_pb2.CameraChange) -> Change:
    kind = camera_pb2.CameraChange.Kind.Name(told.kind).removeprefix("KIND_").lower()
    return Change(camera, kind, [_YAML_NAMES.get(name, name) for name in told.fields], told.version)


def _at_once(do: Callable[[_T], _R], items: Iterable[_T], most: int) -> Iterator[_R]:
    """Do all of `items`, `most` at a time, and yield results as they come; the first error ends it, once all rest."""
    rest = iter(items)
    with ThreadPoolExecutor(most) as pool:
        running: set[Future[_R]] = {pool.submit(do, item) for item in islice(rest, most)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
            running |= {pool.submit(do, item) for item in islice(rest, len(done))}
