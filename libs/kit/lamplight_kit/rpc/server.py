"""A grpc.aio server that knows its callers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from lamplight_kit import trace
from lamplight_kit.errors import SettingsError
from lamplight_kit.rpc.callers import Caller, Role, Tokens

OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 32 << 20),
    ("grpc.max_send_message_length", 32 << 20),
    ("grpc.so_reuseport", 0),
)
_HEALTH = "/grpc.health.v1.Health/"
_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)
_log = structlog.get_logger()

Register = Callable[[grpc.aio.Server], None]
Reasons = Callable[[], Mapping[str, str]]
Refused = Callable[[Caller, str], None]
_LOOK_S = 1.0


def current_caller() -> Caller:
    """Return who calls; LookupError outside a call."""
    caller = _caller.get()
    if caller is None:
        message = "no caller is known outside a call"
        raise LookupError(message)
    return caller


class Authenticate(grpc.aio.ServerInterceptor):
    """Let a call in whose token is known and whose role may make it; the health service is open to all."""

    def __init__(self, tokens: Tokens, allow: Mapping[str, Role], on_refused: Refused | None = None) -> None:
        """Take the known `tokens`, and the least role by full method name (`/lamplight.camera.v1.CameraService/…`).

        `on_refused(caller, method)` is told each call of a known caller that its role did not allow.
        """
        self._tokens = tokens
        self._allow = allow
        self._on_refused = on_refused

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Hand the call on with its caller bound, or answer UNAUTHENTICATED or PERMISSION_DENIED."""
        method = str(handler_call_details.method)
        if method.startswith(_HEALTH):
            return await continuation(handler_call_details)
        metadata = {str(key): value for key, value in handler_call_details.invocation_metadata or ()}
        caller = self._tokens.caller_of(str(metadata.get("authorization", "")))
        needed = self._allow.get(method, Role.ADMIN)
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        if caller is None:
            return _refusal(handler, grpc.StatusCode.UNAUTHENTICATED, "a bearer token that is known was expected")
        if not caller.role.may(needed):
            if self._on_refused is not None:
                self._on_refused(caller, method)
            why = f"role {caller.role.name.lower()} found, {needed.name.lower()} expected for {method}"
            return _refusal(handler, grpc.StatusCode.PERMISSION_DENIED, why)
        return _bound(handler, caller, str(metadata.get("traceparent", "")))


def _refusal(handler: Any, code: grpc.StatusCode, why: str) -> Any:
    async def unary(_request: object, context: Any) -> None:
        await context.abort(code, why)

    async def stream(_request: object, context: Any) -> Any:
        await context.abort(code, why)
        yield

    return _like(handler, unary, stream)


def _bound(handler: Any, caller: Caller, traceparent: str) -> Any:
    inner = handler.stream_stream or handler.unary_stream or handler.stream_unary or handler.unary_unary

    async def unary(request: object, context: Any) -> Any:
        _caller.set(caller)
        with trace.within(traceparent), structlog.contextvars.bound_contextvars(caller=caller.name):
            return await inner(request, context)

    async def stream(request: object, context: Any) -> Any:
        _caller.set(caller)
        with trace.within(traceparent), structlog.contextvars.bound_contextvars(caller=caller.name):
            async for response in inner(request, context):
                yield response

    return _like(handler, unary, stream)


def _like(handler: Any, unary: Any, stream: Any) -> Any:
    codec = {
        "request_deserializer": handler.request_deserializer,
        "response_serializer": handler.response_serializer,
    }
    if handler.request_streaming and handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler(stream, **codec)
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler(stream, **codec)
    if handler.request_streaming:
        return grpc.stream_unary_rpc_method_handler(unary, **codec)
    return grpc.unary_unary_rpc_method_handler(unary, **codec)


class RpcServer:
    """A running server: health service included, every method behind a role (admin where none is named)."""

    def __init__(
        self,
        listen: str,
        registrations: Sequence[Register],
        tokens: Tokens,
        allow: Mapping[str, Role],
        credentials: grpc.ServerCredentials | None = None,
        on_refused: Refused | None = None,
    ) -> None:
        """Prepare a server for `listen` (host:port, port 0: any); nothing listens until `start`.

        `on_refused` is told what `Authenticate` says, on the event loop: it must be quick.
        """
        self._listen = listen
        self._registrations = registrations
        self._interceptor = Authenticate(tokens, allow, on_refused)
        self._credentials = credentials
        self._server: grpc.aio.Server | None = None
        self._health = health.aio.HealthServicer()
        self._reasons: Reasons | None = None
        self._following: asyncio.Task[None] | None = None
        self.port = 0

    def follow(self, reasons: Reasons) -> None:
        """Serve, by the health service, while `reasons` gives none; call before `start`. Looked at each second."""
        self._reasons = reasons

    async def start(self) -> int:
        """Listen; return the port in force. Raises `SettingsError` where the address cannot be had."""
        server = grpc.aio.server(interceptors=(self._interceptor,), options=list(OPTIONS))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        for register in self._registrations:
            register(server)
        try:
            self.port = (
                server.add_secure_port(self._listen, self._credentials)
                if self._credentials
                else server.add_insecure_port(self._listen)
            )
        except RuntimeError as error:
            message = f"grpc_listen {self._listen!r}: {error}; a free host:port expected; set LAMPLIGHT_GRPC_LISTEN"
            raise SettingsError(message) from error
        await server.start()
        self._server = server
        if self._reasons is None:
            await self.set_ready(is_ready=True)
        else:
            await self.set_ready(is_ready=False)
            self._following = asyncio.create_task(self._follow(self._reasons))
        return self.port

    async def _follow(self, reasons: Reasons) -> None:
        while True:
            await self.set_ready(is_ready=not reasons())
            await asyncio.sleep(_LOOK_S)

    async def set_ready(self, *, is_ready: bool) -> None:
        """Say by the health service whether calls are welcome."""
        status = health_pb2.HealthCheckResponse.SERVING if is_ready else health_pb2.HealthCheckResponse.NOT_SERVING
        await self._health.set("", status)

    async def stop(self, grace_s: float) -> None:
        """Take no new call, give the running ones `grace_s` seconds, end."""
        if self._following is not None:
            self._following.cancel()
        if self._server is not None:
            await self._health.enter_graceful_shutdown()
            await asyncio.shield(self._server.stop(grace_s))
