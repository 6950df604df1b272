"""Enrolling fails soon and clearly: where nobody answers, and where match would refuse the threshold."""

from __future__ import annotations

import socket

import pytest
from lamplight.situation.v1 import situation_pb2
from lamplight_cli.adapters import calls
from lamplight_cli.enrol import _check_threshold
from lamplight_cli.errors import CallFailedError
from lamplight_kit.errors import BadInput


def test_a_system_that_is_gone_is_told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not after the calls' own time-out; the text names service, address and cure."""
    monkeypatch.setattr(calls, "REACH_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(CallFailedError, match=f"detect at {address}: nobody answered for 0.3 s.*lamplight up"):
        calls.calling("detect", address, "token").__enter__()


@pytest.mark.parametrize("threshold", [-1.0, 0.0, 1.01, float("nan")])
def test_a_threshold_that_match_refuses_is_refused_before_any_picture_goes(threshold: float) -> None:
    """The range is the API's: above 0 and up to 1."""
    with pytest.raises(BadInput, match="above 0 and up to 1"):
        _check_threshold(situation_pb2.Situation(id="flood", threshold=threshold))


@pytest.mark.parametrize("threshold", [0.001, 0.8, 1.0, None])
def test_a_threshold_within_the_range_is_taken(threshold: float | None) -> None:
    """None leaves it to the calibration."""
    _check_threshold(situation_pb2.Situation(id="flood", threshold=threshold))
