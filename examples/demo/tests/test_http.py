"""The snapshot server tells a new picture from one that the caller has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from lamplight_demo.cameras import http
from lamplight_demo.cameras.http import Script, Step

SCRIPT = Script((Step(b"dry", 10.0), Step(b"wet", 5.0)))
START_S = 1_700_000_000.0


@dataclass
class Clock:
    """Unix seconds that a test turns."""

    now_s: float = START_S

    def __call__(self) -> float:
        """Return the time set last."""
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still."""
    return Clock()


@pytest.fixture
def address(clock: Clock) -> Iterator[str]:
    """Give the address of a running camera."""
    with http.serve({"quay": SCRIPT}, now=clock) as server:
        yield server.url("quay")


def get(address: str, **headers: str) -> httpx.Response:
    """Ask for `address` directly, whatever proxy the environment names."""
    with httpx.Client(trust_env=False) as client:
        return client.get(address, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("elapsed_s", "jpeg", "began_s"),
    [(0.0, b"dry", 0.0), (9.9, b"dry", 0.0), (10.0, b"wet", 10.0), (15.0, b"dry", 15.0), (26.0, b"wet", 25.0)],
)
def test_a_script_goes_round(elapsed_s: float, jpeg: bytes, began_s: float) -> None:
    """Each step shows for its time, and the first follows the last."""
    step, began = SCRIPT.at(elapsed_s)
    assert (step.jpeg, began) == (jpeg, began_s)


def test_the_picture_changes_as_the_script_says(address: str, clock: Clock) -> None:
    """The same address gives the next picture once its time has come."""
    first = get(address)
    clock.now_s += 10
    second = get(address)
    assert (first.content, second.content) == (b"dry", b"wet")
    assert first.headers["content-type"] == "image/jpeg"
    assert first.headers["last-modified"] != second.headers["last-modified"]


def test_a_caller_that_has_the_picture_gets_304(address: str, clock: Clock) -> None:
    """By tag or by date, a picture already held is not sent again; the next one is."""
    first = get(address)
    by_tag = get(address, If_None_Match=first.headers["etag"])
    by_date = get(address, If_Modified_Since=first.headers["last-modified"])
    assert (by_tag.status_code, by_date.status_code, by_tag.content) == (304, 304, b"")
    clock.now_s += 10
    assert get(address, If_None_Match=first.headers["etag"]).content == b"wet"
    assert get(address, If_Modified_Since=first.headers["last-modified"]).content == b"wet"


def test_the_same_picture_taken_again_is_new(address: str, clock: Clock) -> None:
    """A scene that looks as it did a round ago is a new picture with a new tag."""
    first = get(address)
    clock.now_s += SCRIPT.duration_s
    again = get(address, If_None_Match=first.headers["etag"])
    assert (again.status_code, again.content) == (200, b"dry")


def test_an_unknown_camera_is_404_and_a_bad_date_is_ignored(address: str) -> None:
    """Neither a wrong name nor a wrong header breaks the server."""
    assert get(address.replace("quay", "nowhere")).status_code == 404
    assert get(address, If_Modified_Since="yesterday").content == b"dry"
