"""Channels that name their caller and carry the trace, past any HTTP proxy of the environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import grpc

from lamplight_kit import trace
from lamplight_kit.rpc.server import OPTIONS


class _AioBearer(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, token: str) -> None:
        self._token = token

    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: object
    ) -> Any:
        return await continuation(_with(client_call_details, self._token), request)


class _AioStreamBearer(grpc.aio.StreamStreamClientInterceptor):
    def __init__(self, token: str) -> None:
        self._token = token

    async def intercept_stream_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await continuation(_with(client_call_details, self._token), request_iterator)


class _Bearer(grpc.UnaryUnaryClientInterceptor):
    def __init__(self, token: str) -> None:
        self._token = token

    def intercept_unary_unary(self, continuation: Callable[..., Any], client_call_details: Any, request: object) -> Any:
        details = client_call_details
        replaced = _Details(details.method, details.timeout, _metadata(details.metadata, self._token), details)
        return continuation(replaced, request)


class _Details(grpc.ClientCallDetails):
    def __init__(
        self, method: str, timeout: float | None, metadata: Sequence[tuple[str, str | bytes]], like: Any
    ) -> None:
        self.method = method
        self.timeout = timeout
        self.metadata = tuple(metadata)
        self.credentials = like.credentials
        self.wait_for_ready = like.wait_for_ready
        self.compression = like.compression


def _metadata(given: Any, token: str) -> list[tuple[str, str | bytes]]:
    named = [] if given is None else list(given)
    return [*named, ("authorization", f"Bearer {token}"), ("traceparent", trace.child(trace.current()))]


def _with(details: Any, token: str) -> Any:
    return grpc.aio.ClientCallDetails(
        details.method,
        details.timeout,
        grpc.aio.Metadata(*_metadata(details.metadata, token)),
        details.credentials,
        details.wait_for_ready,
    )


def channel(address: str, token: str, credentials: grpc.ChannelCredentials | None = None) -> grpc.aio.Channel:
    """Return an asyncio channel to `address` (host:port) whose calls carry `token`."""
    interceptors = [_AioBearer(token), _AioStreamBearer(token)]
    if credentials is not None:
        return grpc.aio.secure_channel(address, credentials, options=list(OPTIONS), interceptors=interceptors)
    return grpc.aio.insecure_channel(address, options=list(OPTIONS), interceptors=interceptors)


def blocking_channel(address: str, token: str) -> grpc.Channel:
    """Return a blocking channel to `address` (host:port) whose unary calls carry `token`; for the command line."""
    return grpc.intercept_channel(grpc.insecure_channel(address, options=list(OPTIONS)), _Bearer(token))
