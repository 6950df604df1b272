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


@contextmanager
def calling(service: str, address: str, token: str) -> Iterator[grpc.Channel]:
    """Open a channel to a service's `address`; what goes wrong within is a `BadInput` or a `CallFailedError`."""
    channel = blocking_channel(address, token)
    try:
        yield channel
    except grpc.RpcError as error:
        raise _as_ours(service, address, error) from error
    finally:
        channel.close()


def call(method: Callable[..., Any], request: Any) -> Any:
    """Call `method`, waiting a while for a service that is just starting."""
    return method(request, timeout=TIMEOUT_S, wait_for_ready=True)


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
