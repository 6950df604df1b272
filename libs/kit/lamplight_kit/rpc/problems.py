"""Bad input over gRPC: INVALID_ARGUMENT with every problem, so that the caller can point at the user's own line."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, NoReturn

import grpc

from lamplight_kit.errors import BadInput, Problem

_METADATA = "lamplight-problems-bin"


async def refuse_input(context: grpc.aio.ServicerContext[Any, Any], error: BadInput) -> NoReturn:
    """End the call with INVALID_ARGUMENT, the error's text, and its problems in the trailing metadata."""
    packed = json.dumps([asdict(problem) for problem in error.problems]).encode()
    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error)[:4_000], ((_METADATA, packed),))
    raise AssertionError


def problems_of(error: grpc.RpcError) -> tuple[Problem, ...]:
    """Return the problems that a call was refused for; empty where it failed for another reason."""
    trailing: Any = error.trailing_metadata() if hasattr(error, "trailing_metadata") else None
    for key, value in trailing or ():
        if key == _METADATA:
            return tuple(Problem(**item) for item in json.loads(value))
    return ()
