"""Calls to a system's services, in the user's words: what comes back wrong is an error of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from lamplight_kit.errors import BadInput, LamplightError
from lamplight_kit.rpc import blocking_channel, problems_of

from lamplight_cli.errors import CallFailedError, NotFoundError

TIMEOUT_S = 90.0  # above the services' own, who say better what they waited for
REACH_S = 10.0  # for a service that is just starting; one that is gone is said to be so after this


@contextmanager
def calling(service: str, address: str, token: str) -> Iterator[grpc.Channel]:
    """Reach a service at `address`; what goes wrong, then or within, is a `BadInput` or a `CallFailedError`."""
    channel = blocking_channel(address, token)
    try:
        _reach(channel, service, address)
        yield channel
    except grpc.RpcError as error:
        raise _as_ours(service, address, error) from error
    finally:
        channel.close()


def call(method: Callable[..., Any], request: Any) -> Any:
    """Call `method` of a service that `calling` has reached; one that has gone since fails at once."""
    return method(request, timeout=TIMEOUT_S)


def _reach(channel: grpc.Channel, service: str, address: str) -> None:
    try:
        grpc.channel_ready_future(channel).result(timeout=REACH_S)
    except grpc.FutureTimeoutError:
        text = (
            f"{service} at {address}: nobody answered for {REACH_S:g} s, a running system expected; "
            "start it by `lamplight up`, or ask `lamplight doctor`"
        )
        raise CallFailedError(text) from None


def _as_ours(service: str, address: str, error: Any) -> LamplightError:
    problems = problems_of(error)
    if problems:
        return BadInput(problems)
    code, details = error.code(), error.details()
    if code is grpc.StatusCode.NOT_FOUND:
        return NotFoundError(str(details))
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        text = f"{service} at {address}: no answer in time ({details}); is it ready? `lamplight doctor` says"
        return CallFailedError(text)
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return CallFailedError(f"{service} at {address}: {details}; set LAMPLIGHT_TOKEN to a token that may")
    return CallFailedError(f"{service} at {address}: {code.name}: {details}")
