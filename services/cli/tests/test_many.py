"""Thousands of cameras at once: in parts, so many at a time, and what is done already is no mistake."""

from __future__ import annotations

import threading
from typing import Any

import grpc
import pytest
from lamplight.camera.v1 import camera_pb2
from lamplight_cli import many


class Said(grpc.RpcError):
    """An error of a call."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code


class Stub:
    """Ingest, as far as many cameras go: keeps them, and counts calls at once."""

    def __init__(self, *ids: str) -> None:
        self.cameras = {name: camera_pb2.Camera(id=name, version=1) for name in ids}
        self.sizes: list[int] = []
        self.most = 0
        self.broken_at: int | None = None
        self._now = 0
        self._lock = threading.Lock()

    def ApplyCameras(self, request: Any, timeout: float) -> Any:
        if request.dry_run:
            kinds = camera_pb2.CameraChange
            changes = [
                kinds(camera_id=each.id, kind=kinds.KIND_UNCHANGED if each.id in self.cameras else kinds.KIND_ADDED)
                for each in request.cameras
            ]
            return camera_pb2.ApplyCamerasResponse(changes=changes)
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            self.sizes.append(len(request.cameras))
            number = len(self.sizes)
        threading.Event().wait(0.01)
        with self._lock:
            self._now -= 1
        if self.broken_at is not None and number >= self.broken_at:
            raise Said(grpc.StatusCode.UNAVAILABLE)
        for each in request.cameras:
            self.cameras[each.id] = each
        return camera_pb2.ApplyCamerasResponse(cameras=request.cameras)

    def RemoveCamera(self, request: Any, timeout: float) -> Any:
        if self.cameras.pop(request.camera_id, None) is None:
            raise Said(grpc.StatusCode.NOT_FOUND)
        return camera_pb2.RemoveCameraResponse()

    def ListCameras(self, request: Any, timeout: float) -> Any:
        ids = sorted(each for each in request.ids or self.cameras if each > request.page_token)
        found = [camera_pb2.ListCamerasResponse.Entry(camera=self.cameras[each]) for each in ids[:7]]
        return camera_pb2.ListCamerasResponse(entries=found, next_page_token=ids[6] if len(ids) > 7 else "")


def wished(count: int) -> list[camera_pb2.Camera]:
    """Return cameras."""
    return [camera_pb2.Camera(id=f"cam-{number}") for number in range(count)]


def test_parts_go_a_few_at_a_time_and_a_second_run_finishes() -> None:
    """What an interruption left is all that is sent again; progress ends at all of it."""
    stub, cameras = Stub(), wished(7 * many.A_PART + 1)
    stub.broken_at = 4
    with pytest.raises(Said):
        many.carry_out(stub, many.difference(stub, cameras, prune=False), lambda *_: None)
    done, stub.broken_at, stub.sizes = len(stub.cameras), None, []
    assert 0 < done < len(cameras)
    heard: list[tuple[int, int]] = []
    left = many.difference(stub, cameras, prune=False)
    written = many.carry_out(stub, left, lambda *told: heard.append(told))
    assert (len(written), sum(stub.sizes), len(stub.cameras)) == (
        len(cameras) - done,
        len(cameras) - done,
        len(cameras),
    )
    assert max(stub.sizes) <= many.A_PART
    assert 1 < stub.most <= many.PARTS_AT_ONCE
    assert heard[-1] == (len(written), len(written))


def test_what_is_gone_already_is_no_mistake() -> None:
    """Another run may have removed it in the meantime; any other error is told."""
    stub = Stub("cam-0", "old-1", "old-2")
    wanted = many.difference(stub, wished(1), prune=True)
    assert list(wanted.removed) == ["old-1", "old-2"]
    del stub.cameras["old-1"]
    many.carry_out(stub, wanted, lambda *_: None)
    assert list(stub.cameras) == ["cam-0"]


def test_a_list_goes_through_all_pages() -> None:
    """All of them, or those that were asked for, however many; each once."""
    stub = Stub()
    stub.cameras = {each.id: each for each in wished(2_345)}
    assert [entry.camera.id for entry in many.listed(stub)] == sorted(stub.cameras)
    some = sorted(stub.cameras)[:1_500]
    assert sorted(entry.camera.id for entry in many.listed(stub, some)) == some
