"""Listing a city: no page too long, every camera once and in order, whatever comes and goes meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest import mock

import pytest
from fake_table import FakeTable
from hypothesis import given
from hypothesis import strategies as st
from lamplight.camera.v1 import camera_pb2
from lamplight_ingest import paging
from lamplight_ingest.api import CameraApi
from lamplight_ingest.changes import Changes
from lamplight_ingest.doors import Doors
from lamplight_kit.clock import ManualClock
from lamplight_kit.rpc.server import OPTIONS

LIMIT = dict(OPTIONS)["grpc.max_send_message_length"]
MANY = 100_000


class City:
    """An API over tables that a test writes."""

    def __init__(self, cameras: dict[str, camera_pb2.Camera]) -> None:
        """Know `cameras`."""
        self.cameras, self.states = FakeTable(dict(cameras)), FakeTable()
        self.api = CameraApi(
            mock.Mock(),
            cameras=self.cameras,
            states=self.states,
            changes=Changes(),
            auditor=mock.Mock(),
            clock=ManualClock(),
            doors=Doors(),
            timeout_s=1.0,
        )

    def page(self, **asked: Any) -> camera_pb2.ListCamerasResponse:
        """Ask for one page."""
        context = mock.Mock()
        context.abort = mock.AsyncMock(side_effect=lambda _, text, *__: self._refuse(text))
        return asyncio.run(self.api.ListCameras(camera_pb2.ListCamerasRequest(**asked), context))

    @staticmethod
    def _refuse(text: str) -> None:
        raise LookupError(text)


def ids(answer: camera_pb2.ListCamerasResponse) -> list[str]:
    """Return the ids of a page."""
    return [entry.camera.id for entry in answer.entries]


def camera(name: str, words: int = 0) -> camera_pb2.Camera:
    """Return a camera, the larger the more words."""
    return camera_pb2.Camera(id=name, source=f"rtsp://10.0.0.1/{name}", purpose="word " * words)


def test_a_hundred_thousand_come_once_and_in_order_while_others_come_and_go() -> None:
    """Those that were there all the while; no answer is near the limit of a message."""
    before = [f"cam-{number:06d}" for number in range(MANY)]
    city = City({name: camera(name, words=40) for name in before})
    city.states.values = {name: camera_pb2.CameraState(camera_id=name, reason="pictures come") for name in before}
    seen, token, pages = [], "", 0
    while True:
        answer = city.page(page_size=paging.MOST, page_token=token)
        assert answer.ByteSize() < LIMIT / 2
        seen += ids(answer)
        pages, token = pages + 1, answer.next_page_token
        if not token:
            break
        for name in (f"cam-{(pages * 7919) % MANY:06d}-new", f"aaa-{pages}", f"zzz-{pages}"):
            city.cameras.values[name] = camera(name)
    assert seen == sorted(set(seen))
    assert set(before) <= set(seen)
    assert pages <= MANY // paging.MOST + 2


def test_large_cameras_make_short_pages() -> None:
    """An answer has a bound of bytes beside that of cameras."""
    city = City({f"cam-{number:03d}": camera(f"cam-{number:03d}", words=12_000) for number in range(300)})
    seen, token = [], ""
    while True:
        answer = city.page(page_token=token)
        assert 0 < answer.ByteSize() <= paging.PAGE_BYTES + 2**17
        seen += ids(answer)
        token = answer.next_page_token
        if not token:
            break
    assert seen == sorted(city.cameras.values)


def test_a_camera_that_goes_while_its_page_is_made_ends_no_list() -> None:
    """What is behind it still comes."""
    city = City({name: camera(name) for name in "abcd"})
    real = city.cameras.get
    city.cameras.get = lambda key: None if key == "c" else real(key)  # type: ignore[method-assign] # removed in between
    first = city.page(page_size=2)
    assert ids(first) == ["a", "b"]
    assert ids(city.page(page_size=2, page_token=first.next_page_token)) == ["d"]


def test_some_cameras_by_id() -> None:
    """Each once, in order; one that is not in use is told with the nearest."""
    city = City({name: camera(name) for name in ("quay-1", "quay-2", "gate")})
    assert ids(city.page(ids=["quay-2", "gate", "gate"])) == ["gate", "quay-2"]
    with pytest.raises(LookupError):
        city.page(ids=["quay-1", "quay3"])


@pytest.mark.parametrize("asked", [{"page_size": -1}, {"page_token": "nonsense"}, {"ids": ["a"] * 1001}])
def test_what_makes_no_sense_is_refused(asked: dict[str, Any]) -> None:
    """Before anything is listed, in words that read as a sentence."""
    with pytest.raises(LookupError, match=r"(?<!expected) expected;"):
        City({}).page(**asked)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=70))
def test_a_token_says_where_to_go_on(text: str) -> None:
    """What is no token of ours is told so, and raises nothing else."""
    assert paging.after(paging.token_after(text)) == text
    if text:
        with pytest.raises(ValueError, match="next_page_token"):
            paging.after(text)
